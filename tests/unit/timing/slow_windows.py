"""Windows worked out slowly: minute by minute, from what the clocks on the wall show and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

from worker.timing.windows import Hours, Windows

MINUTE_MS = 60_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
_MARGIN = 36 * 60  # minutes looked at before and after, more than any clock jumps
_LONGEST = 8 * 1440  # minutes; what lasts longer on the wall never ends


def minutes_inside(windows: Windows, from_ms: int, n: int, zones: Sequence[str]) -> list[bool]:
    """Say of n minutes in a row, by a whole minute's first instant, whether each is inside in every zone."""
    each = [_inside_in(windows, from_ms, n, ZoneInfo(zone)) for zone in zones]
    return [all(minute) for minute in zip(*each, strict=True)]


def _inside_in(windows: Windows, from_ms: int, n: int, clock: ZoneInfo) -> list[bool]:
    """A minute is inside when the clock shows so, has not shown the end yet, nor shows the start again."""
    first = _EPOCH + timedelta(milliseconds=from_ms)
    walls = [
        (first + minute * _MINUTE).astimezone(clock).replace(tzinfo=None)
        for minute in range(-_MARGIN, n + _MARGIN)
    ]
    latest_yet = list(accumulate(walls, max))
    earliest_after = [*list(accumulate(reversed(walls), min))[-2::-1], datetime.max]  # noqa: DTZ901 - on a wall
    stretches: dict[datetime, tuple[datetime | None, datetime | None]] = {}
    found = []
    for minute in range(_MARGIN, n + _MARGIN):
        wall = walls[minute]
        if not _shows(windows, wall):
            found.append(False)
            continue
        if wall not in stretches:
            stretches |= _around(windows, wall)
        start, end = stretches[wall]
        has_begun = start is None or earliest_after[minute] > start
        has_ended = end is not None and latest_yet[minute] >= end
        found.append(has_begun and not has_ended)
    return found


def _around(windows: Windows, wall: datetime) -> dict[datetime, tuple[datetime | None, datetime | None]]:
    """Walk to both ends of the stretch that the wall clock shows around a minute."""
    start, end = wall, wall + _MINUTE
    while _shows(windows, start - _MINUTE) and wall - start < _LONGEST * _MINUTE:
        start -= _MINUTE
    while _shows(windows, end) and end - wall < _LONGEST * _MINUTE:
        end += _MINUTE
    is_endless = end - start > _LONGEST * _MINUTE
    ends = (None, None) if is_endless else (start, end)
    return {start + n * _MINUTE: ends for n in range((end - start) // _MINUTE)}


def _shows(windows: Windows, wall: datetime) -> bool:
    is_open = not windows.open or any(_holds(hours, wall) for hours in windows.open)
    return is_open and not any(_holds(hours, wall) for hours in windows.quiet)


def _holds(hours: Hours, wall: datetime) -> bool:
    at, today = wall.time(), wall.weekday()
    if hours.opens < hours.closes:
        return today in hours.weekdays and hours.opens <= at < hours.closes
    began_yesterday = (today - 1) % 7 in hours.weekdays and at < hours.closes
    return began_yesterday or (today in hours.weekdays and at >= hours.opens)
