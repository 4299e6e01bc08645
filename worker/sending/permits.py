"""Permits: how many requests one worker has out at a time, over all its children.

A permit is a byte of a file that all children inherit, locked by the process that holds it (POSIX record
locks, fcntl(2)): the lock ends with the process, so a killed child loses no permit.
"""

from __future__ import annotations

import fcntl
import tempfile


class Permits:
    """The ``total`` permits of one provider; made in the parent, taken and given back in its children.

    To be used by one thread of a process: a record lock belongs to the process as a whole.
    """

    def __init__(self, total: int) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the worker lives
        self.total = total
        self._held: set[int] = set()

    def take(self, wanted: int) -> int:
        """Take up to ``wanted`` permits without waiting; return how many were had."""
        before = len(self._held)
        for place in range(self.total):
            if len(self._held) - before == wanted:
                break
            if place not in self._held and self._lock(place):
                self._held.add(place)
        return len(self._held) - before

    def give_back(self, n: int) -> None:
        """Give back so many of ours."""
        for _ in range(n):
            place = self._held.pop()
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)

    def close(self) -> None:
        """Give all of ours back for good."""
        self._file.close()

    def _lock(self, place: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError:
            return False
        return True
