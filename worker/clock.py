"""Clocks of this machine: for elapsed time and for people, never for what is due (the database says that)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed_s() -> float:
    """Return seconds on a clock that never steps, and goes on while the machine sleeps where it can."""
    return time.clock_gettime(_CLOCK)


@dataclass(frozen=True)
class Stamp:
    """A moment on this machine, on both clocks: one that never steps, and the wall clock.

    A machine that was frozen and thawed may show it on one of them only.
    """

    elapsed: float
    wall: float

    @classmethod
    def now(cls) -> Self:
        """Take the moment."""
        return cls(elapsed_s(), time.time())

    def age_s(self) -> float:
        """Return how many seconds have passed, on the clock that says more."""
        return max(elapsed_s() - self.elapsed, time.time() - self.wall)


def instant(epoch_ms: int) -> datetime:
    """Return the aware UTC instant of a ledger time."""
    return datetime.fromtimestamp(epoch_ms / 1000, tz=UTC)
