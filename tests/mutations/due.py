"""Protections of what is due at a time."""

from tests.mutations.tree import Edit, Protection

_INTENT = "worker/ledger/intent.py"
_STARTS = "worker/ledger/starts.py"
_TESTS = "tests/integration/ledger"
_DISPATCH = "tests/integration/test_dispatch.py"
_ROWS = "tests/integration/test_due_rows.py"
_DECIDES = Edit(
    "worker/ledger/batches.py",
    "    if waits_for_decision(connection, batch_id, late_ms=late_ms):\n        return None\n",
    "",
)

TIMES = (
    Protection(
        "a hint that comes before its time is waited for",
        (Edit("worker/sending/early.py", "    if left_s > 0:\n", "    if left_s > 60:\n"),),
        (f"{_ROWS}::test_a_hint_that_comes_early_is_waited_for[sqlite]",),
    ),
    Protection(
        "nothing is marked that would leave after its time",
        (
            Edit(
                _INTENT, "MESSAGES.c.leave_by > now_ms() + LEAVES_WITHIN_MS", "MESSAGES.c.leave_by > now_ms()"
            ),
        ),
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
