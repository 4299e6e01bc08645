"""Messages that are to leave later, and their cancelling by the handle that the gateway knows them by."""

import time
from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """One message: its place in the book (`Book.accept` returns it), when it leaves, and what it costs."""

    place: int
    leaves_at_s: float
    cost: float = 0.0


class Scheduled:
    """What was given a time, by its handle: a reference or an id, together with the account it belongs to."""

    def __init__(self) -> None:
        self._waiting: defaultdict[Hashable, list[Waiting]] = defaultdict(list)
        self._leaves_at_s: dict[int, float] = {}
        self._cancelled: set[int] = set()

    def add(self, handle: Hashable, *, waiting: Waiting) -> None:
        """Note a message that leaves later."""
        self._waiting[handle].append(waiting)
        self._leaves_at_s[waiting.place] = waiting.leaves_at_s

    def leaves_at_s(self, place: int) -> float | None:
        """Return when the message at that place leaves; nothing: it was given no time."""
        return self._leaves_at_s.get(place)

    def is_cancelled(self, place: int) -> bool:
        """Say whether the message at that place was cancelled."""
        return place in self._cancelled

    def cancel(self, handle: Hashable, *, ahead_s: float = 0.0) -> list[Waiting]:
        """Cancel what leaves later than `ahead_s` from now, and return it; the others stay."""
        until_s = time.time() + ahead_s
        waiting = self._waiting.pop(handle, [])
        kept = [each for each in waiting if each.leaves_at_s <= until_s]
        if kept:
            self._waiting[handle] = kept
        gone = [each for each in waiting if each.leaves_at_s > until_s]
        self._cancelled.update(each.place for each in gone)
        return gone
