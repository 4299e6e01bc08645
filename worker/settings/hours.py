"""Hours and time zones as they are written in the settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from worker.errors import ConfigError
from worker.timing.hours import EVERY_DAY, Hours, parse_hours, parse_weekdays
from worker.timing.zones import check_zone

RECIPIENT = "recipient"
"""Stands for a zone: each recipient's own."""

T = TypeVar("T")

_HOURS_AND_DAYS = re.compile(r"([^a-z]*)([a-z].*)?", re.IGNORECASE | re.DOTALL)


def read_hours(written: str) -> Hours:
    """Read hours with their weekdays, such as ``21:00-08:00`` or ``00:00-24:00 sun``; without, of every day.

    Raises:
        ConfigError: it is something else.
    """
    match = _HOURS_AND_DAYS.fullmatch(written.strip())
    hours, days = (match[1], match[2]) if match else (written, None)
    return parse_hours(hours, weekdays=parse_weekdays(days) if days else EVERY_DAY)


def read_quiet(value: object) -> object:
    """Read one text of hours or a list of them; raises ValueError where it is something else."""
    items = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(item, str) for item in items):
        msg = 'write hours such as "21:00-08:00", or a list such as ["21:00-08:00", "00:00-24:00 sun"]'
        raise ValueError(msg)
    return _checked(lambda: tuple(map(read_hours, map(str, items))))


def read_zone(value: object) -> object:
    """Read the name of a time zone, or ``recipient``; raises ValueError where it is something else."""
    if not isinstance(value, str):
        msg = f'write a time zone such as "Europe/Copenhagen", or "{RECIPIENT}"'
        raise ValueError(msg)  # noqa: TRY004 - which pydantic would not take for a wrong value
    return RECIPIENT if value.strip().lower() == RECIPIENT else _checked(lambda: check_zone(value))


def _checked(read: Callable[[], T]) -> T:
    try:
        return read()
    except ConfigError as error:
        raise ValueError(str(error)) from None
