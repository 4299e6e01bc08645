"""Connections that tell when the first byte of a request is written; urllib3's, watched (RFC 9112, 9.3)."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import Any, cast

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from worker.clock import elapsed_s
from worker.gateways.deadline import Attempt


class _Current(threading.local):
    attempt: Attempt | None = None


current = _Current()


class Connection(HTTPConnection):
    """A connection that tells the current attempt before the first byte of a request."""

    _idle_since_s = 0.0

    @property
    def is_connected(self) -> bool:
        """Tell whether it is open, fresh enough, and silent."""
        limit_s = current.attempt.idle_limit_s if current.attempt else 0.0
        return elapsed_s() - self._idle_since_s < limit_s and self._is_silent()

    def _is_silent(self) -> bool:
        """Tell whether it is open, with nothing said that nobody asked for."""
        return super().is_connected

    def connect(self) -> None:
        """Resolve, connect and agree on TLS."""
        super().connect()
        self._idle_since_s = elapsed_s()

    def send(self, data: Any) -> None:  # noqa: ANN401 - the signature of http.client
        """Write, asking the current attempt before the first byte of its request."""
        if self.sock is None:
            self.connect()
        attempt = current.attempt
        if attempt is not None and not attempt.wrote:
            attempt.start_writing(self.sock)
        super().send(data)

    def getresponse(self) -> Any:  # noqa: ANN401 - urllib3's reply is not http.client's
        """Read the head of the reply."""
        response = super().getresponse()
        self._idle_since_s = elapsed_s()
        return response


class SecureConnection(Connection, HTTPSConnection):
    """The same over TLS."""

    def _is_silent(self) -> bool:
        """Read past the session tickets that TLS 1.3 brings after the handshake: they are no reply."""
        if self.sock is None:
            return False
        wait_s = self.sock.gettimeout()
        self.sock.settimeout(0)
        try:
            self.sock.recv(1)
        except ssl.SSLWantReadError:
            return True
        except OSError:
            return False
        finally:
            self.sock.settimeout(wait_s)
        return False  # its end, or words


class Pool(HTTPConnectionPool):
    """The connections to one host; the one that was given back last is taken first."""

    ConnectionCls = Connection

    def _put_conn(self, conn: Any) -> None:  # noqa: ANN401 - the signature of urllib3
        if current.attempt is not None:
            current.attempt.let_go()  # before another thread can take the connection
        super()._put_conn(conn)

    def take(self) -> Connection:
        """Take a connection out of the pool without waiting; it may be closed."""
        return cast("Connection", self._get_conn(timeout=0))

    def give_back(self, connection: Connection) -> None:
        """Put it back for the next request."""
        self._put_conn(connection)


class SecurePool(Pool, HTTPSConnectionPool):
    """The same over TLS."""

    ConnectionCls = SecureConnection


def socket_options(timeout_s: float) -> list[tuple[int, int, int]]:
    """Send small requests at once, and give up when nobody acknowledges them (Linux)."""
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        options.append((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(timeout_s * 1000)))
    return options
