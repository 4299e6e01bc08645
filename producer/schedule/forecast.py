"""What is to be expected: when messages leave at their provider's rate, and what waits for an opening."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from producer.schedule.pace import Pace
from producer.schedule.timetable import Group
from worker.settings import Rate
from worker.timing.local import local_of
from worker.timing.windows import Windows

_FARTHEST_MS = 10 * 366 * 86_400_000
"""Nobody wants to know more exactly of what takes longer."""


@dataclass(kw_only=True)
class Stretch:
    """What is expected to leave in one opening, or on one day where there are no windows.

    Attributes:
        first_at: when the first leaves, epoch ms.
        last_at: when the last does.
        closes_at: when the opening ends; None: there is no window.
    """

    first_at: int
    last_at: int
    closes_at: int | None
    messages: int = 0


@dataclass(kw_only=True)
class Forecast:
    """What is to be expected of messages that fall due in their order.

    Attributes:
        overflow: messages that the rate does not let leave in the opening in which they are due.
        expiring: messages that will not have left when they expire.
        is_beyond: it takes longer than anybody looks ahead.
    """

    stretches: dict[object, Stretch] = field(default_factory=dict)
    overflow: int = 0
    expiring: int = 0
    is_beyond: bool = False

    @property
    def openings(self) -> list[Stretch]:
        """The stretches in their order."""
        return sorted(self.stretches.values(), key=lambda stretch: (stretch.first_at, stretch.last_at))

    @property
    def ends_at(self) -> int | None:
        """When the last leaves; None where nothing does, or nobody looks so far ahead."""
        ends = (stretch.last_at for stretch in self.stretches.values())
        return None if self.is_beyond else max(ends, default=None)


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    """Messages that wait for their moment."""

    at_ms: int
    group: Group
    is_late: bool = False


def forecast(groups: Iterable[Group], *, rates: Sequence[Rate], windows: Windows, shown_in: str) -> Forecast:
    """Let groups leave one after the other.

    Args:
        groups: in the order in which they fall due.
        rates: of the provider; none is no limit.
        windows: in which they may leave.
        shown_in: the zone whose days are told apart where there are no windows.
    """
    return _Forecaster(rates=rates, windows=windows, shown_in=shown_in).run(groups)


class _Forecaster:
    def __init__(self, *, rates: Sequence[Rate], windows: Windows, shown_in: str) -> None:
        self._pace = Pace(rates)
        self._windows = windows
        self._has_windows = not windows.is_always
        self._shown_in = shown_in
        self._found = Forecast()
        self._moved: list[tuple[int, int, _Waiting]] = []
        self._numbers = itertools.count()

    def run(self, groups: Iterable[Group]) -> Forecast:
        for group in groups:
            while self._moved and self._moved[0][0] <= group.due_at:
                self._leave(heapq.heappop(self._moved)[2])
            self._leave(_Waiting(at_ms=group.due_at, group=group))
        while self._moved and not self._found.is_beyond:
            self._leave(heapq.heappop(self._moved)[2])
        return self._found

    def _leave(self, waiting: _Waiting) -> None:
        group = waiting.group
        weight = group.units / group.n if group.n else 1.0
        taken, last_at = self._pace.take(waiting.at_ms, group.n, weight=weight, until_ms=group.leave_by)
        if taken:
            self._note(waiting, taken, last_at=last_at)
        if last_at - waiting.at_ms > _FARTHEST_MS:
            self._found.is_beyond = True
        if rest := group.n - taken:
            if not waiting.is_late:
                self._found.overflow += rest
            left = group._replace(n=rest, units=rest * weight)
            self._move(replace(waiting, group=left, is_late=True))

    def _move(self, waiting: _Waiting) -> None:
        """Put what has not left into the next opening, if it does not expire before."""
        group = waiting.group
        zones = _zones(group)
        found = None
        if group.leave_by is not None and self._has_windows:
            found = self._windows.opening(group.leave_by, zones)
        if found is None or (group.expires_at is not None and found.opens_at >= group.expires_at):
            self._found.expiring += group.n
            self._found.overflow -= group.n
            return
        if found.opens_at - group.due_at > _FARTHEST_MS:
            self._found.is_beyond = True
            return
        ends = [end for end in (found.closes_at, group.expires_at) if end is not None]
        later = group._replace(leave_by=min(ends, default=None))
        item = replace(waiting, at_ms=found.opens_at, group=later)
        heapq.heappush(self._moved, (found.opens_at, next(self._numbers), item))

    def _note(self, waiting: _Waiting, n: int, *, last_at: int) -> None:
        """Count what leaves, from the moment of its group on."""
        closes_at = None
        if self._has_windows:
            opening = self._windows.opening(waiting.at_ms, _zones(waiting.group))
            closes_at = None if opening is None else opening.closes_at
        key = (closes_at,) if closes_at is not None else local_of(waiting.at_ms, self._shown_in).date()
        stretch = self._found.stretches.setdefault(
            key, Stretch(first_at=waiting.at_ms, last_at=last_at, closes_at=closes_at)
        )
        stretch.first_at = min(stretch.first_at, waiting.at_ms)
        stretch.last_at = max(stretch.last_at, last_at)
        stretch.messages += n


def _zones(group: Group) -> tuple[str, ...]:
    return tuple(group.zones.split(",")) if group.zones else ()
