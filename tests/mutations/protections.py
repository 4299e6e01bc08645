"""The protections, how each is switched off, and the tests that must fail then."""

from tests.mutations.tree import Edit, Protection

_INTENT = "worker/ledger/intent.py"
_BATCHES = "worker/ledger/batches.py"
_RUN = "worker/sending/run.py"
_LEDGER = "tests/integration/ledger"
_SENDING = "tests/integration/test_sending.py"
_HTTP = "tests/contract/test_http.py"

_IN_THE_LEDGER = (
    Protection(
        "a mark needs the current fence",
        (Edit(_INTENT, "        BATCHES.c.fence == held.fence,\n", ""),),
        (f"{_LEDGER}/test_intent.py::test_a_mark_needs_the_current_fence",),
    ),
    Protection(
        "a mark needs a lease that has not run out",
        (Edit(_INTENT, "        BATCHES.c.lease_until > now_ms(),\n", ""),),
        (f"{_LEDGER}/test_intent.py::test_a_mark_needs_a_lease_that_has_not_run_out",),
    ),
    Protection(
        "a mark takes the control lock",
        (Edit(_INTENT, "    control_lock(connection, shared=True)\n    if not _renew", "    if not _renew"),),
        (
            f"{_LEDGER}/test_races.py::test_a_mark_waits_for_a_pause_and_obeys_it",
            f"{_LEDGER}/test_races.py::test_a_mark_waits_for_a_hold_and_obeys_it",
        ),
    ),
    Protection(
        "nothing of a paused or cancelled campaign is marked",
        (
            Edit(
                _INTENT,
                "            campaign_is_running(BATCHES.c.campaign_id),\n            account_takes",
                "            account_takes",
            ),
        ),
        (f"{_LEDGER}/test_intent.py::test_nothing_of_a_paused_campaign_is_marked",),
    ),
    Protection(
        "nothing of a held account is marked",
        (Edit(_INTENT, "            account_takes(BATCHES.c.provider, BATCHES.c.id),\n", ""),),
        (f"{_LEDGER}/test_intent.py::test_nothing_of_a_held_account_is_marked",),
    ),
    Protection(
        "only what is queued is marked: what is unknown is never sent again",
        (
            Edit(
                _INTENT,
                "        MESSAGES.c.state == MessageState.QUEUED,\n        MESSAGES.c.due_at",
                '        MESSAGES.c.state.in_(["queued", "unknown"]),\n        MESSAGES.c.due_at',
            ),
        ),
        (f"{_LEDGER}/test_intent.py::test_rows_that_may_not_leave_are_not_read_and_not_marked",),
    ),
    Protection(
        "only what is due is marked",
        (Edit(_INTENT, "        MESSAGES.c.due_at <= now_ms(),\n", ""),),
        (f"{_LEDGER}/test_intent.py::test_rows_that_may_not_leave_are_not_read_and_not_marked",),
    ),
    Protection(
        "the database's clock says how long a lease holds",
        (
            Edit(
                _INTENT,
                ".values(lease_until=now_ms() + lease_ms)",
                '.values(lease_until=int(__import__("time").time() * 1000) + lease_ms)',
            ),
        ),
        ("tests/fault/test_clocks.py::test_a_clock_is_wrong_by_ten_minutes_and_steps[sqlite--600]",),
    ),
    Protection(
        "only an open batch is leased: a repeated hint finds nothing",
        (Edit(_BATCHES, "                BATCHES.c.state == BatchState.OPEN,\n", ""),),
        (
            f"{_LEDGER}/test_batches.py::test_a_batch_is_leased_once",
            f"{_LEDGER}/test_races.py::test_of_two_who_lease_one_batch_exactly_one_wins",
        ),
    ),
    Protection(
        "a batch is not given back while a row is out",
        (Edit(_BATCHES, "            BATCHES.c.submitting == 0,\n", ""),),
        (f"{_LEDGER}/test_batches.py::test_a_batch_is_not_given_back_while_a_row_is_out",),
    ),
    Protection(
        "the sweep turns what was out UNKNOWN, never back to the queue",
        (
            Edit(
                _BATCHES,
                '.values(state=MessageState.UNKNOWN, code="lease_lost"',
                '.values(state=MessageState.QUEUED, code="lease_lost"',
            ),
        ),
        (
            f"{_LEDGER}/test_batches.py::test_what_was_out_becomes_unknown_and_the_batch_is_open_again",
            "tests/fault/test_steps.py::test_a_child_is_killed[sqlite-after_request]",
        ),
    ),
    Protection(
        "a batch that loses its lease three times without progress is held",
        (Edit(_BATCHES, "_LOST_LEASES_TO_HOLD = 3", "_LOST_LEASES_TO_HOLD = 1000"),),
        (f"{_LEDGER}/test_batches.py::test_a_batch_is_held_after_three_lost_leases",),
    ),
    Protection(
        "a word about an earlier request frees no message that a newer one carries",
        (
            Edit(
                "worker/states.py",
                "    if not is_current or current not in {_M",
                "    if current not in {_M",
            ),
        ),
        (f"{_LEDGER}/test_outcomes.py::test_anything_else_of_an_earlier_submission_is_ignored",),
    ),
    Protection(
        "the truth counts from a worker whose lease was lost",
        (
            Edit(
                "worker/states.py",
                "_M.FAILED, _M.CANCELLED, *PROVEN}",
                "_M.FAILED, _M.CANCELLED}",
            ),
        ),
        (f"{_LEDGER}/test_outcomes.py::test_the_word_of_a_worker_whose_lease_was_lost_counts",),
    ),
    Protection(
        "nothing is due while a campaign is imported",
        (Edit("worker/ledger/campaigns.py", '"state": CampaignState.IMPORTING,', '"state": "running",'),),
        (f"{_LEDGER}/test_campaigns.py::test_nothing_is_due_while_importing",),
    ),
    Protection(
        "a database without room may be written to later",
        (
            Edit(
                "worker/ledger/engine.py",
                '    if away or (operational and code != "SQLITE_ERROR"):',
                '    if away or (operational and code not in {"SQLITE_ERROR", "SQLITE_FULL"}):',
            ),
        ),
        ("tests/fault/test_databases.py::test_sqlite_has_no_room_left_for_a_while",),
    ),
)

