"""What a role prints, read line by line in a thread: kept, written on, and searched for "ready"."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import IO

LONGEST_LINE = 300  # of a line that is quoted in a message


class Output:
    """The output of one process; the thread ends with it.

    Attributes:
        ready_line: the first line that begins with ``ready``, empty until it came.
        last_line: the last line that is not blank, trimmed.
    """

    def __init__(self, stream: IO[str], *, ready: str | None, write: Callable[[str], None]) -> None:
        self.ready_line = ""
        self.last_line = ""
        self._ready = ready
        self._write = write
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait until everything is read; a grandchild that inherited the pipe may delay that for ever."""
        self._thread.join(timeout_s)

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._take(line.rstrip())
                self._write(line)

    def _take(self, line: str) -> None:
        self.last_line = line[:LONGEST_LINE] or self.last_line
        if not self.ready_line and self._ready is not None and line.startswith(self._ready):
            self.ready_line = line
