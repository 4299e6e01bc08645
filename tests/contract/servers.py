"""Tiny servers on real loopback sockets that answer well, badly or not at all."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CERTIFICATE = str(
    Path(__file__).with_name("loopback.pem")
)  # for 127.0.0.1, with its key, for these tests only

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Mark: yes\r\n\r\n{}"


@dataclass
class Server:
    """A listening address and what happened there."""

    url: str
    requests: list[bytes] = field(default_factory=list)
    n_connections: int = 0
    hung_up: threading.Event = field(default_factory=threading.Event)  # a connection was closed by the server
    over: threading.Event = field(default_factory=threading.Event)  # the test has ended

    def read(self, connection: socket.socket) -> bool:
        """Read one request with its body; False when the client has gone."""
        data = b""
        while not _is_whole(data):
            chunk = connection.recv(65536)
            if not chunk:
                return False
            data += chunk
        self.requests.append(data)
        return True


def _is_whole(data: bytes) -> bool:
    head, found, body = data.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return bool(found) and len(body) >= (int(length.group(1)) if length else 0)


@contextlib.contextmanager
def serving(script: Callable[[Server, socket.socket], None], *, tls: bool = False) -> Iterator[Server]:
    """Run a script for each connection, one after the other, until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}")
    thread = threading.Thread(target=_serve, args=(server, listener, script), kwargs={"tls": tls})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


def _serve(
    server: Server, listener: socket.socket, script: Callable[[Server, socket.socket], None], *, tls: bool
) -> None:
    while not server.over.is_set():
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            server.n_connections += 1
            with _secured(connection) if tls else connection as ready, contextlib.suppress(OSError):
                script(server, ready)
            server.hung_up.set()


def _secured(connection: socket.socket) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with connection:
        return context.wrap_socket(connection, server_side=True)


def answer(reply: bytes) -> Callable[[Server, socket.socket], None]:
    """Answer every request of a connection with the same bytes."""

    def script(server: Server, connection: socket.socket) -> None:
        while server.read(connection):
            connection.sendall(reply)

    return script


def answer_once(reply: bytes) -> Callable[[Server, socket.socket], None]:
    """Answer the first request of a connection, then hang up."""

    def script(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(reply)

    return script


def hang_up(_server: Server, _connection: socket.socket) -> None:
    """Close at once, without reading."""


def reset(server: Server, connection: socket.socket) -> None:
    """Read the request, then reset the connection."""
    server.read(connection)
    _reset(connection)


def reset_handshake(_server: Server, connection: socket.socket) -> None:
    """Read the start of what the client says, then reset the connection."""
    connection.recv(1)
    _reset(connection)


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silent(server: Server, _connection: socket.socket) -> None:
    """Accept and say nothing until the test ends."""
    server.over.wait()


def drip(head: bytes) -> Callable[[Server, socket.socket], None]:
    """Answer with a head and then an octet each 50 ms, for ever."""

    def script(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(head)
        while not server.over.wait(0.05):
            connection.sendall(b"x")

    return script
