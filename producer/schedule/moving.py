"""New times for messages that wait: to another start, or later by a length of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from producer.schedule.times import Times, times_of
from producer.schedule.timing import ALWAYS, RECIPIENT, when_kept, when_read
from worker.ledger.half_moved import Begun
from worker.ledger.rebatching import NewTimes, Placed
from worker.timing.local import start_of
from worker.timing.windows import Windows
from worker.timing.words import Instant, When
from worker.timing.zones import zones_of


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where messages are to go.

    Attributes:
        now_ms: when it was ordered: nothing is due before.
        when: the new start, None where they go later by ``by_ms``.
        zone: in which a wall time holds: a name of IANA, or ``recipient``.
        by_ms: how much later.
    """

    now_ms: int
    when: When | None = None
    zone: str | None = None
    by_ms: int = 0

    @property
    def kept(self) -> dict[str, Any]:
        """Itself as JSON takes it."""
        return {"now": self.now_ms, "when": when_kept(self.when), "zone": self.zone, "by_ms": self.by_ms}

    @classmethod
    def of_kept(cls, kept: Mapping[str, Any]) -> Self:
        """Make it again of what ``kept`` gave."""
        when = when_read(kept["when"])
        return cls(now_ms=kept["now"], when=when, zone=kept["zone"], by_ms=kept["by_ms"])


class Mover:
    """Gives each message of a campaign its new times.

    Attributes:
        n_kept: messages that keep theirs, since nobody knows their zone, or no window opens for them.
        n_shut: messages that a window has moved to when it opens.
        opens_at: when the first of these may leave, epoch ms; None: there are none.
    """

    def __init__(self, target: Target, begun: Begun) -> None:
        self._target = target
        self._n = begun.n
        self._windows = Windows.from_json(begun.windows) if begun.windows else ALWAYS
        self._zone = begun.zone
        timing = begun.reading.get("timing") or {}
        self._validity_ms: int | None = timing.get("validity_ms")
        self._over_ms: int = timing.get("over_ms") or 0
        self.n_kept = self.n_shut = 0
        self.opens_at: int | None = None

    def times(self, message: Placed) -> NewTimes:
        """Return when a message may leave from now on."""
        zones = tuple(message.zones.split(",")) if message.zones else self._zones(message)
        start_ms = self._start(message, zones)
        found = None if start_ms is None else self._found(start_ms, zones, place=message.place)
        if found is None:
            self.n_kept += 1
            kept = {name: getattr(message, name) for name in ("due_at", "leave_by", "expires_at", "zones")}
            return NewTimes(**kept)
        if found.is_moved:
            self.n_shut += 1
            self.opens_at = min(found.due_at, self.opens_at or found.due_at)
        return NewTimes(
            due_at=found.due_at, leave_by=found.leave_by, expires_at=found.expires_at, zones=message.zones
        )

    def _found(self, start_ms: int, zones: tuple[str, ...], *, place: int) -> Times | None:
        spread_ms = 0 if self._target.when is None else self._over_ms
        return times_of(
            start_ms,
            zones=zones,
            windows=self._windows,
            now_ms=self._target.now_ms,
            validity_ms=self._validity_ms,
            turn_ms=place * spread_ms // self._n,
        )

    def _zones(self, message: Placed) -> tuple[str, ...]:
        if self._target.zone == RECIPIENT:
            return zones_of(message.msisdn)
        named = self._zone if self._zone != RECIPIENT else None
        return (named,) if named and self._windows is not ALWAYS else ()

    def _start(self, message: Placed, zones: tuple[str, ...]) -> int | None:
        target = self._target
        if target.when is None:
            return message.due_at + target.by_ms
        if isinstance(target.when, Instant):
            return target.when.epoch_ms
        clocks = zones if target.zone == RECIPIENT else (target.zone or "UTC",)
        return start_of(target.when.local, clocks)[0] if clocks else None
