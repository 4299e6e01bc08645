"""A door before the simulator that passes everything on and stamps when each request to send begins.

The stamp is the kernel's (socket(7), SO_TIMESTAMPNS), on the wall clock, which is the database's here too: a
test that is scheduled late blames nobody.
"""

import selectors
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_SO_TIMESTAMPNS = 35  # asm-generic/socket.h
_TIMESPEC = struct.Struct("qq")


@dataclass(eq=False)
class _End:
    """One end of a connection."""

    sock: socket.socket
    is_sender: bool
    other: "_End | None" = None
    is_idle: bool = True  # of the sender: what comes next begins a request


@dataclass
class StampingDoor:
    """The door; one thread."""

    gateway_port: int
    port: int = 0
    began_ms: list[float] = field(default_factory=list)  # epoch milliseconds
    began: list[tuple[float, bytes]] = field(default_factory=list)  # the same, with how each request begins

    def __post_init__(self) -> None:
        """Listen."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._is_over = False
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Serve."""
        self._thread.start()

    def end(self) -> None:
        """Close everything."""
        self._is_over = True
        self._thread.join(10)

    def _run(self) -> None:
        while not self._is_over:
            for key, _ in self._selector.select(0.1):
                if key.data is None:
                    self._accept()
                else:
                    self._carry(key.data)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # a socket
        self._selector.close()

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        if sys.platform == "linux":
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        there = socket.create_connection(("127.0.0.1", self.gateway_port))
        sender, gateway = _End(sock, is_sender=True), _End(there, is_sender=False)
        sender.other, gateway.other = gateway, sender
        for end in (sender, gateway):
            end.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(end.sock, selectors.EVENT_READ, end)

    def _carry(self, end: _End) -> None:
        other = end.other
        assert other is not None
        try:
            data, ancillary, _, _ = end.sock.recvmsg(65536, 64)
            if data:
                self._note(end, data, ancillary)
                other.sock.sendall(data)
        except OSError:
            data = b""
        if not data:
            for each in (end, other):
                with suppress(KeyError, ValueError):
                    self._selector.unregister(each.sock)
                each.sock.close()

    def _note(self, end: _End, data: bytes, ancillary: list[tuple[int, int, bytes]]) -> None:
        if not end.is_sender:
            assert end.other is not None
            end.other.is_idle = True
        elif end.is_idle:
            end.is_idle = False
            if data.startswith(b"POST") and b"/send" in data.split(b"\r\n", 1)[0]:
                at_ms = _stamp_ms(ancillary)
                self.began_ms.append(at_ms)
                self.began.append((at_ms, data))


def _stamp_ms(ancillary: list[tuple[int, int, bytes]]) -> float:
    for level, kind, value in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(value[: _TIMESPEC.size])
            return float(seconds * 1000 + nanoseconds / 1_000_000)
    return time.time() * 1000


@contextmanager
def stamping_door(*, gateway_port: int) -> Iterator[StampingDoor]:
    """Give the door for as long as the block lasts."""
    door = StampingDoor(gateway_port)
    door.start()
    try:
        yield door
    finally:
        door.end()
