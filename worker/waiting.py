"""How long to wait: for a condition with a deadline, and before something that ended is started again."""

from __future__ import annotations

import time
from collections.abc import Callable

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 10.0
_FLAG_LOOK_S = 0.05
SETTLED_S = 30.0  # what lived this long had started well


def within(timeout_s: float, condition: Callable[[], bool], *, every_s: float = 0.02) -> bool:
    """Ask at least once and until the time is up; say whether the condition came true."""
    ends_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= ends_s:
            return False
        time.sleep(every_s)
    return True


class Flag:
    """Says that it is time to stop; set by a signal handler, seen by whoever waits for it, in any thread.

    An Event will not do: its lock may be held by the very thread that the signal interrupts.
    """

    def __init__(self) -> None:
        self.is_set = False

    def set(self) -> None:
        """Say so."""
        self.is_set = True

    def wait(self, timeout_s: float) -> bool:
        """Wait for it for so long, and tell whether it is set."""
        return within(timeout_s, lambda: self.is_set, every_s=_FLAG_LOOK_S)


def next_delay_s(delay_s: float, *, lived_s: float) -> float:
    """Return the pause before the next start, given the pause before the last one (0 for the first)."""
    if not delay_s or lived_s >= SETTLED_S:
        return FIRST_DELAY_S
    return min(2 * delay_s, LONGEST_DELAY_S)
