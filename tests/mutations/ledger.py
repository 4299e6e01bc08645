"""Protections that the ledger's statements give."""

from tests.mutations.tree import Edit, Protection

_INTENT = "worker/ledger/intent.py"
_BATCHES = "worker/ledger/batches.py"
_STATES = "worker/states.py"
_ASKING = "worker/ledger/asking.py"
_OUTCOMES = "worker/ledger/outcomes.py"
_FAILOVER = "worker/ledger/failover.py"
_TESTS = "tests/integration/ledger"
_UPKEEP = "tests/integration/test_upkeep.py"
_SENDING = "tests/integration/test_sending.py"
_STEPS = "tests/fault/test_steps.py"
_KILLS = "tests/fault/test_kills.py"
_RUNNING = "            campaign_is_running(BATCHES.c.campaign_id),\n"
_TAKES = "            account_takes(BATCHES.c.provider, BATCHES.c.id),\n"

MARKS = (
    Protection(
        "a mark needs the current fence",
        (Edit(_INTENT, "        BATCHES.c.fence == held.fence,\n", ""),),
        (f"{_TESTS}/test_intent.py::test_a_mark_needs_the_current_fence",),
    ),
    Protection(
        "a mark needs a lease that has not run out",
        (Edit(_INTENT, "        BATCHES.c.lease_until > now_ms(),\n", ""),),
        (f"{_TESTS}/test_intent.py::test_a_mark_needs_a_lease_that_has_not_run_out",),
    ),
    Protection(
        "a mark takes the control lock",
        (Edit(_INTENT, "    control_lock(connection, shared=True)\n    if not _renew", "    if not _renew"),),
        (
            f"{_TESTS}/test_races.py::test_a_mark_waits_for_a_pause_and_obeys_it",
            f"{_TESTS}/test_races.py::test_a_mark_waits_for_a_hold_and_obeys_it",
        ),
    ),
    Protection(
        "a mark leaves out who opted out after it was planned",
        (Edit(_INTENT, "    _suppress(connection, held, asked, granted)\n", ""),),
        (
            f"{_TESTS}/test_optouts.py::test_what_opted_out_after_it_was_planned_is_suppressed_by_the_mark",
            f"{_TESTS}/test_races.py::test_a_mark_waits_for_an_opt_out_and_obeys_it",
        ),
    ),
    Protection(
        "an opt-out takes the control lock",
        (Edit("worker/ledger/optouts.py", "    control_lock(connection, shared=False)\n", ""),),
        (f"{_TESTS}/test_races.py::test_an_opt_out_waits_for_a_mark",),
    ),
    Protection(
        "nothing of a paused or cancelled campaign is marked",
        (Edit(_INTENT, _RUNNING + _TAKES, _TAKES),),
        (f"{_TESTS}/test_intent.py::test_nothing_of_a_paused_campaign_is_marked",),
    ),
    Protection(
        "nothing of a held account is marked",
        (Edit(_INTENT, _TAKES, ""),),
        (f"{_TESTS}/test_intent.py::test_nothing_of_a_held_account_is_marked",),
    ),
    Protection(
        "only what is queued is marked: what is unknown is never sent again",
        (
            Edit(
                _INTENT,
                "        MESSAGES.c.state == MessageState.QUEUED,\n        MESSAGES.c.due_at",
                '        MESSAGES.c.state != "cancelled",\n        MESSAGES.c.due_at',
            ),
        ),
        (
            f"{_SENDING}::test_an_answer_that_is_none_is_unknown_and_never_sent_again",
            f"{_KILLS}::test_two_workers_with_their_dispatchers_share_the_work[sqlite]",
            "tests/fault/test_redis.py::test_hints_are_repeated_reordered_and_ancient[sqlite]",
        ),
    ),
    Protection(
        "only what is due is marked",
        (Edit(_INTENT, "        MESSAGES.c.due_at <= now_ms(),\n", ""),),
        (f"{_TESTS}/test_intent.py::test_rows_that_may_not_leave_are_not_read_and_not_marked",),
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
        ("tests/fault/test_clocks.py::test_a_clock_is_wrong_by_ten_minutes_and_steps[sqlite-ahead]",),
    ),
)

