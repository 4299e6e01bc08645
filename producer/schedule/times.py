"""When one message may leave: pure, from its wanted start, its recipient's zones, the windows and its turn.

A start outside the windows is moved to the next opening. A message that is spread has its turn so much time
after the start in which the windows are open: what a closing interrupts goes on at the next opening.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

from worker.timing.windows import Opening, Windows

_SEARCHED_MS = 14 * 86_400_000  # by ``Windows.opening``, at once
_SEARCHES = 27  # a year: hours of one weekday that a change of the clocks skips come back


@dataclass(frozen=True, kw_only=True)
class Times:
    """When a message may leave, in epoch milliseconds: as the ledger keeps it.

    Attributes:
        due_at: at the earliest.
        leave_by: the first instant at which it may not, at present: its window closes, or it has expired.
        expires_at: the first instant from which on it never leaves; None: it does not expire.
        is_moved: a window has moved it.
    """

    due_at: int
    leave_by: int | None
    expires_at: int | None
    is_moved: bool


def times_of(  # noqa: PLR0913 - what decides it
    start_ms: int,
    *,
    zones: tuple[str, ...],
    windows: Windows,
    now_ms: int,
    validity_ms: int | None = None,
    turn_ms: int = 0,
) -> Times | None:
    """Return when a message may leave; None where its windows have no opening.

    Args:
        start_ms: when it is wanted, epoch ms; what is over by ``now_ms`` is wanted then.
        zones: of its recipient; not needed without windows.
        windows: in which it may leave.
        now_ms: epoch ms.
        validity_ms: how long it is worth sending, from when it may leave.
        turn_ms: so much open time after its start; 0 for the first.
    """
    wanted_ms = max(start_ms, now_ms)
    found = _way(wanted_ms, zones, windows).after(turn_ms)
    if found is None:
        return None
    due_at, closes_at = found
    expires_at = None if validity_ms is None else due_at + validity_ms
    ends = [end for end in (closes_at, expires_at) if end is not None]
    return Times(
        due_at=due_at,
        leave_by=min(ends, default=None),
        expires_at=expires_at,
        is_moved=due_at != wanted_ms + turn_ms,
    )


class _Way:
    """The openings from an instant on, found as far as somebody asks, and the open time before each."""

    def __init__(self, start_ms: int, zones: tuple[str, ...], windows: Windows) -> None:
        self._zones = zones
        self._windows = Windows() if windows.is_always else windows
        self._openings: list[Opening] = []
        self._before_ms: list[int] = []
        self._open_ms: int | None = 0  # until the last closing; None: it never closes
        self._next_ms: int | None = start_ms  # where to look on; None: there is nothing more

    def after(self, turn_ms: int) -> tuple[int, int | None] | None:
        """Return the instant after so much open time, and when the opening closes in which it lies."""
        while self._open_ms is not None and self._open_ms <= turn_ms:
            if not self._find():
                return None
        place = bisect_right(self._before_ms, turn_ms) - 1
        opening = self._openings[place]
        return opening.opens_at + turn_ms - self._before_ms[place], opening.closes_at

    def _find(self) -> bool:
        found = None if self._next_ms is None else self._opening(self._next_ms)
        if found is None or self._open_ms is None:
            self._next_ms = None
            return False
        self._openings.append(found)
        self._before_ms.append(self._open_ms)
        self._next_ms = found.closes_at
        self._open_ms = None if found.closes_at is None else self._open_ms + found.closes_at - found.opens_at
        return True

    def _opening(self, at_ms: int) -> Opening | None:
        """Return the next opening; one that is not the first may take longer than a fortnight."""
        for n in range(_SEARCHES if self._openings else 1):
            if found := self._windows.opening(at_ms + n * _SEARCHED_MS, self._zones):
                return found
        return None


@lru_cache(maxsize=2048)
def _way(start_ms: int, zones: tuple[str, ...], windows: Windows) -> _Way:
    return _Way(start_ms, zones, windows)
