"""Answers of Redis that are slow on their way: what they grant is due when it is due, not when they come."""

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from tests.integration.throttle.greedy import EMPTY, Caller
from worker.throttle.limits import Limit, Limits
from worker.throttle.throttle import Throttle
from worker.waiting import within

pytestmark = pytest.mark.redis

LIMITS = Limits(rates=(Limit(amount=100, window_s=1),), guard_s=0.0, connections=16)
LATE_S = 0.3


class SlowWay:
    """A way to Redis on which every other answer is late."""

    def __init__(self, redis_url: str) -> None:
        self._redis = (urlsplit(redis_url).hostname, urlsplit(redis_url).port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Let nobody else connect."""
        self._server.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection(self._redis)
                threading.Thread(target=self._carry, args=(near, far, 0.0), daemon=True).start()
                threading.Thread(target=self._carry, args=(far, near, LATE_S), daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, to: socket.socket, late_s: float) -> None:
        with source, to, suppress(OSError):
            for number in itertools.count():
                data = source.recv(65_536)
                if not data:
                    to.shutdown(socket.SHUT_RDWR)
                    return
                time.sleep(late_s * (number % 2))
                to.sendall(data)


@pytest.fixture
def slow(redis_url: str) -> Iterator[Throttle]:
    with closing(SlowWay(redis_url)) as way, closing(Throttle(way.url)) as throttle:
        yield throttle


@pytest.fixture
def quick(redis_url: str) -> Iterator[Throttle]:
    with closing(Throttle(redis_url)) as throttle:
        yield throttle


def test_a_departure_is_due_at_the_same_time_however_late_it_was_told(
    quick: Throttle, slow: Throttle, account: str
) -> None:
    ask = replace(Caller("one", LIMITS, waiting=[1]).ask(account), history=EMPTY)
    assert within(5, lambda: bool(quick.reserve(ask).departures))

    apart_s = []
    for _ in range(6):
        told = slow.reserve(ask)
        known = quick.reserve(replace(ask, process="other"))
        apart_s += [told.local_s(at) - known.local_s(at) for at in told.departures]

    assert apart_s
    assert max(map(abs, apart_s)) < LATE_S / 2