BATCHES = (
    Protection(
        "only an open batch is leased: a hint that comes again finds nothing",
        (Edit(_BATCHES, "                BATCHES.c.state == BatchState.OPEN,\n", ""),),
        (
            f"{_TESTS}/test_batches.py::test_a_batch_is_leased_once",
            f"{_TESTS}/test_races.py::test_of_two_who_lease_one_batch_exactly_one_wins",
        ),
    ),
    Protection(
        "a batch is not given back while a row is out",
        (Edit(_BATCHES, "            BATCHES.c.submitting == 0,\n", ""),),
        (f"{_TESTS}/test_batches.py::test_a_batch_is_not_given_back_while_a_row_is_out",),
    ),
    Protection(
        "the sweep turns what was out UNKNOWN, never back to the queue",
        (
            Edit(
                _BATCHES,
                "            state=MessageState.UNKNOWN,\n",
                "            state=MessageState.QUEUED,\n",
            ),
            Edit(_BATCHES, "unknown=BATCHES.c.unknown + lost", "queued=BATCHES.c.queued + lost"),
            Edit(_BATCHES, "case((BATCHES.c.queued == 0, ", "case((BATCHES.c.queued + lost == 0, "),
            Edit(_BATCHES, "def reopened() ->", "def reopened(lost: int = 0) ->"),
            Edit(_BATCHES, "            **reopened(),\n", "            **reopened(lost),\n"),
        ),
        (
            f"{_TESTS}/test_batches.py::test_what_was_out_becomes_unknown_and_the_batch_is_open_again",
            f"{_STEPS}::test_a_child_is_killed[sqlite-after_request]",
            f"{_STEPS}::test_a_child_is_killed[postgres-before_record]",
            f"{_KILLS}::test_children_are_killed_at_random_moments[sqlite]",
            f"{_STEPS}::test_a_child_is_stopped_for_longer_than_its_lease[sqlite-after_request]",
            f"{_KILLS}::test_the_whole_worker_is_killed_and_another_goes_on[postgres]",
            f"{_KILLS}::test_a_whole_worker_is_stopped_for_longer_than_its_lease[sqlite]",
            f"{_KILLS}::test_thirty_kills_over_twenty_thousand_messages[sqlite]",
        ),
    ),
    Protection(
        "the sweep opens what was abandoned",
        (Edit(_BATCHES, "BATCHES.c.lease_until < now_ms())", "BATCHES.c.lease_until < 0)"),),
        (
            f"{_TESTS}/test_batches.py::test_a_swept_batch_is_due_with_its_next_row",
            f"{_STEPS}::test_a_child_is_killed[sqlite-after_lease]",
            f"{_KILLS}::test_with_the_default_timers_a_child_is_killed[sqlite]",
        ),
    ),
    Protection(
        "a batch that loses its lease three times without progress is held",
        (Edit(_BATCHES, "_LOST_LEASES_TO_HOLD = 3", "_LOST_LEASES_TO_HOLD = 1000"),),
        (f"{_TESTS}/test_batches.py::test_a_batch_is_held_after_three_lost_leases",),
    ),
    Protection(
        "nothing is due while a campaign is imported",
        (Edit("worker/ledger/campaigns.py", '"state": CampaignState.IMPORTING,', '"state": "running",'),),
        (
            f"{_TESTS}/test_campaigns.py::test_nothing_is_due_while_importing",
            f"{_KILLS}::test_the_importer_is_killed_and_its_campaign_is_finished[sqlite]",
        ),
    ),
)

OUTCOMES = (
    Protection(
        "a word about an earlier request frees no message that a newer one carries",
        (Edit(_STATES, "    if not is_current or current not in {_M", "    if current not in {_M"),),
        (f"{_TESTS}/test_outcomes.py::test_anything_else_of_an_earlier_submission_is_ignored",),
    ),
    Protection(
        "the truth counts from a worker whose lease was lost",
        (
            Edit(
                _STATES,
                "SUPPRESSED, _M.FAILED, _M.CANCELLED, *PROVEN}),",
                "SUPPRESSED, _M.FAILED, _M.CANCELLED}),",
            ),
        ),
        (f"{_TESTS}/test_outcomes.py::test_the_word_of_a_worker_whose_lease_was_lost_counts",),
    ),
    Protection(
        "in a cancelled campaign every way back to the queue ends in CANCELLED",
        (
            Edit(
                _STATES,
                "    return _M.CANCELLED if outcome is _M.QUEUED and is_cancelled else outcome",
                "    return outcome",
            ),
        ),
        (f"{_TESTS}/test_outcomes.py::test_what_would_be_queued_in_a_cancelled_campaign_is_cancelled",),
    ),
    Protection(
        "a database without room may be written to later",
        (
            Edit(
                "worker/ledger/engine.py",
                '(operational and code != "SQLITE_ERROR")',
                '(operational and code not in {"SQLITE_ERROR", "SQLITE_FULL"})',
            ),
        ),
        ("tests/fault/test_databases.py::test_sqlite_has_no_room_left_for_a_while",),
    ),
)

