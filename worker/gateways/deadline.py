"""One exchange's time: whether its first byte may still be written, and the shutting of what outlives it.

The timeout of a socket begins anew with each octet, so only a watchdog can end an exchange that drips.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from worker.clock import elapsed_s
from worker.errors import NotSent

if TYPE_CHECKING:
    from collections.abc import Callable


class Attempt:
    """One exchange on its way: until when, on which socket, and whether a byte was written."""

    def __init__(
        self, *, deadline_s: float, idle_limit_s: float, before_write: Callable[[], None] | None
    ) -> None:
        self.deadline_s = deadline_s
        self.idle_limit_s = idle_limit_s
        self.wrote = False
        self._before_write = before_write
        self._sock: socket.socket | None = None
        self._lock = threading.Lock()

    @property
    def is_late(self) -> bool:
        """Tell whether the deadline has passed."""
        return elapsed_s() >= self.deadline_s

    def start_writing(self, sock: socket.socket) -> None:
        """Decide at the first byte: after this it counts as written.

        Raises:
            NotSent: the deadline has passed, or ``before_write`` forbids it.
        """
        if self._before_write is not None:
            self._before_write()
        with self._lock:
            if self.is_late:
                message = "the deadline passed before the first byte: nothing was sent, try again later"
                raise NotSent(message)
            self._sock = sock
            self.wrote = True

    def let_go(self) -> None:
        """Forget the socket: from here on it may serve another exchange."""
        with self._lock:
            self._sock = None

    def shut(self) -> None:
        """Wake the thread that waits on the socket; it finds the end of the stream."""
        with self._lock:
            if self._sock is not None:
                # Not SSLSocket's own method: it drops TLS first, and a concurrent write would leave in clear.
                with contextlib.suppress(OSError):  # the peer was faster
                    socket.socket.shutdown(self._sock, socket.SHUT_RDWR)


class Watchdog:
    """Shuts the socket of every attempt that outlives its deadline, from one daemon thread.

    All attempts have the same time, so they end in the order in which they began. Nothing need wake the
    thread: it sleeps for that time at most, so it is awake at the deadline of whatever begins meanwhile.
    """

    def __init__(self, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._attempts: dict[Attempt, None] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, *, idle_limit_s: float, before_write: Callable[[], None] | None) -> Attempt:
        """Give a new attempt its deadline and watch it, from the first call on with a thread.

        Raises:
            NotSent: there is no thread to be had.
        """
        with self._lock:
            if self._thread is None:
                self._thread = self._started()
            deadline_s = elapsed_s() + self._timeout_s
            attempt = Attempt(deadline_s=deadline_s, idle_limit_s=idle_limit_s, before_write=before_write)
            self._attempts[attempt] = None
        return attempt

    def unwatched(self, *, idle_limit_s: float) -> Attempt:
        """Give an attempt that writes nothing, to open connections with."""
        deadline_s = elapsed_s() + self._timeout_s
        return Attempt(deadline_s=deadline_s, idle_limit_s=idle_limit_s, before_write=None)

    def end(self, attempt: Attempt) -> None:
        """Watch it no more."""
        with self._lock:
            self._attempts.pop(attempt, None)

    def close(self) -> None:
        """End the thread; what is still under way is no longer watched."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()

    def _started(self) -> threading.Thread:
        thread = threading.Thread(target=self._watch, name="http-deadline", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # unwatched, a request might never end
            message = "no thread is to be had: nothing was sent, try again later"
            raise NotSent(message) from None
        return thread

    def _watch(self) -> None:
        pause_s = 0.0
        while not self._closed.wait(pause_s):
            with self._lock:
                first = next(iter(self._attempts), None)
                if first is not None and first.is_late:
                    del self._attempts[first]
            if first is None:
                pause_s = self._timeout_s
                continue
            pause_s = max(0.0, first.deadline_s - elapsed_s())
            if not pause_s:
                first.shut()
