"""WHEN, as people write it; what can be read in two ways is refused, with an example."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from worker.errors import ConfigError
from worker.timing.dates import AmbiguousError, hour_of, numeric_date
from worker.timing.durations import duration_words, parse_duration
from worker.timing.hours import WEEKDAYS
from worker.timing.local import local_of

__all__ = ["Instant", "Wall", "When", "duration_words", "parse_duration", "parse_when"]


@dataclass(frozen=True)
class Instant:
    """One moment, the same everywhere."""

    epoch_ms: int


@dataclass(frozen=True)
class Wall:
    """What a clock on the wall shows (naive): which moment that is, the zone says."""

    local: datetime


When = Instant | Wall

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_YEARS: Final = range(1971, 2200)  # others are slips of the pen
_LARGEST_OFFSET: Final = timedelta(hours=14)
_HOUR_MIN: Final = 60

_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_ISO: Final = re.compile(  # of a day and a clock, each as ``fromisoformat`` reads it, and an offset
    r"(\d{4}-\d\d-\d\d(?=[t ]\d\d:)|(?:\d{4}-\d\d-\d\d|\d{8}|\d{4}-?w\d\d-?\d)(?=t))[t ]"
    r"(\d\d(?::\d\d(?::\d\d(?:[.,]\d+)?)?|\d\d(?:\d\d(?:[.,]\d+)?)?)?)"
    r"(?: ?(?:(z)|([+-]\d\d)(?::?(\d\d))?))?",
    re.ASCII,
)
_MIDNIGHT: Final = re.compile(r"24(?::?00){0,2}(?:[.,]0+)?", re.ASCII)
_DAY_AND_CLOCK: Final = re.compile(r"(.+?),? (?:at )?(\d{1,2})(?::(\d\d))?(?: ?([ap])m)?", re.ASCII)
_WORDED_DAY: Final = re.compile(r"(\d{1,2})\.? ([a-z]{3,9})\.?,? (\d{4})", re.ASCII)
_NUMBERS_ONLY: Final = re.compile(r"\d{1,4}[/.-]\d{1,2}([/.-]\d{1,4})?", re.ASCII)
_EXAMPLES: Final = "write it like 2027-01-31 09:00, 31 Jan 2027 09:00, tomorrow 09:00 or in 2h"


def parse_when(written: str, *, now_ms: int, zone: str | None) -> When:
    """Read a moment: ISO 8601, or plain words in any case.

    With an offset or Z, ``now`` and ``in 2h`` it is an instant. Else it is what a clock on the wall shows:
    ``2027-01-31 09:00``, ``31 Jan 2027 9:00``, ``today 17:00``, ``tomorrow 9pm``, ``monday 09:00`` (the next
    to come). It may have passed.

    Args:
        written: hours without am or pm are those of 24.
        now_ms: epoch ms, from which words count.
        zone: IANA name of the zone whose calendar says which day it is; only today, tomorrow and the weekdays
            need it.

    Raises:
        ConfigError: it is something else, or can be read in two ways.
    """
    folded = " ".join(written.lower().split())
    if folded == "now":
        return Instant(now_ms)
    if folded.startswith("in "):
        return Instant(now_ms + parse_duration(folded.removeprefix("in ")))
    if (iso := _ISO.fullmatch(folded)) is not None:
        return _of_iso(iso, written)
    local = _of_words(folded, written, today=lambda: _today(written, now_ms=now_ms, zone=zone))
    return Wall(_checked(local, written))


def _of_iso(match: re.Match[str], written: str) -> When:
    day, clock, utc, hours, minutes = match.groups()
    try:
        local = datetime.combine(date.fromisoformat(day.upper()), time())
        if _MIDNIGHT.fullmatch(clock):
            local += timedelta(days=1)
        else:
            local = datetime.combine(local, time.fromisoformat(clock))
    except (ValueError, OverflowError):
        raise _not_there(written) from None
    if utc is None and hours is None:
        return Wall(_checked(local, written))
    offset = timedelta(hours=int(hours or 0), minutes=int((hours or "+")[0] + (minutes or "0")))
    if abs(offset) > _LARGEST_OFFSET or int(minutes or 0) >= _HOUR_MIN:
        raise ConfigError(f"{written!r}: no clock is that far from UTC; write an offset like +01:00, or Z")
    return Instant((_checked(local, written).replace(tzinfo=UTC) - offset - _EPOCH) // _MS)


def _of_words(folded: str, written: str, *, today: Callable[[], date]) -> datetime:
    parted = _DAY_AND_CLOCK.fullmatch(folded)
    day = _day(parted[1] if parted else folded, written, today=today)
    if parted is None:
        raise ConfigError(f"{written!r} says no time of the day: add it, like {written.strip()} 09:00")
    return datetime.combine(day, _clock(parted, written))


def _day(word: str, written: str, *, today: Callable[[], date]) -> date:
    if word in ("today", "tomorrow"):
        return today() + timedelta(days=word == "tomorrow")
    weekdays = [day for day, name in enumerate(WEEKDAYS) if word in (name, name[:3])]
    if weekdays:
        return _next(weekdays[0], written, today=today())
    try:
        if numeric := numeric_date(word):
            return numeric
        if worded := _WORDED_DAY.fullmatch(word):
            return date(int(worded[3]), _month(worded[2], written), int(worded[1]))
    except AmbiguousError:
        raise _two_ways(written) from None
    except ValueError:
        raise _not_there(written) from None
    if _NUMBERS_ONLY.fullmatch(word):
        raise _two_ways(written)
    raise _unread(written)


def _next(weekday: int, written: str, *, today: date) -> date:
    ahead = (weekday - today.weekday()) % 7
    if not ahead:
        in_a_week = today + timedelta(days=7)
        raise ConfigError(
            f"{written!r} is today or in a week: write today, or the date like {in_a_week} 09:00"
        )
    return today + timedelta(days=ahead)


def _month(word: str, written: str) -> int:
    months = [n for n, name in enumerate(_MONTHS, start=1) if name.startswith(word)]
    if not months:
        raise _unread(written)
    return months[0]


def _clock(parted: re.Match[str], written: str) -> time:
    hour, minute, half = int(parted[2]), int(parted[3] or 0), parted[4]
    if parted[3] is None and half is None:
        raise ConfigError(f"{written!r} says no time that can be read in one way: write it like 09:00 or 9pm")
    try:
        return time(hour_of(hour, minute, half), minute)
    except AmbiguousError:
        raise ConfigError(
            f"{written!r} is noon to some and midnight to others: write 12:00 or 00:00"
        ) from None
    except ValueError:
        raise _not_there(written) from None


def _today(written: str, *, now_ms: int, zone: str | None) -> date:
    if zone is None:
        raise ConfigError(
            f"{written!r} needs --zone, to know which day it is there: --zone Europe/Copenhagen"
        )
    return local_of(now_ms, zone).date()


def _checked(local: datetime, written: str) -> datetime:
    if local.year not in _YEARS:
        raise ConfigError(f"{written!r} is in a year before 1971 or after 2199: {_EXAMPLES}")
    return local


def _two_ways(written: str) -> ConfigError:
    return ConfigError(f"{written!r} can be read in two ways: {_EXAMPLES}")


def _not_there(written: str) -> ConfigError:
    return ConfigError(f"{written!r} names a day or a time that does not exist: {_EXAMPLES}")


def _unread(written: str) -> ConfigError:
    return ConfigError(f"{written!r} is no moment that can be read in one way: {_EXAMPLES}")
