"""Protections on the way to the gateway and back."""

from tests.mutations.tree import Edit, Protection

_WORK = "worker/sending/work.py"
_RESERVE = "worker/sending/reserve.py"
_CPSMS = "worker/gateways/cpsms/replies.py"
_HINTS = "worker/ledger/hints.py"
_BOOKS = "tests/integration/test_books.py"
_SENDING = "tests/integration/test_sending.py"
_TAKING = "tests/integration/test_taking.py"
_TELLING = "tests/integration/test_telling.py"
_WISHES = "tests/integration/ledger/test_wishes.py"
_HTTP = "tests/contract/test_http.py"
_STEPS = "tests/fault/test_steps.py"
_KILLS = "tests/fault/test_kills.py"
_REDIS = "tests/fault/test_redis.py"
_GATEWAY = "tests/fault/test_gateway.py"
_DATABASES = "tests/fault/test_databases.py"
_REPEATED = "            (BATCHES.c.published_at.is_(None)) | ~_is_fresh(reach.repeat_ms),\n"
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
                _WORK,
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
                "        return row.msisdn not in self.numbers and (",
                "        return (",
            ),
        ),
        ("tests/unit/sending/test_plan.py::test_a_number_that_comes_again_waits_for_the_next_request",),
    ),
    Protection(
        "a group of the gateway's own is alone in its request",
        (Edit("worker/sending/plan.py", "room = 1 if kind_of(row.msisdn) else min(", "room = min("),),
        ("tests/unit/sending/test_plan.py::test_a_group_of_the_gateways_own_is_alone_in_its_request",),
    ),
    Protection(
        "a gateway is noted as told to give back before it is",
        (
            Edit(
                "worker/taking.py",
                "            claimed = taking.claim(connection, wish)\n",
                "            claimed = replace(wish, told_at=0)\n",
            ),
        ),
        (f"{_TAKING}::test_whoever_is_killed_while_it_asks_leaves_it_unclear",),
    ),
    Protection(
        "what may have been given back is not called too late",
        (Edit("worker/ledger/taking.py", " is Taking.TOO_LATE and wish.is_plain:", " is Taking.TOO_LATE:"),),
        (
            f"{_TAKING}::test_after_an_unclear_answer_nothing_there_may_mean_that_it_was_given_back",
            f"{_TAKING}::test_a_request_of_which_nobody_knows_may_still_be_on_its_way",
        ),
    ),
    Protection(
        "a gateway is not told past the time until which it gives back",
        (Edit("worker/taking.py", "        if wish.left_ms <= self._ahead_ms:\n", "        if False:\n"),),
        (
            f"{_TAKING}::test_a_gateway_with_a_limit_is_not_told_past_it",
            f"{_TAKING}::test_its_clock_may_be_a_minute_before_ours",
        ),
    ),
    Protection(
        "a success that came past that time is not believed",
        (Edit("worker/taking.py", "self._ahead_ms and elapsed_s() >= late_at_s", "False"),),
        (f"{_TAKING}::test_a_success_that_came_past_the_limit_is_unclear",),
    ),
    Protection(
        "a success is not believed of a request that may still be on its way",
        (Edit("worker/taking.py", "is Taking.BACK and not self._is_past_doubt(wish)", "is None"),),
        (
            f"{_TAKING}::test_of_a_request_of_which_nobody_knows_its_success_is_not_believed_at_once",
            f"{_TAKING}::test_a_request_that_the_gateway_takes_after_it_was_told_is_not_called_cancelled",
        ),
    ),
    Protection(
        "only the login that was given it is told to give it back",
        (
            Edit(
                "worker/ledger/taking.py",
                "SUBMISSIONS.c.login == login, _is_open()",
                "_is_open()",
            ),
        ),
        (f"{_TAKING}::test_another_login_is_not_told",),
    ),
    Protection(
        "that nothing is there is not believed long before its time",
        (
            Edit(
                "worker/taking.py",
                "        if taken is Taking.TOO_LATE and wish.left_ms >",
                "        if False and wish.left_ms >",
            ),
        ),
        (f"{_WISHES}::test_nothing_there_long_before_the_time_does_not_mean_that_it_is_too_late",),
    ),
    Protection(
        "only who told the gateway last notes what its answer leaves open",
        (
            Edit(
                "worker/ledger/taking.py",
                "is_last = SUBMISSIONS.c.taking_at == wish.told_at",
                "is_last = SUBMISSIONS.c.taking_at.is_not(None)",
            ),
        ),
        (
            f"{_WISHES}::test_nothing_there_may_mean_that_another_has_taken_it_back",
            f"{_WISHES}::test_who_did_not_reach_the_gateway_does_not_undo_what_another_has_told_it",
        ),
    ),
    Protection(
        "a wish is claimed as it was read, or not at all",
        (
            Edit(
                "worker/ledger/taking.py",
                "SUBMISSIONS.c.taking_at.is_not_distinct_from(wish.taking_at)",
                "SUBMISSIONS.c.reference == wish.reference",
            ),
        ),
        (
            f"{_WISHES}::test_who_read_a_wish_long_ago_does_not_claim_it",
            f"{_TAKING}::test_of_two_who_see_the_wish_one_tells_the_gateway",
        ),
    ),
    Protection(
        "what was given back stays so, however late its acceptance comes",
        (
            Edit(
                "worker/ledger/changes.py",
                "        is_back = submission_id in given_back\n",
                "        is_back = False\n",
            ),
        ),
        (f"{_TAKING}::test_an_acceptance_that_comes_late_does_not_bring_it_back",),
    ),
    Protection(
        "an earlier request that may be kept is taken back too",
        (
            Edit(
                "worker/ledger/taking.py",
                "    if not kept.has_doubts(connection, campaign_ids):\n",
                "    if True:\n",
            ),
        ),
        (
            f"{_WISHES}::test_an_earlier_request_that_may_be_kept_is_taken_back_too",
            f"{_WISHES}::test_what_was_settled_as_failed_may_be_kept",
        ),
    ),
    Protection(
        "one order tells the gateway of each request once",
        (Edit("worker/ledger/taking.py", "and_(taking_at < since, ", "and_("),),
        (f"{_TELLING}::test_each_request_is_told_once_by_one_order_however_unclear_the_answers",),
    ),
    Protection(
        "what is unclear is told less often in time",
        (Edit("worker/ledger/taking.py", "and_(rest >= again_ms, is_long)", "rest >= again_ms"),),
        (f"{_WISHES}::test_what_is_unclear_is_told_less_often_in_time_and_more_often_near_the_end",),
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
                "        due = _due_now(provider, lane)\n",
                "        due = None\n",
            ),
            Edit("worker/tasks.py", "        batch_id = _due_soon(provider, lane)\n", "        return\n"),
        ),
        (
            f"{_REDIS}::test_redis_is_killed_and_comes_back_empty[sqlite]",
            f"{_REDIS}::test_redis_is_emptied_again_and_again[sqlite]",
            f"{_REDIS}::test_redis_is_away_for_twenty_seconds[sqlite]",
            f"{_KILLS}::test_the_dispatcher_is_killed_before_it_publishes_what_it_noted[sqlite]",
        ),
    ),
)
