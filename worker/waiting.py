"""How long to wait: for a condition with a deadline, and before something that ended is started again."""

from __future__ import annotations

import time
from collections.abc import Callable

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 10.0
SETTLED_S = 30.0  # what lived this long had started well


def within(timeout_s: float, condition: Callable[[], bool], *, every_s: float = 0.02) -> bool:
    """Ask at least once and until the time is up; say whether the condition came true."""
    ends_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= ends_s:
            return False
        time.sleep(every_s)
    return True


def next_delay_s(delay_s: float, *, lived_s: float) -> float:
    """Return the pause before the next start, given the pause before the last one (0 for the first)."""
    if not delay_s or lived_s >= SETTLED_S:
        return FIRST_DELAY_S
    return min(2 * delay_s, LONGEST_DELAY_S)
