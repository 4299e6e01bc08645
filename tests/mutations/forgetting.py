"""Protections around what is removed, and what a copy of the ledger cannot know."""

from tests.mutations.tree import Edit, Protection

_ERASING = "worker/ledger/erasing.py"
_PRUNING = "worker/ledger/pruning.py"
_TESTS = "tests/integration/ledger"

REMOVALS = (
    Protection(
        "a late word does not queue what has no number any more",
        (Edit("worker/ledger/outcomes.py", " or bool(row.is_gone)", ""),),
        (
            f"{_TESTS}/test_erasing.py::test_a_late_word_does_not_queue_what_was_erased",
            f"{_TESTS}/test_pruning.py::test_a_late_word_about_what_was_pruned_does_not_queue_it",
        ),
    ),
    Protection(
        "what has no number any more is not retried",
        (Edit("worker/ledger/retrying.py", "and_(~is_gone(), ", "and_("),),
        (f"{_TESTS}/test_erasing.py::test_what_was_erased_is_not_retried",),
    ),
    Protection(
        "nothing is erased while a file with the number is imported",
        (Edit(_ERASING, "    _require_imported(rows)\n", ""),),
        (f"{_TESTS}/test_erasing.py::test_nothing_is_done_while_the_number_is_being_imported",),
    ),
    Protection(
        "pruning waits for who queues a message, and looks after that",
        (
            Edit(
                _PRUNING,
                "    connection.execute(select(CAMPAIGNS.c.id).where(ours).with_for_update()).all()\n",
                "",
            ),
        ),
        (f"{_TESTS}/test_pruning.py::test_a_retry_under_way_is_waited_for",),
    ),
    Protection(
        "what was under way is paused in a backup",
        (
            Edit(
                "worker/ledger/backing_up.py",
                "    _pause(copy, taken=taken",
                "    0 and _pause(copy, taken=taken",
            ),
        ),
        (f"{_TESTS}/test_backing_up.py::test_what_was_under_way_is_paused_in_the_copy_alone",),
    ),
)
