"""Hours of the day on days of the week, as people write them, and as the minutes of a week."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time
from typing import Final

from worker.errors import ConfigError

EVERY_DAY: Final = frozenset(range(7))  # Monday is 0
DAY_MIN: Final = 24 * 60
WEEK_MIN: Final = 7 * DAY_MIN
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_NAMES: Final = tuple(name[:3] for name in WEEKDAYS)
_GROUPS: Final = {"weekdays": frozenset(range(5)), "weekend": frozenset((5, 6)), "every day": EVERY_DAY}
_HOURS: Final = re.compile(r"(\d{1,2}):(\d\d)\s*[-\N{EN DASH}]\s*(\d{1,2}):(\d\d)", re.ASCII)
_LAST_MINUTE: Final = 59
_RANGE: Final = 3  # so many days in a row are written as a range


@dataclass(frozen=True, kw_only=True)
class Hours:
    """From a time of the day to another, in whole minutes, on the weekdays of its opening.

    Where ``closes`` is not after ``opens``, it is on the day after; 24:00 is the 0:00 of that day.

    Raises:
        ValueError: a time has seconds or a zone, or the weekdays are none or unknown.
    """

    opens: time
    closes: time
    weekdays: frozenset[int] = EVERY_DAY

    def __post_init__(self) -> None:
        """Refuse what cannot be written down."""
        is_whole = all(not (at.second or at.microsecond or at.tzinfo) for at in (self.opens, self.closes))
        if not is_whole or not self.weekdays or not self.weekdays <= EVERY_DAY:
            msg = "hours are whole minutes of a wall clock, on at least one day from 0 to 6"
            raise ValueError(msg)

    @property
    def written(self) -> str:
        """Such as ``09:00-20:00``, as it is read."""
        return f"{self.opens:%H:%M}-{self.closes:%H:%M}".replace("-00:00", "-24:00")

    def __str__(self) -> str:
        """Write it for people: ``09:00-20:00 mon-fri``."""
        days = "" if self.weekdays == EVERY_DAY else f" {weekday_words(self.weekdays)}"
        return self.written + days


def parse_hours(written: str, *, weekdays: frozenset[int] = EVERY_DAY) -> Hours:
    """Read ``09:00-20:00``, ``22:00-06:00`` (into the next day) or ``00:00-24:00``.

    Raises:
        ConfigError: it is something else, or as long as nothing.
    """
    match = _HOURS.fullmatch(written.strip())
    minutes = [int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])] if match else [0, 0]
    if match is None or max(int(match[2]), int(match[4])) > _LAST_MINUTE:
        raise ConfigError(f"{written!r} are no hours: write them like 09:00-20:00")
    if minutes[0] >= DAY_MIN or minutes[1] > DAY_MIN:
        raise ConfigError(f"{written!r} are no hours: a day has 24 of them; write them like 09:00-20:00")
    if minutes[0] == minutes[1]:
        raise ConfigError(f"{written!r} opens when it closes: write 00:00-24:00 for the whole day")
    opens, closes = (time(minute // 60 % 24, minute % 60) for minute in minutes)
    return Hours(opens=opens, closes=closes, weekdays=weekdays)


def parse_weekdays(written: str) -> frozenset[int]:
    """Read ``mon-fri``, ``mon,wed,sat``, ``fri-mon``, ``weekdays``, ``weekend``, ``every day``; Monday is 0.

    Raises:
        ConfigError: it is something else.
    """
    days: set[int] = set()
    for part in written.lower().split(","):
        days |= _days_of(" ".join(part.split()), written)
    return frozenset(days)


def weekday_words(weekdays: frozenset[int]) -> str:
    """Write weekdays as they are read: ``mon-fri``, ``mon,wed,sat``, ``every day``."""
    if weekdays == EVERY_DAY:
        return "every day"
    runs = re.finditer("1+", "".join("01"[day in weekdays] for day in range(7)))
    return ",".join(_run_words(run.start(), run.end() - 1) for run in runs)


def minutes_of(hours: Hours) -> int:
    """Return the minutes of the week that lie in some hours as bits; the first of Monday is the lowest."""
    opens = hours.opens.hour * 60 + hours.opens.minute
    length = (hours.closes.hour * 60 + hours.closes.minute - opens) % DAY_MIN or DAY_MIN
    bits = 0
    for day in hours.weekdays:
        bits |= ((1 << length) - 1) << (day * DAY_MIN + opens)
    return (bits | bits >> WEEK_MIN) & ((1 << WEEK_MIN) - 1)  # Sunday runs into Monday


def hours_of(minutes: int) -> tuple[Hours, ...]:
    """Return the hours, each within a day, that hold exactly these minutes of the week."""
    days: dict[tuple[int, int], set[int]] = {}
    for day in range(7):
        for start, end in runs_of(minutes >> (day * DAY_MIN) & ((1 << DAY_MIN) - 1)):
            days.setdefault((start, end), set()).add(day)
    return tuple(
        Hours(opens=_time(start), closes=_time(end), weekdays=frozenset(on))
        for (start, end), on in sorted(days.items())
    )


def runs_of(minutes: int) -> list[tuple[int, int]]:
    """Return the stretches of set bits, from the lowest on, each with its first and the one past its last."""
    return [match.span() for match in re.finditer("1+", format(minutes, "b")[::-1])]


def _time(minute: int) -> time:
    return time(minute // 60 % 24, minute % 60)


def _days_of(part: str, written: str) -> frozenset[int]:
    if part in _GROUPS:
        return _GROUPS[part]
    first, dash, last = (end.strip() for end in part.partition("-"))
    start = _day_of(first, written)
    stop = _day_of(last, written) if dash else start
    return frozenset((start + step) % 7 for step in range((stop - start) % 7 + 1))


def _day_of(name: str, written: str) -> int:
    for names in (_NAMES, WEEKDAYS):
        if name in names:
            return names.index(name)
    raise ConfigError(f"{written!r} are no weekdays: write them like mon-fri, or mon,wed,sat")


def _run_words(first: int, last: int) -> str:
    if last - first + 1 >= _RANGE:
        return f"{_NAMES[first]}-{_NAMES[last]}"
    return ",".join(_NAMES[first : last + 1])
