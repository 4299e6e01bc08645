"""Protections on the way to the gateway and back."""

from tests.mutations.tree import Edit, Protection

_RUN = "worker/sending/run.py"
_RESERVE = "worker/sending/reserve.py"
_CPSMS = "worker/gateways/cpsms.py"
_HINTS = "worker/ledger/hints.py"
_BOOKS = "tests/integration/test_books.py"
_SENDING = "tests/integration/test_sending.py"
_HTTP = "tests/contract/test_http.py"
_STEPS = "tests/fault/test_steps.py"
_KILLS = "tests/fault/test_kills.py"
_REDIS = "tests/fault/test_redis.py"
_GATEWAY = "tests/fault/test_gateway.py"
_DATABASES = "tests/fault/test_databases.py"
_REPEATED = "            (BATCHES.c.published_at.is_(None)) | ~_is_fresh(repeat_ms),\n"
_NEVER_REPEATED = "            BATCHES.c.published_at.is_(None),\n"

WRITING = (
    Protection(
        "a mark is acted upon within 250 ms or not at all",
        (Edit("worker/sending/departures.py", "        if self.left_s < 0:", "        if False:"),),
        (
            f"{_SENDING}::test_a_mark_that_is_too_old_is_taken_back_and_nobody_is_to_blame",
            f"{_STEPS}::test_a_child_that_was_stopped_after_its_mark_does_not_write_what_has_left_by_order[sqlite]",
        ),
    ),
    Protection(
        "the write is watched: a byte that may have left is never taken for none",
        (Edit("worker/gateways/deadline.py", "            self.wrote = True\n", ""),),
        (
            f"{_HTTP}::test_request_without_readable_answer_is_unknown_and_the_error_tells_no_secret",
            f"{_GATEWAY}::test_requests_get_no_readable_answer[sqlite-reset_after]",
            f"{_GATEWAY}::test_requests_get_no_readable_answer[sqlite-hang_after]",
        ),
    ),
    Protection(
        "the write is watched: a handshake that hangs is no request",
        (
            Edit(
                "worker/gateways/http.py",
                "raise _failure(host=_host(request.url), reason=reason, wrote=attempt.wrote)",
                "raise _failure(host=_host(request.url), reason=reason, wrote=True)",
            ),
            Edit(_RESERVE, "        self._open(n_asked, n_out=n_out)\n", ""),
        ),
        (
            f"{_HTTP}::test_tls_handshake_that_fails_is_not_sent",
            f"{_GATEWAY}::test_a_tls_handshake_is_never_answered[sqlite]",
        ),
    ),
    Protection(
        "a mark that the ledger did not answer is taken back, and not acted upon",
        (
            Edit(
                _RUN,
                "            self._take_back(intentions, reason=str(error))\n",
                "            _ = error\n",
            ),
        ),
        (f"{_SENDING}::test_a_mark_that_the_ledger_does_not_answer_is_taken_back_and_nothing_leaves",),
    ),
    Protection(
        "a request carries no number twice",
        (
            Edit(
                "worker/sending/plan.py",
                "        if row.msisdn in group.numbers:\n",
                "        if False:\n",
            ),
        ),
        ("tests/unit/sending/test_plan.py::test_a_number_that_comes_again_waits_for_the_next_request",),
    ),
)

ANSWERS = (
    Protection(
        "an answer of 500 is ambiguous",
        (Edit(_CPSMS, "    500: Verdict.AMBIGUOUS,\n", "    500: Verdict.RETRY,\n"),),
        (f"{_GATEWAY}::test_requests_get_no_readable_answer[sqlite-error_500_after]",),
    ),
    Protection(
        "a refusal for being too quick is no end",
        (Edit(_CPSMS, "    429: Verdict.THROTTLED,\n", "    429: Verdict.RECIPIENT,\n"),),
        (f"{_GATEWAY}::test_a_storm_of_refusals_for_being_too_quick[sqlite]",),
    ),
    Protection(
        "without credit the messages stay in the queue",
        (
            Edit(
                "worker/sending/record.py",
                "    Verdict.ACCOUNT: MessageState.QUEUED,\n",
                "    Verdict.ACCOUNT: MessageState.REJECTED,\n",
            ),
        ),
        (f"{_GATEWAY}::test_credit_runs_out_within_a_request_and_is_bought[sqlite]",),
    ),
    Protection(
        "three answers in a row that cannot be read brake the account",
        (Edit("worker/ledger/trouble.py", "_AMBIGUOUS_TO_BRAKE = 3", "_AMBIGUOUS_TO_BRAKE = 1000000"),),
        (f"{_SENDING}::test_three_answers_in_a_row_that_cannot_be_read_brake_the_account",),
    ),
    Protection(
        "outcomes wait until the ledger is back",
        (
            Edit(
                "worker/sending/books.py",
                "            self.miss()\n            return []\n        self.unsaved,",
                "            self.unsaved = []\n            return []\n        self.unsaved,",
            ),
        ),
        (
            f"{_BOOKS}::test_while_the_ledger_is_away_outcomes_are_kept_and_written_later",
            f"{_DATABASES}::test_sqlite_is_locked_by_another_program[25]",
            f"{_DATABASES}::test_postgres_is_restarted[immediate]",
            f"{_DATABASES}::test_postgres_is_away_for_twenty_seconds",
        ),
    ),
    Protection(
        "a worker that is killed leaves its outcomes on disk",
        (
            Edit(
                "worker/sending/keep.py",
                "        left = memoryview(lines)\n",
                '        left = memoryview(b"")\n',
            ),
        ),
        (
            "tests/unit/sending/test_keep.py::test_what_a_killed_process_kept_is_handed_over_once",
            f"{_DATABASES}::test_a_worker_is_killed_while_its_outcomes_wait_for_postgres",
            f"{_DATABASES}::test_a_worker_is_killed_while_its_outcomes_wait_for_sqlite",
        ),
    ),
)

HINTS = (
    Protection(
        "a hint that nobody took is repeated",
        (Edit(_HINTS, _REPEATED, _NEVER_REPEATED),),
        ("tests/integration/test_dispatch.py::test_a_hint_that_nobody_took_is_repeated",),
    ),
    Protection(
        "what Redis has lost is published again",
        (
            Edit(_HINTS, _REPEATED, _NEVER_REPEATED),
            Edit("worker/dispatch.py", "        self._forget_lost(provider, lane)\n", ""),
            Edit(
                "worker/tasks.py",
                "            batch_id = turns.next_batch(connection, provider, lane=lane)\n",
                "            batch_id = None\n",
            ),
        ),
        (
            f"{_REDIS}::test_redis_is_killed_and_comes_back_empty[sqlite]",
            f"{_REDIS}::test_redis_is_emptied_again_and_again[sqlite]",
            f"{_REDIS}::test_redis_is_away_for_twenty_seconds[sqlite]",
            f"{_KILLS}::test_the_dispatcher_is_killed_before_it_publishes_what_it_noted[sqlite]",
        ),
    ),
)
