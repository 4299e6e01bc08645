"""Windows: what is read from the times at which something left or came; pure. Times in microseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.throttle_model import most_units
from worker.throttle.limits import SECOND_US

Moved = list[tuple[int, int]]
"""When, and how many units."""


@dataclass(frozen=True, kw_only=True)
class Flow:
    """How some units moved.

    Attributes:
        units: all of them.
        most: in any half-open second.
        most_60s: in any half-open minute; None where it did not last so long.
        used: share of the allowance, from a second after the first to the last; 0 where that is nothing.
        used_in_all: the same without leaving anything out.
        one: share that the largest request is of that allowance; the ends of the span cut so much off.
    """

    units: int
    most: int
    most_60s: int | None
    used: float
    used_in_all: float
    one: float

    @classmethod
    def of(cls, moved: Moved, *, per_second: int, without: Sequence[tuple[int, int]] = ()) -> Flow:
        """Judge what moved by a limit per second; ``without`` is left out of ``used``."""
        times = [at for at, _ in moved]
        is_long = bool(times) and max(times) - min(times) >= 60 * SECOND_US
        return cls(
            units=sum(units for _, units in moved),
            most=most_units(moved, window_s=1),
            most_60s=most_units(moved, window_s=60) if is_long else None,
            used=used(moved, per_second=per_second, without=without),
            used_in_all=used(moved, per_second=per_second),
            one=_one(moved, per_second=per_second),
        )

    def uses(self, share: float) -> bool:
        """Say whether at least this share of the allowance was used, one request more or less."""
        return self.used > 0 and self.used + self.one >= share


def used(moved: Moved, *, per_second: int, without: Sequence[tuple[int, int]] = ()) -> float:
    """Return the share of the allowance that was used between the end of the first second and the last.

    Args:
        moved: not necessarily in order.
        per_second: the allowance.
        without: half-open spans, disjoint, that count neither as allowed nor as used.
    """
    if not moved:
        return 0.0
    begin, end = min(moved)[0] + SECOND_US, max(moved)[0]
    spans = [(max(begin, left), min(end, right)) for left, right in without]
    length = end - begin - sum(max(0, right - left) for left, right in spans)
    if length <= 0:
        return 0.0
    counted = sum(
        units
        for at, units in moved
        if begin <= at < end and not any(left <= at < right for left, right in spans)
    )
    return counted * SECOND_US / (per_second * length)


def _one(moved: Moved, *, per_second: int) -> float:
    length = max(moved)[0] - min(moved)[0] - SECOND_US if moved else 0
    return max(units for _, units in moved) * SECOND_US / (per_second * length) if length > 0 else 0.0
