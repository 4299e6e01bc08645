"""What becomes of the reminders of a series that are queued, from what its newest file says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from producer.reminders.moments import Skip
from producer.reminders.sheet import Planned, Sheet, Verdict
from worker.ledger import reminded
from worker.ledger.engine import reading
from worker.ledger.reminded import MOVED, REMOVED, Open

_NOTHING_NEW = frozenset({*Skip, Verdict.SAME, Verdict.SUPPRESSED})


@dataclass(frozen=True)
class Fate:
    """What is to become of a queued reminder.

    Attributes:
        reminder: as it is queued.
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
        """What it is to tell of, where that is another time."""
        planned = self.planned
        wanted = (Verdict.MOVE, self.reminder.message_id)
        return planned if planned and (planned.verdict, planned.moves) == wanted else None

    @property
    def code(self) -> str | None:
        """Why it is to be cancelled; None: it stays, or moves."""
        if self.planned is None:
            return None if self.is_unclear or self.keeps_removed else REMOVED
        is_same = self.planned.version == self.reminder.version
        return None if is_same or self.moves else MOVED

    @property
    def changes(self) -> bool:
        """Whether it does not stay as it is."""
        return bool(self.code or self.moves)

    @property
    def is_gone(self) -> bool:
        """Whether it is cancelled, and nothing comes in its place."""
        return self.code is not None and (self.planned is None or self.planned.verdict in _NOTHING_NEW)


def fates_of(engine: Engine, sheet: Sheet, batch_ids: Sequence[int], *, keeps_removed: bool) -> list[Fate]:
    """Look at what is queued in some batches, and at what a file says of it."""
    with reading(engine) as connection:
        found = reminded.open_reminders(connection, batch_ids)
    planned = sheet.at([each.slot for each in found])
    unclear = sheet.unclear({each.slot.key for each in found})
    return [Fate(each, planned.get(each.slot), each.slot.key in unclear, keeps_removed) for each in found]
