"""Times in a column of a recipient file: the way they are written is found from all of them, or given.

A value that begins with the year, holds dots or has an offset can be read in one way only. Whether 03/04/2027
is of March or of April is decided by the others of the column, where one of them can be read in one way only.
A given way that ends with Z, UTC or GMT is of times in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Final

from producer.recipients import Form, variable_name
from producer.recipients.reader import AS_FOUND, column_values
from worker.errors import ConfigError, InputError
from worker.timing.dates import YEAR_FIRST, YEAR_LAST, AmbiguousError, hour_of, is_month_first
from worker.timing.words import Instant, Wall, When

_MONTHS = 12
_CLOCK: Final = (
    r"(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?(?: ?([ap])\.?m\.?)?(?: ?(?:(z)|([+-]\d\d):?(\d\d)))?"
)
_YEAR_FIRST: Final = re.compile(rf"{YEAR_FIRST}(?:t|,? ){_CLOCK}", re.ASCII)
_YEAR_LAST: Final = re.compile(rf"{YEAR_LAST}(?:t|,? ){_CLOCK}", re.ASCII)
_DIRECTIVE: Final = re.compile(r"%(.)", re.DOTALL)
_IN_UTC: Final = re.compile(r".*(?<![A-Za-z])(Z|UTC|GMT)\s*", re.DOTALL)  # what is left without directives
_YEARS: Final = range(1971, 2200)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)

Read = Callable[[str], When]
"""Reads one value; raises InputError, ``time_missing`` or ``time_unreadable``."""


@dataclass(frozen=True, kw_only=True)
class TimeColumn:
    """A column with a time in each row.

    Attributes:
        name: the variable name of the column.
        header: as the file writes it.
        read: gives the moment that a value of it means.
        written_as: how they are written, where that is given.
    """

    name: str
    header: str
    read: Read
    written_as: str | None = None

    def when(self, values: dict[str, str]) -> When:
        """Read the time of a row; raises InputError with the header of the column."""
        try:
            return self.read(values[self.name])
        except InputError as error:
            raise InputError(str(error), code=error.code, column=self.header) from None


def open_time_column(
    path: Path, wanted: str, *, written_as: str | None = None, form: Form = AS_FOUND
) -> TimeColumn:
    """Find a column of times, and how they are written.

    Args:
        path: of the recipient file, which is read to its end unless ``written_as`` is given.
        wanted: a header, exactly or as its variable name.
        written_as: how they are written, as for ``strptime``, such as ``%d/%m/%Y %H:%M``.
        form: what a person says of how the file is written.

    Raises:
        ConfigError: the given way holds no day and time.
        InputError: the file cannot be read or has no such column, or the times can be read in two ways.
    """
    given = None if written_as is None else reader_of(written_as)
    if given is not None:
        return TimeColumn(name=variable_name(wanted), header=wanted, read=given, written_as=written_as)
    column = column_values(path, wanted, form=form)
    read = found_reader(column.values, header=column.header)
    return TimeColumn(name=column.name, header=column.header, read=read)


def reader_of(written_as: str) -> Read:
    """Return what reads times that are written in a given way.

    Raises:
        ConfigError: this way of writing a time loses the day, the hour or the minute; or it has the name of a
            zone, which reading would lose.
    """
    if "Z" in _DIRECTIVE.findall(written_as):
        raise ConfigError(
            f"--at-format {written_as!r}: names of zones are not read; write %z for offsets such as +01:00 "
            "or Z, or the letters UTC or GMT where all times have them"
        )
    clock = UTC if _IN_UTC.fullmatch(_DIRECTIVE.sub("%", written_as)) else None
    sample = datetime(2031, 12, 29, 23, 58, tzinfo=UTC)
    try:
        back = datetime.strptime(sample.strftime(written_as), written_as)  # noqa: DTZ007 - see below
    except (ValueError, re.error):
        back = datetime.min  # noqa: DTZ901 - only that it is another
    if back.replace(tzinfo=UTC) != sample:
        raise ConfigError(
            f"--at-format {written_as!r}: it must hold day, month, year, hour and minute, "
            'such as "%d/%m/%Y %H:%M"'
        )

    def read(written: str) -> When:
        _require(written)
        try:
            at = datetime.strptime(written, written_as)  # noqa: DTZ007 - of a wall clock, unless %z is there
        except ValueError:
            raise _unreadable(f"the time is not written as {written_as}") from None
        return _when(at if clock is None else at.replace(tzinfo=clock))

    return read


def found_reader(values: Iterable[str], *, header: str) -> Read:
    """Return what reads the times of a column, from how all of them are written.

    Raises:
        InputError: ``time_format``: which number is the day cannot be told, or differs from row to row.
    """
    n_open = n_day_first = n_month_first = 0
    for written in values:
        match = _YEAR_LAST.fullmatch(_folded(written))
        if match is None or match[2] == ".":
            continue
        one, other = int(match[1]), int(match[3])
        is_first = is_month_first(one, match[2], other)
        n_open += is_first is None
        n_month_first += is_first is True
        n_day_first += is_first is False and one > _MONTHS >= other  # two that are equal tell nothing
    if n_day_first and n_month_first:
        raise _undecided(header, "some times are written with the day first and some with the month first")
    if n_open and not (n_day_first or n_month_first):
        raise _undecided(header, "every time can be read with the day first or with the month first")
    return _reader(is_month_first=bool(n_month_first))


def _reader(*, is_month_first: bool) -> Read:
    def read(written: str) -> When:
        _require(written)
        folded = _folded(written)
        try:
            if match := _YEAR_FIRST.fullmatch(folded):
                year, _, month, day, *clock = match.groups()
            elif match := _YEAR_LAST.fullmatch(folded):
                day, dash, month, year, *clock = match.groups()
                if is_month_first and dash != ".":
                    day, month = month, day
            else:
                raise _unreadable("the time cannot be read: write it like 2027-01-31 09:00")
            return _when(_moment(int(year), int(month), int(day), clock))
        except AmbiguousError:
            raise _unreadable(
                "12:00 am and pm are noon to some and midnight to others: write them by 24 hours, or give "
                "--at-format"
            ) from None
        except ValueError:
            raise _unreadable("there is no such time") from None

    return read


def _moment(year: int, month: int, day: int, clock: list[str | None]) -> datetime:
    hour, minute, second, half, utc, hours, minutes = clock
    n_hour = hour_of(int(hour or 0), int(minute or 0), half)
    at = datetime(year, month, day, n_hour, int(minute or 0), int(second or 0))  # noqa: DTZ001 - of a wall clock
    if utc:
        return at.replace(tzinfo=UTC)
    if hours is None:
        return at
    offset = timedelta(hours=int(hours), minutes=int(hours[0] + (minutes or "0")))
    return at.replace(tzinfo=timezone(offset))


def _when(at: datetime) -> When:
    if at.year not in _YEARS:
        raise _unreadable("the year of the time is a slip of the pen")
    return Wall(at) if at.tzinfo is None else Instant((at - _EPOCH) // _MS)


def _folded(written: str) -> str:
    return " ".join(written.lower().split())


def _require(written: str) -> None:
    if not written.strip():
        raise InputError("there is no time", code="time_missing")


def _unreadable(sentence: str) -> InputError:
    return InputError(sentence, code="time_unreadable")


def _undecided(header: str, finding: str) -> InputError:
    return InputError(
        f'{finding} in column {header!r}: say it with --at-format, such as "%d/%m/%Y %H:%M"',
        code="time_format",
        column=header,
    )
