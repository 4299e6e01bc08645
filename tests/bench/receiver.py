"""Receiver: a gateway of one process that stamps each request at its first octet and answers after a while.

HTTP/1.1 with keep-alive, nothing else (RFC 9112). ``POST /N`` is a request of N units; ``GET /_begin/MS``
forgets what came and sets the latency; ``GET /_log`` tells what came. The stamp is the kernel's, taken when
the octets arrived on this machine's wall clock (socket(7), SO_TIMESTAMPNS), which is the clock of a Redis
here; so a receiver that is scheduled late does not blame the sender. Where the kernel gives none, it is ours.
"""

from __future__ import annotations

import heapq
import json
import re
import selectors
import socket
import struct
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from worker.roles import die_with_parent

READY = "receiver listening on "
_SO_TIMESTAMPNS = 35  # asm-generic/socket.h
_TIMESPEC = struct.Struct("qq")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@dataclass(eq=False)
class _Client:
    sock: socket.socket
    data: bytes = b""
    stamp_us: int = 0  # of the first octet in data


@dataclass
class Receiver:
    """The server; one thread."""

    latency_s: float = 0.0
    came: list[tuple[int, int]] = field(default_factory=list)
    _due: list[tuple[float, int, _Client]] = field(default_factory=list)
    _n: int = 0

    def serve(self, listener: socket.socket) -> None:
        """Serve until the process ends."""
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        while True:
            wait_s = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            for key, _ in self._selector.select(wait_s):
                if key.data is None:
                    self._accept(listener)
                else:
                    self._read(key.data)
            self._answer_due()

    def _accept(self, listener: socket.socket) -> None:
        sock, _ = listener.accept()
        sock.settimeout(0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sys.platform == "linux":
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._selector.register(sock, selectors.EVENT_READ, _Client(sock))

    def _read(self, client: _Client) -> None:
        try:
            data, ancillary, _, _ = client.sock.recvmsg(65536, 64)
        except OSError:
            data, ancillary = b"", []
        if not data:
            self._selector.unregister(client.sock)
            client.sock.close()
            return
        if not client.data:
            client.stamp_us = _stamp_us(ancillary)
        client.data += data
        head, found, body = client.data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if found and len(body) >= (int(length[1]) if length else 0):
            client.data = b""
            self._take(client, head.split(b" ", 2)[1].decode())

    def _take(self, client: _Client, path: str) -> None:
        if path == "/_log":
            _write(client, _page(json.dumps(self.came).encode()))
        elif path.startswith("/_begin/"):
            self.latency_s = int(path.rpartition("/")[2]) / 1000
            self.came.clear()
            _write(client, _OK)
        else:
            self.came.append((client.stamp_us, int(path.rpartition("/")[2])))
            self._n += 1
            heapq.heappush(self._due, (time.monotonic() + self.latency_s, self._n, client))

    def _answer_due(self) -> None:
        now_s = time.monotonic()
        while self._due and self._due[0][0] <= now_s:
            _write(heapq.heappop(self._due)[2], _OK)


def _stamp_us(ancillary: Sequence[tuple[int, int, bytes]]) -> int:
    for level, kind, value in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(value[: _TIMESPEC.size])
            return int(seconds * 1_000_000 + nanoseconds // 1000)
    return time.time_ns() // 1000


def _page(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def _write(client: _Client, answer: bytes) -> None:
    try:
        client.sock.settimeout(1)
        client.sock.sendall(answer)
        client.sock.settimeout(0)
    except OSError:  # the sender was killed; the selector tells
        return


if __name__ == "__main__":
    die_with_parent()
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as bound:
        print(f"{READY}http://127.0.0.1:{bound.getsockname()[1]}", flush=True)  # noqa: T201 - for who started it
        Receiver().serve(bound)
