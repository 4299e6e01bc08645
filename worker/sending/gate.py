"""The gate: no more requests of this process are under way at the same time than it holds connections."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from worker.errors import TooLate


class Gate:
    """Lets threads through while there is room; how much there is may change at any time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._width = 0
        self._under_way = 0

    @property
    def under_way(self) -> int:
        """How many are through and have not come back."""
        return self._under_way

    def set_width(self, width: int) -> None:
        """Let so many through at the same time; those that are through already stay."""
        with self._changed:
            self._width = width
            self._changed.notify_all()

    @contextmanager
    def passed(self, within_s: float) -> Iterator[None]:
        """Be through for as long as the block lasts.

        Raises:
            TooLate: there was no room in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._under_way < self._width, timeout=max(0.0, within_s)):
                raise TooLate("no connection was free in time")
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify()