_ON_THE_WAY = (
    Protection(
        "a mark is acted upon within 250 ms or not at all",
        (Edit("worker/sending/submit.py", "            if not still_ours():\n", "            if False:\n"),),
        (
            f"{_SENDING}::test_a_mark_that_is_too_old_is_taken_back_and_nobody_is_to_blame",
            "tests/fault/test_steps.py::test_a_child_is_stopped_for_longer_than_its_lease[sqlite-after_mark]",
        ),
    ),
    Protection(
        "the write is watched: a byte that may have left is never taken for none",
        (Edit("worker/gateways/deadline.py", "            self.wrote = True\n", ""),),
        (
            f"{_HTTP}::test_request_without_readable_answer_is_unknown_and_the_error_tells_no_secret",
            "tests/fault/test_gateway.py::test_requests_get_no_readable_answer[sqlite-reset_after]",
            "tests/fault/test_gateway.py::test_requests_get_no_readable_answer[sqlite-hang_after]",
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
            Edit(_RUN, "            if n and self._opened(n):\n", "            if n:\n"),
        ),
        (
            f"{_HTTP}::test_tls_handshake_that_fails_is_not_sent",
            "tests/fault/test_gateway.py::test_a_tls_handshake_is_never_answered[sqlite]",
        ),
    ),
    Protection(
        "an answer of 500 is ambiguous",
        (Edit("worker/gateways/cpsms.py", "    500: Verdict.AMBIGUOUS,\n", "    500: Verdict.RETRY,\n"),),
        ("tests/fault/test_gateway.py::test_requests_get_no_readable_answer[sqlite-error_500_after]",),
    ),
    Protection(
        "a refusal for being too quick is no end",
        (Edit("worker/gateways/cpsms.py", "    429: Verdict.THROTTLED,\n", "    429: Verdict.CAMPAIGN,\n"),),
        ("tests/fault/test_gateway.py::test_a_storm_of_refusals_for_being_too_quick[sqlite]",),
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
        ("tests/fault/test_gateway.py::test_credit_runs_out_and_is_bought[sqlite]",),
    ),
    Protection(
        "three answers in a row that cannot be read brake the account",
        (Edit("worker/ledger/accounts.py", "_AMBIGUOUS_TO_BRAKE = 3", "_AMBIGUOUS_TO_BRAKE = 1000000"),),
        (f"{_SENDING}::test_three_answers_in_a_row_that_cannot_be_read_brake_the_account",),
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
    Protection(
        "a hint that nobody took is repeated",
        (
            Edit(
                "worker/ledger/hints.py",
                "            (BATCHES.c.published_at.is_(None)) | ~_is_fresh(repeat_ms),\n",
                "            BATCHES.c.published_at.is_(None),\n",
            ),
        ),
        ("tests/integration/test_dispatch.py::test_a_hint_that_nobody_took_is_repeated",),
    ),
    Protection(
        "what Redis has lost is published again",
        (
            Edit(
                "worker/ledger/hints.py",
                "            (BATCHES.c.published_at.is_(None)) | ~_is_fresh(repeat_ms),\n",
                "            BATCHES.c.published_at.is_(None),\n",
            ),
            Edit("worker/dispatch.py", "        self._forget_lost(provider)\n", ""),
        ),
        ("tests/fault/test_redis.py::test_redis_is_killed_and_comes_back_empty[sqlite]",),
    ),
    Protection(
        "a worker that is killed leaves its outcomes on disk",
        (Edit("worker/sending/keep.py", "            os.fsync(self._file)\n", "            self.clear()\n"),),
        (
            "tests/fault/test_databases.py::test_a_worker_is_killed_while_its_outcomes_wait_for_postgres",
            "tests/fault/test_databases.py::test_a_worker_is_killed_while_its_outcomes_wait_for_sqlite",
        ),
    ),
)

PROTECTIONS = (*_IN_THE_LEDGER, *_ON_THE_WAY)
