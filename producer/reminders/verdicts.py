"""What becomes of a reminder that a file asks for, from what the ledger has of it: pure."""

from __future__ import annotations

from collections.abc import Sequence

from producer.reminders.sheet import Verdict
from worker.ledger.reminded import Known
from worker.states import PROVEN, MessageState

_HAS_LEFT = PROVEN | {MessageState.SUBMITTING, MessageState.UNKNOWN}


def verdict_on(version: int, known: Sequence[Known]) -> tuple[Verdict, int | None]:
    """Judge a reminder that is to be, by all messages that were ever made for it.

    Args:
        version: the appointment, epoch ms.
        known: of every version.

    Returns:
        the verdict, and the message that is to be moved, if one is.
    """
    standing = sorted((each for each in known if not each.is_withdrawn), key=lambda each: each.message_id)
    if any(each.version == version for each in standing):
        return Verdict.SAME, None
    movable = [each.message_id for each in standing if each.can_move]
    if movable:
        return Verdict.MOVE, movable[-1]
    states = {each.state for each in standing}
    if standing and standing[-1].state is MessageState.SUPPRESSED:
        return Verdict.SUPPRESSED, None
    if MessageState.QUEUED in states:
        return Verdict.AGAIN, None
    return (Verdict.AFTER if states & _HAS_LEFT else Verdict.NEW), None
