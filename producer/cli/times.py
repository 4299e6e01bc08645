"""Times as a person reads them."""

from __future__ import annotations

import time

from worker.clock import instant
from worker.timing.local import local_of


def is_over(epoch_ms: int) -> bool:
    """Say whether a moment has come, by the clock of this machine."""
    return epoch_ms <= 1000 * time.time()


def time_words(epoch_ms: int) -> str:
    """Write a moment for a person, in UTC to the second."""
    return f"{instant(epoch_ms):%Y-%m-%d %H:%M:%S} UTC"


def local_words(epoch_ms: int, zone: str) -> str:
    """Write a moment for a person, as the clocks of a zone show it: ``2027-01-31 09:00 +01:00``."""
    local = local_of(epoch_ms, zone)
    return f"{local:%Y-%m-%d %H:%M} {local.isoformat()[-6:]}"
