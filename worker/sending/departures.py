"""Departures: the moment at which a marked request is written, and what becomes of one that was missed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from worker.clock import Stamp, elapsed_s
from worker.errors import TooLate

LATE_S = 0.020
"""A thread that wakes later than this has missed its departure; the guard is longer."""


@dataclass(kw_only=True)
class Departure:
    """When one request may be written; used by one thread.

    Attributes:
        at_s: on ``clock.elapsed_s``.
        late_s: so much later is still in time; infinite without a rate.
        marked_at: when the commit of its mark was sent.
        mark_s: how long after that a byte may still be written.
        exchange: given the seconds that are left, returns another ``at_s`` for this one; None: there is none.
        give_back: to be called when nothing was written.
    """

    at_s: float
    marked_at: Stamp
    mark_s: float
    exchange: Callable[[float], float | None]
    give_back: Callable[[], None]
    late_s: float = LATE_S
    left_at_s: float | None = None  # when it was written

    @property
    def left_s(self) -> float:
        """Seconds that the mark still allows."""
        return self.mark_s - self.marked_at.age_s()

    def wait(self) -> None:
        """Sleep until it is time: the last thing before the first byte.

        A departure that was missed is exchanged as long as the mark allows, and never used late.

        Raises:
            TooLate: there is no departure any more for this mark.
        """
        while not -self.late_s <= (early_s := self.at_s - elapsed_s()) <= 0:
            if early_s > 0:
                time.sleep(early_s)
            else:
                self.at_s = self._another()
        if self.left_s < 0:  # a process that was frozen since its mark must not write any more
            raise TooLate("the mark was too old to be acted upon")
        self.left_at_s = elapsed_s()

    def _another(self) -> float:
        at_s = self.exchange(self.left_s)
        if at_s is None:
            raise TooLate("its departure was missed, and there was no other in time")
        return at_s
