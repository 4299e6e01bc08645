"""Times as they are written on the command line, and as a person reads them."""

from __future__ import annotations

import time
from datetime import datetime

from worker.clock import instant
from worker.errors import ConfigError

_EXAMPLE = "2027-01-31T08:00+01:00, or 2027-01-31T07:00Z"
_FARTHEST_MS = 2 * 366 * 86_400_000


def read_instant(option: str, written: str) -> int:
    """Return a moment that is still to come, in epoch milliseconds.

    Args:
        option: where it was written.
        written: ISO 8601 with an offset or Z.

    Raises:
        ConfigError: it is no such time, or it is over.
    """
    try:
        at = datetime.fromisoformat(written.strip())
    except ValueError:
        at = None
    if at is None or at.utcoffset() is None:
        raise ConfigError(f"{option}: write a time with its offset, such as {_EXAMPLE}")
    epoch_ms = round(1000 * at.timestamp())
    if is_over(epoch_ms):
        raise ConfigError(f"{option}: this time is over")
    if not is_over(epoch_ms - _FARTHEST_MS):
        raise ConfigError(f"{option}: this time is too far away: nobody keeps a message for years")
    return epoch_ms


def is_over(epoch_ms: int) -> bool:
    """Say whether a moment has come, by the clock of this machine."""
    return epoch_ms <= 1000 * time.time()


def time_words(epoch_ms: int) -> str:
    """Write a moment for a person, in UTC to the second."""
    return f"{instant(epoch_ms):%Y-%m-%d %H:%M:%S} UTC"