SETTLING = (
    Protection(
        "never received counts after the quarantine only",
        (
            Edit(
                _ASKING,
                "*never_heard_of, ~young.exists(), apart)",
                "*never_heard_of, apart)",
            ),
        ),
        (f"{_TESTS}/test_asking.py::test_answers_within_the_quarantine_do_not_count",),
    ),
    Protection(
        "never received is said twice before anything is sent again",
        (Edit(_ASKING, "_NEVER_RECEIVED_TO_QUEUE = 2", "_NEVER_RECEIVED_TO_QUEUE = 1"),),
        (f"{_TESTS}/test_asking.py::test_what_was_never_received_is_queued_again_on_the_second_answer",),
    ),
    Protection(
        "two answers of never received are a minute apart",
        (Edit(_ASKING, "_APART_MS = 60_000", "_APART_MS = 0"),),
        (f"{_TESTS}/test_asking.py::test_answers_in_the_same_minute_count_once",),
    ),
    Protection(
        "never received is proof only beside something that is found",
        (Edit("worker/upkeep.py", "in control if heard.get(each.reference)]\n", "in control]\n"),),
        (f"{_UPKEEP}::test_a_log_that_does_not_even_name_what_was_accepted_proves_nothing",),
    ),
    Protection(
        "never received is proof only of what is older than something that is found",
        (
            Edit(
                _ASKING,
                "    missing = [each for each in missing if each.submission_id < youngest]\n",
                "",
            ),
        ),
        (
            f"{_TESTS}/test_asking.py::test_what_is_not_older_than_all_that_is_seen_is_not_proven_missing",
            f"{_UPKEEP}::test_of_two_that_are_asked_about_at_once_only_the_one_before_an_accepted_one_is_proven_missing",
        ),
    ),
    Protection(
        "never received is no proof of what another login sent",
        (
            Edit(_ASKING, "is_young, may_be_of(login))", "is_young)"),
            Edit(_ASKING, "SUBMISSIONS.c.login == login, *_is_silent())", "*_is_silent())"),
        ),
        (f"{_UPKEEP}::test_what_another_login_took_is_not_proven_missing_by_the_present_one",),
    ),
    Protection(
        "never received is no proof of a request of which the gateway has said a word",
        (Edit(_ASKING, "SUBMISSIONS.c.login == login, *_is_silent())", "SUBMISSIONS.c.login == login)"),),
        (
            f"{_TESTS}/test_asking.py::test_a_request_to_which_the_gateway_gave_an_id_was_received",
            f"{_TESTS}/test_asking.py::test_a_request_of_which_a_message_is_known_to_be_there_was_received",
            f"{_UPKEEP}::test_what_the_gateway_has_named_in_part_is_not_proven_missing_when_it_forgets_it",
        ),
    ),
    Protection(
        "never received is no proof of a request that the gateway has known",
        (
            Edit(
                "worker/upkeep.py",
                "            asking.note_known(connection, [each.submission_id for each in known])\n",
                "",
            ),
        ),
        (
            f"{_UPKEEP}::test_what_the_gateway_has_known_without_a_name_is_not_proven_missing_when_it_forgets_it",
        ),
    ),
    Protection(
        "never received is no proof of what went to a group",
        (Edit("worker/hearing.py", " and not any(map(kind_of, each.messages))", ""),),
        (f"{_UPKEEP}::test_what_went_to_a_group_is_not_proven_missing",),
    ),
    Protection(
        "what may have been accepted is never handed over to the fallback",
        (Edit(_OUTCOMES, " and not change.has_doubts]", "]"),),
        (f"{_TESTS}/test_failover.py::test_a_message_that_is_given_up_after_an_unknown_fails",),
    ),
    Protection(
        "a message goes to a fallback once",
        (Edit(_FAILOVER, ", BATCHES.c.provider == CAMPAIGNS.c.provider\n", ",\n"),),
        (f"{_TESTS}/test_failover.py::test_a_message_that_is_given_up_at_the_fallback_fails",),
    ),
)
