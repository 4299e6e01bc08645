"""A terminal for one command: what a person sees there, and what is typed."""

import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from select import select

from tests.e2e.place import COMMAND, DEADLINE_S, Place
from worker.waiting import within

CTRL_C = "\x03"


class Terminal:
    """A command that runs at a terminal of its own."""

    def __init__(self, process: subprocess.Popen[bytes], place: int) -> None:
        self._process = process
        self._place = place
        self.seen = ""

    def shows(self, words: str) -> bool:
        """Wait until it shows something, or has ended."""
        ends_s = time.monotonic() + DEADLINE_S
        while words not in self.seen and time.monotonic() < ends_s and self._reads():
            pass
        return words in self.seen

    def types(self, keys: str) -> None:
        """Type something; Ctrl-C until it ends: one just before it reads waits for the next key."""
        os.write(self._place, keys.encode())
        while keys == CTRL_C and not within(2, lambda: self._process.poll() is not None):
            os.write(self._place, keys.encode())

    def ends(self) -> int:
        """Wait for its end and return the exit code."""
        while self._reads():
            pass
        return self._process.wait(DEADLINE_S)

    def _reads(self) -> bool:
        """Read a piece; False when there is no more."""
        ready, _, _ = select([self._place], [], [], DEADLINE_S)
        piece = b""
        with suppress(OSError):  # EIO: nobody has the other end any more
            piece = os.read(self._place, 4096) if ready else b""
        self.seen += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", piece.decode(errors="replace"))
        return bool(piece)


@contextmanager
def at_a_terminal(place: Place, *words: str) -> Iterator[Terminal]:
    """Run the command at a terminal; it is gone after the block."""
    ours, theirs = pty.openpty()
    takes_it = (
        "import os, pty, sys; os.setsid(); import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    )
    run = [COMMAND[0], "-c", takes_it + "os.execv(sys.argv[1], sys.argv[1:])", *COMMAND, *words]
    environment = {**place.environment, "TERM": "xterm", "COLUMNS": "200"}
    process = subprocess.Popen(
        run, cwd=place.folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        os.close(ours)
