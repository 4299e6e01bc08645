"""Windows: when messages may leave, by the clocks of those who receive them.

Open and quiet hours make a pattern on the wall clock's week; what is left of it becomes instants. Where a
change of the clocks touches a boundary, the narrower reading holds: a stretch opens at the second of two
instants and closes at the first, and a boundary that the clocks skip is the first instant after the gap.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, reduce
from operator import or_
from typing import Any, Final, NamedTuple

from worker.errors import ConfigError
from worker.timing.hours import (
    EVERY_DAY,
    WEEK_MIN,
    Hours,
    hours_of,
    minutes_of,
    parse_hours,
    parse_weekdays,
    runs_of,
    weekday_words,
)
from worker.timing.local import instant_of

__all__ = [
    "EVERY_DAY",
    "Hours",
    "Opening",
    "Windows",
    "parse_hours",
    "parse_weekdays",
    "weekday_words",
]

_DAY_MS: Final = 86_400_000
_EPOCH_WEEKDAY: Final = 3
_SEARCHED_MS: Final = 14 * _DAY_MS
_WEEKS: Final = 6  # laid out: one before, the one asked about, two searched, one for their end, one to spare
_ALL_WEEK: Final = (1 << WEEK_MIN) - 1
_EVER: Final = 1 << 62  # ms; past every instant, and its negative before
_MONDAY: Final = datetime(1969, 12, 29)  # noqa: DTZ001 - on the wall; the epoch is the Thursday after


class _Stretch(NamedTuple):
    opens_at: int
    closes_at: int


@dataclass(frozen=True, kw_only=True)
class Opening:
    """A stretch of time, inside in every zone.

    Attributes:
        opens_at: the first instant, in epoch ms, never before the one that was asked about.
        closes_at: the first instant that is outside again; None: it never closes.
    """

    opens_at: int
    closes_at: int | None


@dataclass(frozen=True, kw_only=True)
class Windows:
    """A moment is inside when it lies in open hours, if there are any, and in no quiet ones.

    The order in which hours are given does not matter.
    """

    open: tuple[Hours, ...] = ()
    quiet: tuple[Hours, ...] = ()

    def __post_init__(self) -> None:
        """Put the hours in order, so that the same windows are equal and written alike."""
        object.__setattr__(self, "open", _in_order(self.open))
        object.__setattr__(self, "quiet", _in_order(self.quiet))

    @property
    def is_always(self) -> bool:
        """Whether every moment is inside."""
        return _minutes(self) == _ALL_WEEK

    @property
    def is_never(self) -> bool:
        """Whether no moment is inside, whatever the zone."""
        return _minutes(self) == 0

    def to_json(self) -> str:
        """Write it as a JSON object; the same windows are the same text."""
        return json.dumps({"open": _written(self.open), "quiet": _written(self.quiet)}, sort_keys=True)

    @classmethod
    def from_json(cls, written: str) -> Windows:
        """Read what ``to_json`` wrote.

        Raises:
            ConfigError: it is something else.
        """
        try:
            found = json.loads(written)
            return cls(open=_read(found["open"]), quiet=_read(found["quiet"]))
        except (ValueError, TypeError, KeyError, ConfigError):
            raise ConfigError(
                "these windows cannot be read: they were written by another release, or changed by hand"
            ) from None

    def combined(self, other: Windows) -> Windows:
        """Return the windows in which what is inside of both is inside."""
        if not (self.open and other.open):
            return Windows(open=self.open + other.open, quiet=self.quiet + other.quiet)
        both = _bits(self.open) & _bits(other.open)
        shut = () if both else hours_of(_ALL_WEEK)
        return Windows(open=hours_of(both), quiet=self.quiet + other.quiet + shut)

    def opening(self, at_ms: int, zones: Sequence[str]) -> Opening | None:
        """Return the first moment from an instant on that is inside in every zone, and when that ends.

        Where nobody knows a zone (there is none), only windows without any hours have an opening.

        Args:
            at_ms: epoch ms.
            zones: IANA names of those in which the recipient may be.

        Returns:
            None when there is none within 14 days.

        Raises:
            ConfigError: nobody knows a zone.
        """
        if not (self.open or self.quiet):
            return Opening(opens_at=at_ms, closes_at=None)
        stretches, ends = _stretches(self, tuple(zones), (at_ms // _DAY_MS + _EPOCH_WEEKDAY) // 7)
        place = bisect_right(ends, at_ms)
        if place == len(ends) or stretches[place].opens_at > at_ms + _SEARCHED_MS:
            return None
        opens_at, closes_at = stretches[place]
        return Opening(opens_at=max(opens_at, at_ms), closes_at=None if closes_at == _EVER else closes_at)


def _minutes(windows: Windows) -> int:
    """Return the minutes of the week that are inside, as bits."""
    return (_bits(windows.open) if windows.open else _ALL_WEEK) & ~_bits(windows.quiet)


def _bits(hours: Iterable[Hours]) -> int:
    return reduce(or_, map(minutes_of, hours), 0)


def _in_order(hours: Iterable[Hours]) -> tuple[Hours, ...]:
    return tuple(sorted(set(hours), key=lambda one: (one.opens, one.closes, sorted(one.weekdays))))


def _written(hours: Iterable[Hours]) -> list[dict[str, str]]:
    return [{"hours": one.written, "weekdays": weekday_words(one.weekdays)} for one in hours]


def _read(written: Iterable[dict[str, Any]]) -> tuple[Hours, ...]:
    return tuple(parse_hours(one["hours"], weekdays=parse_weekdays(one["weekdays"])) for one in written)


@lru_cache(maxsize=16_384)
def _stretches(windows: Windows, zones: tuple[str, ...], week: int) -> tuple[list[_Stretch], list[int]]:
    """Return what is inside in every zone from a week of UTC on, in order, and the ends of it."""
    found = [_Stretch(-_EVER, _EVER)] if zones else []
    for zone in zones:
        found = _both(found, _instants(windows, zone, week))
    first_ms = (7 * week - _EPOCH_WEEKDAY) * _DAY_MS
    last_ms = first_ms + 7 * _DAY_MS + _SEARCHED_MS
    found = [one for one in found if one.closes_at > first_ms and one.opens_at <= last_ms]
    return found, [stretch.closes_at for stretch in found]


@lru_cache(maxsize=4096)
def _instants(windows: Windows, zone: str, week: int) -> list[_Stretch]:
    """Return what is inside in one zone around a week of UTC, in order."""
    found: list[_Stretch] = []
    for start, end in _walls(windows, week):
        opens_at = -_EVER if start is None else instant_of(start, zone, prefers_second=True)[0]
        closes_at = _EVER if end is None else instant_of(end, zone)[0]
        if found and found[-1].closes_at == opens_at:  # the clocks skip what lay between
            opens_at = found.pop().opens_at
        if opens_at < closes_at:  # they can leave nothing of it
            found.append(_Stretch(opens_at, closes_at))
    return found


@lru_cache(maxsize=1024)
def _walls(windows: Windows, week: int) -> list[tuple[datetime | None, datetime | None]]:
    """Return what the wall clock shows inside, from the Monday before a week on; None: without an end.

    Every week is the same, so that what lasts over all of them lasts for ever.
    """
    monday, minutes = _MONDAY + timedelta(weeks=week - 1), _minutes(windows)
    laid_out = reduce(or_, (minutes << (n * WEEK_MIN) for n in range(_WEEKS)))
    return [
        (
            monday + timedelta(minutes=start) if start else None,
            monday + timedelta(minutes=end) if end < _WEEKS * WEEK_MIN else None,
        )
        for start, end in runs_of(laid_out)
    ]


def _both(ones: Sequence[_Stretch], others: Sequence[_Stretch]) -> list[_Stretch]:
    """Return what lies in a stretch of either list; both are in order, and so is what they share."""
    shared, left, right = [], 0, 0
    while left < len(ones) and right < len(others):
        one, other = ones[left], others[right]
        opens_at, closes_at = max(one.opens_at, other.opens_at), min(one.closes_at, other.closes_at)
        if opens_at < closes_at:
            shared.append(_Stretch(opens_at, closes_at))
        if one.closes_at <= other.closes_at:
            left += 1
        else:
            right += 1
    return shared
