"""From a wall clock's time to an instant and back, over the changes of daylight saving.

A time that a zone's clocks skip is the first instant after the gap; of a time that they show twice it is the
first, or the second where that is asked for.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from worker.errors import ConfigError


class Oddity(enum.StrEnum):
    """What a change of the clocks did to a wall time."""

    GAP = "gap"  # the clocks skip it
    TWICE = "twice"  # they show it twice


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_SHOWN: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - what a clock shows has no zone
_MS: Final = timedelta(milliseconds=1)
_SECOND_MS: Final = 1000


def instant_of(local: datetime, zone: str, *, prefers_second: bool = False) -> tuple[int, Oddity | None]:
    """Return the instant at which the clocks of a zone show a time, and what is odd about it.

    Args:
        local: naive, as the clock shows it.
        zone: its IANA name.
        prefers_second: take the second instant, where there are two.

    Raises:
        ConfigError: nobody knows the zone.
    """
    clock = clock_of(zone)
    wall_ms = (local - _EPOCH_SHOWN) // _MS
    first_ms = wall_ms - _offset_ms(local.replace(tzinfo=clock, fold=0))
    second_ms = wall_ms - _offset_ms(local.replace(tzinfo=clock, fold=1))
    if first_ms == second_ms:
        return first_ms, None
    if first_ms < second_ms:
        return second_ms if prefers_second else first_ms, Oddity.TWICE
    return _change_ms(clock, before_ms=second_ms, after_ms=first_ms), Oddity.GAP


def start_of(local: datetime, zones: Sequence[str]) -> tuple[int, Oddity | None]:
    """Return the first instant at which a time has come in every zone, the latest of them, and its oddity.

    Raises:
        ConfigError: nobody knows a zone.
        ValueError: there is no zone.
    """
    return max((instant_of(local, zone) for zone in zones), key=lambda found: found[0])


def local_of(epoch_ms: int, zone: str) -> datetime:
    """Return an instant as the clocks of a zone show it, aware.

    Raises:
        ConfigError: nobody knows the zone.
    """
    return (_EPOCH + epoch_ms * _MS).astimezone(clock_of(zone))


@lru_cache(maxsize=1024)
def clock_of(zone: str) -> ZoneInfo:
    """Return the clock of a zone.

    Raises:
        ConfigError: nobody knows the zone.
    """
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"{zone!r} is not a time zone: write its IANA name, such as Europe/Copenhagen"
        ) from None


def _offset_ms(aware: datetime) -> int:
    return (aware.utcoffset() or timedelta()) // _MS


def _change_ms(clock: ZoneInfo, *, before_ms: int, after_ms: int) -> int:
    """Find the change of the clocks between two instants; changes are at whole seconds."""
    old_ms = _offset_at_ms(clock, before_ms)
    low_s, high_s = before_ms // _SECOND_MS, -(-after_ms // _SECOND_MS)
    while high_s - low_s > 1:
        middle_s = (low_s + high_s) // 2
        if _offset_at_ms(clock, middle_s * _SECOND_MS) == old_ms:
            low_s = middle_s
        else:
            high_s = middle_s
    return high_s * _SECOND_MS


def _offset_at_ms(clock: ZoneInfo, epoch_ms: int) -> int:
    return _offset_ms((_EPOCH + epoch_ms * _MS).astimezone(clock))
