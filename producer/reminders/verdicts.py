"""What becomes of a reminder that a file asks for, from what the ledger has of it: pure."""

from __future__ import annotations

from collections.abc import Sequence

from producer.reminders.sheet import Verdict
from worker.ledger.reminded import Known
from worker.states import MAY_HAVE_LEFT, MessageState


def verdict_on(version: int, msisdn: str, known: Sequence[Known]) -> tuple[Verdict, int | None]:
    """Judge a reminder that is to be, by all messages that were ever made for it.

    Args:
        version: the appointment, epoch ms.
        msisdn: the number that it is to go to.
        known: of every version.

    Returns:
        the verdict, and the message that is to be moved, to go to another number or to give way, if one is.
    """
    standing = sorted((each for each in known if not each.is_withdrawn), key=lambda each: each.message_id)
    same = next((each for each in standing if each.version == version), None)
    if same is not None:
        return _verdict_on_same(same, msisdn)
    movable = [each.message_id for each in standing if each.can_move]
    if movable:
        return Verdict.MOVE, movable[-1]
    states = {each.state for each in standing}
    if standing and (standing[-1].state, standing[-1].msisdn) == (MessageState.SUPPRESSED, msisdn):
        return Verdict.SUPPRESSED, None
    if MessageState.QUEUED in states:
        return Verdict.AGAIN, None
    return (Verdict.AFTER if states & MAY_HAVE_LEFT else Verdict.NEW), None


def _verdict_on_same(known: Known, msisdn: str) -> tuple[Verdict, int | None]:
    """Judge a reminder that has its message: what matters is whether that goes where it should."""
    if known.state is MessageState.CANCELLED:
        return Verdict.CANCELLED, None
    is_readable = known.msisdn.startswith("+")  # of a number that was removed nobody knows
    if known.msisdn == msisdn or not is_readable:
        return Verdict.SAME, None
    if known.can_follow:
        return Verdict.CORRECTED, known.message_id
    if known.state is not MessageState.QUEUED:
        return Verdict.MISDIRECTED, None
    return Verdict.RENUMBER if known.can_move else Verdict.REWRITTEN, known.message_id
