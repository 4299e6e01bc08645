"""Dates of numbers only, and hours with am or pm: one rule for options and for columns of a file.

With dots the day stands first; with slashes or dashes it does where the other number can be no month. Where
both could be one, and differ, somebody else has to say which is which.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

YEAR_FIRST: Final = r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})"
YEAR_LAST: Final = r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})"

_MONTHS: Final = 12
_NOON: Final = 12
_YEAR_FIRST: Final = re.compile(YEAR_FIRST, re.ASCII)
_YEAR_LAST: Final = re.compile(YEAR_LAST, re.ASCII)


class AmbiguousError(ValueError):
    """It can be read in two ways."""


def is_month_first(first: int, dash: str, second: int) -> bool | None:
    """Say whether the first of two numbers before a year is the month; None where that cannot be told."""
    if dash == "." or first == second:
        return False
    if first > _MONTHS or second > _MONTHS:
        return second > _MONTHS >= first
    return None


def numeric_date(written: str) -> date | None:
    """Read a date of numbers only; None: it is none.

    Raises:
        AmbiguousError: it can be read in two ways.
        ValueError: there is no such day.
    """
    if match := _YEAR_FIRST.fullmatch(written):
        return date(int(match[1]), int(match[3]), int(match[4]))
    if (match := _YEAR_LAST.fullmatch(written)) is None:
        return None
    first, second = int(match[1]), int(match[3])
    is_month = is_month_first(first, match[2], second)
    if is_month is None:
        raise AmbiguousError
    day, month = (second, first) if is_month else (first, second)
    return date(int(match[4]), month, day)


def hour_of(hour: int, minute: int, half: str | None) -> int:
    """Return the hour of 24 of one with ``a`` for am or ``p`` for pm; None: it is of 24 already.

    Raises:
        AmbiguousError: twelve itself is noon to some and midnight to others.
        ValueError: no clock shows it.
    """
    if half is None:
        return hour
    if not 1 <= hour <= _NOON:
        raise ValueError
    if hour == _NOON and not minute:
        raise AmbiguousError
    return hour % _NOON + _NOON * (half == "p")
