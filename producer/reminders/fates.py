"""What becomes of the reminders of a series that may leave yet, from what its newest file says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from producer.reminders.moments import Skip
from producer.reminders.sheet import Planned, Sheet, Verdict
from worker.ledger import reminded
from worker.ledger.engine import reading
from worker.ledger.reminded import MOVED, REMOVED, Open

_NOTHING_NEW = frozenset({*Skip, Verdict.SAME, Verdict.CANCELLED, Verdict.MISDIRECTED, Verdict.SUPPRESSED})
_SILENT = frozenset({*Skip, Verdict.SUPPRESSED})
_MOVES = frozenset({Verdict.MOVE, Verdict.RENUMBER})


@dataclass(frozen=True)
class Fate:
    """What is to become of a reminder that may leave yet.

    Attributes:
        reminder: as it is.
        planned: what the file says of it; None: it does not ask for it.
        is_unclear: its appointment is in a row of the file that cannot be used.
        keeps_removed: what the file does not ask for stays.
    """

    reminder: Open
    planned: Planned | None
    is_unclear: bool
    keeps_removed: bool

    @property
    def moves(self) -> Planned | None:
        """What it is to be, where that is of another time, or to another number."""
        planned = self.planned
        is_ours = planned is not None and planned.moves == self.reminder.message_id
        return planned if planned and is_ours and planned.verdict in _MOVES else None

    @property
    def gives_way(self) -> bool:
        """Whether a new message is to go to another number in its place: it is queued, or came to nothing."""
        planned = self.planned
        if planned is None or planned.moves != self.reminder.message_id:
            return False
        is_queued = self.reminder.is_queued
        return planned.verdict == Verdict.CORRECTED or (planned.verdict == Verdict.REWRITTEN and is_queued)

    @property
    def code(self) -> str | None:
        """Why it is to be cancelled, now or when it comes back; None: it stays, or moves."""
        if self.planned is None:
            return None if self.is_unclear or self.keeps_removed else REMOVED
        is_same = self.planned.version == self.reminder.version
        return None if (is_same and not self._is_astray) or self.moves else MOVED

    @property
    def _is_astray(self) -> bool:
        """Whether it is for a number that its row names no more, and is not to go there, or not again.

        It is on some way, or what the row asks for wants none or is over.
        """
        planned, reminder = self.planned, self.reminder
        if planned is None or planned.msisdn == reminder.msisdn:
            return False
        return planned.verdict in _SILENT or (
            planned.verdict == Verdict.MISDIRECTED and not reminder.is_queued
        )

    @property
    def restores(self) -> bool:
        """Whether it was called back, and is wanted again where it is."""
        is_called_back = self.planned is not None and self.reminder.withdrawn is not None
        return is_called_back and self.code is None and not self.gives_way

    @property
    def changes(self) -> bool:
        """Whether it does not stay as it is."""
        is_called_back = not self.reminder.is_queued and self.reminder.withdrawn == self.code
        return bool(self.restores or self.moves or self.gives_way or (self.code and not is_called_back))

    @property
    def is_gone(self) -> bool:
        """Whether it is cancelled now, and nothing comes in its place."""
        is_cancelled = self.code is not None and self.reminder.is_queued
        return is_cancelled and (self.planned is None or self.planned.verdict in _NOTHING_NEW)


def fates_of(engine: Engine, sheet: Sheet, batch_ids: Sequence[int], *, keeps_removed: bool) -> list[Fate]:
    """Look at what may leave yet of some batches, and at what a file says of it."""
    with reading(engine) as connection:
        found = reminded.open_reminders(connection, batch_ids)
    planned = sheet.at([each.slot for each in found])
    unclear = sheet.unclear({each.slot.key for each in found})
    return [Fate(each, planned.get(each.slot), each.slot.key in unclear, keeps_removed) for each in found]
