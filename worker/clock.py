"""Clocks of this machine: for elapsed time and for people, never for what is due (the database says that)."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def elapsed_s() -> float:
    """Return seconds on a clock that goes on while the machine sleeps, where the system has one."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


def instant(epoch_ms: int) -> datetime:
    """Return the aware UTC instant of a ledger time."""
    return datetime.fromtimestamp(epoch_ms / 1000, tz=UTC)
