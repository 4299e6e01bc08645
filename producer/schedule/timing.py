"""What an order says of time, resolved as far as that can be done before its rows are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from producer.recipients import Form, Row
from producer.recipients.reader import AS_FOUND
from producer.schedule.column import TimeColumn, open_time_column
from worker.errors import ConfigError, InputError
from worker.settings.hours import RECIPIENT
from worker.states import Late
from worker.timing.local import Oddity, instant_of, start_of
from worker.timing.windows import Windows
from worker.timing.words import Instant, Wall, When
from worker.timing.zones import zones_of

__all__ = [
    "ALWAYS",
    "ASK_ZONE",
    "FARTHEST_MS",
    "RECIPIENT",
    "Start",
    "Timing",
    "require_zones",
    "when_kept",
    "when_read",
]

ASK_ZONE = "say in which time zone, with --zone Europe/Copenhagen, or --zone recipient for each one's own"

ALWAYS = Windows()

FARTHEST_MS = 2 * 366 * 86_400_000
"""Nobody keeps a message for years."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """When a row is wanted: before windows, and before its turn.

    Attributes:
        at_ms: epoch ms.
        zones: of its recipient, as far as they matter; empty where they do not.
        oddity: what a change of the clocks did to it.
    """

    at_ms: int
    zones: tuple[str, ...] = ()
    oddity: tuple[Wall, str, Oddity] | None = None


@dataclass(frozen=True, kw_only=True)
class Timing:
    """When an order is to leave.

    Attributes:
        now_ms: when it was given, epoch ms: what is over then is over.
        when: the start; None: at once, or as a column says.
        is_dated: the start is a date rather than counted from now: the same for another date is no repeat.
        column: of times, one for each row.
        zone: in which wall times hold: a name of IANA, or ``recipient``; None: nobody needs one.
        windows: in which messages may leave, where they arrive.
        quiet: further quiet hours, of a fallback that may take over.
        validity_ms: how long a message is worth sending.
        over_ms: the time over which they are spread.
        late: what happens when the start was missed.
        shown_in: the zone in which times are shown.
    """

    now_ms: int
    when: When | None = None
    is_dated: bool = False
    column: TimeColumn | None = None
    zone: str | None = None
    windows: Windows = ALWAYS
    quiet: Windows = ALWAYS
    validity_ms: int | None = None
    over_ms: int | None = None
    late: Late = Late.HOLD
    shown_in: str = "UTC"

    @property
    def is_timed(self) -> bool:
        """Whether a start is given: at once is none."""
        return self.when is not None or self.column is not None

    @property
    def is_plain(self) -> bool:
        """Whether nothing is said of time: every message is due when it is written into the ledger."""
        is_any_time = not self.has_windows and self.validity_ms is None and self.over_ms is None
        return is_any_time and not self.is_timed

    @cached_property
    def widest(self) -> Windows:
        """The windows together with the quiet hours of the fallback."""
        return self.windows.combined(self.quiet)

    @cached_property
    def has_windows(self) -> bool:
        """Whether there are moments at which nothing may leave."""
        return not self.widest.is_always

    def start(self, row: Row) -> Start:
        """Return when a row is wanted.

        Raises:
            InputError: ``time_missing``, ``time_unreadable`` or ``time_past``; ``zone_unknown``.
        """
        when = self.column.when(row.values) if self.column else self.when
        needs = self.has_windows or (isinstance(when, Wall) and self.zone == RECIPIENT)
        zones = require_zones(row) if needs else ()
        start = self._resolved(when, zones)
        if self.is_timed:
            self._require_ahead(start.at_ms)
        return start

    def _resolved(self, when: When | None, zones: tuple[str, ...]) -> Start:
        if when is None:
            return Start(at_ms=self.now_ms, zones=zones)
        if isinstance(when, Instant):
            return Start(at_ms=when.epoch_ms, zones=zones)
        if self.zone is None:
            raise ConfigError(f"A time of the column has no offset: {ASK_ZONE}")
        clocks = self.clocks(zones)
        at_ms, oddity = start_of(when.local, clocks)
        odd = None
        if oddity is not None:  # the last zone in which it comes is the one that is odd
            odd = (when, next(each for each in clocks if instant_of(when.local, each)[0] == at_ms), oddity)
        return Start(at_ms=at_ms, zones=zones, oddity=odd)

    def clocks(self, zones: tuple[str, ...]) -> tuple[str, ...]:
        """Return the zones in all of which a wall time must have come, of those of a recipient."""
        return zones if self.zone in {None, RECIPIENT} else (str(self.zone),)

    def _require_ahead(self, at_ms: int) -> None:
        column = self.column.header if self.column else None
        if at_ms < self.now_ms:
            raise InputError("its time is over", code="time_past", column=column)
        if at_ms > self.now_ms + FARTHEST_MS:
            raise InputError("its time is years ahead", code="time_too_far", column=column)

    @property
    def content(self) -> list[object]:
        """What of it makes an order another one; the times of a column count row by row."""
        if not self.is_dated:
            return []
        return [when_kept(self.when), self.zone if isinstance(self.when, Wall) else None, self.over_ms or 0]

    @property
    def kept(self) -> dict[str, Any]:
        """All that decides about the times of rows, as JSON takes it, so that they are found again."""
        return {
            "now": self.now_ms,
            "when": when_kept(self.when),
            "is_dated": self.is_dated,
            "column": self.column.header if self.column else None,
            "written_as": self.column.written_as if self.column else None,
            "zone": self.zone,
            "shown_in": self.shown_in,
            "windows": self.windows.to_json(),
            "quiet": self.quiet.to_json(),
            "validity_ms": self.validity_ms,
            "over_ms": self.over_ms,
        }

    @classmethod
    def of_kept(cls, kept: Mapping[str, Any], *, path: Path, late: Late, form: Form = AS_FOUND) -> Self:
        """Make it again of what ``kept`` gave, for the same file.

        Raises:
            InputError: the column of times cannot be read in one way (any more).
        """
        column = kept["column"]
        return cls(
            now_ms=int(kept["now"]),
            when=when_read(kept["when"]),
            is_dated=bool(kept["is_dated"]),
            column=column and open_time_column(path, column, written_as=kept["written_as"], form=form),
            zone=kept["zone"],
            shown_in=str(kept["shown_in"]),
            windows=Windows.from_json(kept["windows"]),
            quiet=Windows.from_json(kept["quiet"]),
            validity_ms=kept["validity_ms"],
            over_ms=kept["over_ms"],
            late=late,
        )


def require_zones(row: Row) -> tuple[str, ...]:
    """Return the zones in which a recipient may be; raises InputError where nobody knows."""
    zones = zones_of(row.msisdn)
    if not zones:
        raise InputError("nobody knows in which time zone the recipient is", code="zone_unknown")
    return zones


def when_kept(when: When | None) -> int | str | None:
    """Give a moment as JSON takes it."""
    if isinstance(when, Wall):
        return when.local.isoformat()
    return None if when is None else when.epoch_ms


def when_read(kept: int | str | None) -> When | None:
    """Read what ``when_kept`` gave."""
    if isinstance(kept, str):
        return Wall(datetime.fromisoformat(kept))
    return None if kept is None else Instant(kept)
