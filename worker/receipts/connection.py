"""A connection of somebody who calls: nobody may keep one for nothing, or fill memory before being known.

The server by itself bounds neither how long a request may take to arrive, nor its headers, nor how many come
one behind the other; and where too many connections are open it refuses everybody.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Connection(HttpToolsProtocol):
    """Ends by itself where a request does not come, or is more than a delivery report can be.

    Where there are too many, the one goes from which nothing whole has come for longest.
    """

    most: ClassVar[int] = 500  # at once; most systems give a process 1024 files
    whole_s: ClassVar[float] = 5.0  # in which a request has to be there
    octets: ClassVar[int] = 65_536  # of a request; the service refuses less, and says why
    most_headers: ClassVar[int] = 100  # each takes more memory than it has octets

    quiet_since: float = 0.0
    _n_octets: int = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait, and make room."""
        super().connection_made(transport)
        self._wait()
        self.quiet_since = self.loop.time()
        if len(self.connections) > self.most:
            every = cast("set[Connection]", self.connections)
            longest = min(every, key=lambda each: each.quiet_since)
            self.connections.discard(longest)
            longest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take no more of a request than one can have."""
        self._wait()
        self._n_octets += len(data)
        if self._n_octets > self.octets:
            self.transport.abort()
        else:
            super().data_received(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take no more headers than a request can have; those behind its body count too."""
        if len(self.headers) >= self.most_headers:
            raise ValueError
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Take no request before the last one is answered."""
        if self.cycle is not None and not self.cycle.response_complete:  # type: ignore[redundant-expr]  # None at first
            raise ValueError
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Wait no longer: a request is there."""
        super().on_message_complete()
        self._rest()
        self.quiet_since = self.loop.time()

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.whole_s, self.transport.abort)

    def _rest(self) -> None:
        self._n_octets = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
