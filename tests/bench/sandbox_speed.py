"""How fast the simulator answers: its requests per second beside a bare handler on the same server.

A second handler beside it is what one would write: a route of Starlette that returns a `JSONResponse`.

One client keeps a few connections busy, without a library; all servers are asked in turns, the same requests
of one recipient. The processor time that a server needs for a request is told as well: it is less noisy.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import selectors
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.bench.processes import running
from tests.bench.sandbox_requests import requests_of
from worker.roles import die_with_parent
from worker.sandbox.app import GATEWAYS
from worker.sandbox.server import serve

SIMULATOR = ("worker.sandbox", "--port", "0")
BARE = ("tests.bench.sandbox_speed", "bare")
ROUTE = ("tests.bench.sandbox_speed", "route")
READY = "sandbox listening on http://127.0.0.1:"
LEAST = 0.5
CONNECTIONS = 8
ROUNDS = 8
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Requests per second, and the processor time of the server for one of them (0: not known here)."""

    per_second: float
    cpu_us: float


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A simulated gateway beside the bare handler and the route."""

    gateway: str
    simulated: Speed
    bare: Speed
    route: Speed

    @property
    def share(self) -> float:
        """What the simulator reaches of the bare handler."""
        return self.simulated.per_second / self.bare.per_second

    @property
    def share_of_route(self) -> float:
        """What the simulator reaches of the route."""
        return self.simulated.per_second / self.route.per_second

    @property
    def is_good(self) -> bool:
        """Whether it is enough beside what one would write."""
        return self.share_of_route >= LEAST

    @property
    def verdict(self) -> str:
        """Say whether it is enough, and beside which of the two."""
        if not self.is_good:
            return "NOT GOOD"
        return "good" if self.share >= LEAST else "good beside the route, below half of the bare handler"


def compare(*, seconds: float) -> Iterator[Beside]:
    """Measure each gateway for so long, all servers in turns."""
    for gateway in GATEWAYS:
        with _served(SIMULATOR) as simulator, _served(BARE) as bare, _served(ROUTE) as route:
            requests = requests_of(gateway.name, port=simulator.port)
            speeds: dict[_Server, list[Speed]] = {simulator: [], bare: [], route: []}
            for _ in range(ROUNDS):
                for server, found in speeds.items():
                    found.append(_speed(server, requests, seconds=seconds / ROUNDS / len(speeds)))
        yield Beside(
            gateway=gateway.name,
            simulated=_best(speeds[simulator]),
            bare=_best(speeds[bare]),
            route=_best(speeds[route]),
        )


def _best(speeds: list[Speed]) -> Speed:
    """Return the best of all rounds: what else runs on a machine only ever slows."""
    return Speed(
        per_second=max(speed.per_second for speed in speeds), cpu_us=min(speed.cpu_us for speed in speeds)
    )


# --- the client


@dataclass(frozen=True, kw_only=True)
class _Server:
    port: int
    pid: int

    def cpu_s(self) -> float:
        """Return the processor time that it used; 0: not known on this system."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except FileNotFoundError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


@contextlib.contextmanager
def _served(command: tuple[str, ...]) -> Iterator[_Server]:
    with running("-m", *command) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready.startswith(READY), ready
        yield _Server(port=int(ready.removeprefix(READY)), pid=process.pid)


def _speed(server: _Server, requests: Sequence[bytes], *, seconds: float) -> Speed:
    """Ask over and over on each connection, one answer after the other."""
    coming = itertools.cycle(requests)
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for _ in range(CONNECTIONS):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5))
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(client, selectors.EVENT_READ, client)
            client.sendall(next(coming))
        began_s, began_cpu_s, answers = time.monotonic(), server.cpu_s(), 0
        while time.monotonic() < began_s + seconds:
            for key, _ in selector.select():
                _check(key.data)
                key.data.sendall(next(coming))
                answers += 1
        took_s = time.monotonic() - began_s
    return Speed(per_second=answers / took_s, cpu_us=1e6 * (server.cpu_s() - began_cpu_s) / answers)


def _check(client: socket.socket) -> None:
    """Read an answer of success to its end."""
    answer = client.recv(1 << 16)
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 20"):
        raise ValueError(answer.decode(errors="replace"))
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    while len(body) < length:
        body += client.recv(1 << 16)


# --- the handlers beside it

_CONTENT = {"success": [{"to": "4520304050", "cost": 1, "smsAmount": 1}]}
_ANSWER = json.dumps(_CONTENT).encode()
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(_ANSWER)).encode())]


async def bare(_scope: Scope, receive: Receive, send: Send) -> None:
    """Read the request and answer always the same."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _ANSWER})


async def route(request: Request) -> JSONResponse:
    """Do the same as one would write it."""
    await request.body()
    return JSONResponse(_CONTENT)


HANDLERS: dict[str, ASGIApp] = {
    "bare": bare,
    "route": Starlette(routes=[Route("/{path:path}", route, methods=["GET", "POST"])]),
}

if __name__ == "__main__":
    die_with_parent()
    serve(HANDLERS[sys.argv[1]], host="127.0.0.1", port=0)
