"""Protections of what is due at a time."""

from tests.mutations.tree import Edit, Protection

_INTENT = "worker/ledger/intent.py"
_STARTS = "worker/ledger/starts.py"
_TESTS = "tests/integration/ledger"
_DISPATCH = "tests/integration/test_dispatch.py"
_ROWS = "tests/integration/test_due_rows.py"
_OVER = "tests/integration/test_over.py"
_FORGETS = Edit(
    "worker/sending/work.py", "            self.reservations.forget_plan()\n", "            pass\n"
)
_DECIDES = Edit(
    "worker/ledger/batches.py",
    "    if waits_for_decision(connection, batch_id, late_ms=late_ms):\n        return None\n",
    "",
)

TIMES = (
    Protection(
        "a hint that comes before its time is waited for",
        (Edit("worker/sending/early.py", "    if left_s > 0 and", "    if left_s > 60 and"),),
        (f"{_ROWS}::test_a_hint_that_comes_early_is_waited_for[sqlite]",),
    ),
    Protection(
        "nothing is marked that would leave after its time",
        (Edit(_INTENT, "MESSAGES.c.leave_by > now_ms() + within_ms", "MESSAGES.c.leave_by > now_ms()"),),
        (f"{_TESTS}/test_openings.py::test_what_is_just_about_to_be_over_is_neither_marked_nor_left_behind",),
    ),
    Protection(
        "a retry that is due after its opening is not made earlier",
        (
            Edit(
                "worker/ledger/openings.py",
                "max(now, row.due_at, row.leave_by)",
                "max(now, row.leave_by)",
            ),
        ),
        (f"{_TESTS}/test_openings.py::test_a_retry_that_is_due_after_its_opening_is_not_made_earlier",),
    ),
    Protection(
        "what nobody works on is given up when its time is over",
        (
            Edit(
                "worker/dispatch.py",
                "            overdue = self.tidy_overdue()\n",
                "            overdue = openings.Overdue()\n",
            ),
        ),
        (f"{_DISPATCH}::test_a_tick_gives_up_what_cannot_leave_in_time_of_an_account_that_is_closed",),
    ),
    Protection(
        "what cannot leave any more takes no departure from others",
        (
            Edit(
                "worker/sending/reserve.py",
                "        if elapsed_s() >= self._over_at_s:\n            self._drop_over()\n",
                "",
            ),
            _FORGETS,
        ),
        (
            f"{_OVER}::test_a_validity_that_ends_while_a_batch_is_worked_ends_its_messages_and_reserves_nothing",
            f"{_OVER}::test_a_window_that_closes_while_a_batch_is_worked_moves_its_messages_and_reserves_nothing",
        ),
    ),
    Protection(
        "what was closed behind a worker takes no departure from others",
        (_FORGETS,),
        (f"{_OVER}::test_what_is_closed_behind_a_worker_that_has_planned_it_reserves_nothing",),
    ),
    Protection(
        "what is over ends while the others of its batch leave",
        (
            Edit(
                "worker/sending/reserve.py",
                "            openings.tidy_held(connection, self.held)\n",
                "            _ = connection\n",
            ),
        ),
        (f"{_OVER}::test_those_whose_time_is_over_end_while_the_others_of_their_batch_leave",),
    ),
    Protection(
        "who has lost its batch gives up nothing of it",
        (
            Edit(
                "worker/ledger/openings.py",
                "*is_ours(held), campaign",
                "BATCHES.c.id == held.batch_id, campaign",
            ),
        ),
        (f"{_TESTS}/test_openings.py::test_who_has_lost_its_batch_decides_nothing",),
    ),
    Protection(
        "nothing of a missed start is leased or published",
        (Edit(_STARTS, ".where(*campaign, ~was_missed(late_ms))", ".where(*campaign)"), _DECIDES),
        (f"{_TESTS}/test_missed.py::test_nothing_of_a_missed_start_is_leased_or_published",),
    ),
    Protection(
        "what is due in time waits for the decision about what was missed",
        (_DECIDES,),
        (f"{_TESTS}/test_missed.py::test_what_is_due_in_time_waits_for_the_decision_about_what_is_not",),
    ),
)
