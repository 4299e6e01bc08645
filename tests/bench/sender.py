"""Sender: sends as a worker does, with the real pace and the real client, but without a ledger.

A mark is a sleep of 3 ms and so is a record. It writes a line for each departure that it was granted, and one
for each that it used, in the moment before the first octet: who is killed has still told.
"""

from __future__ import annotations

import json
import math
import os
import random
import secrets
import sys
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.plan import TIMEOUT_S, Case
from worker.clock import Stamp, elapsed_s
from worker.errors import BrokerError, NotSent, OutcomeUnknown
from worker.gateways.base import HttpRequest
from worker.gateways.http import Client
from worker.roles import die_with_parent
from worker.sending.departures import Departure
from worker.sending.desk import freeze_memory, started_pool
from worker.sending.pace import Pace, enough_out
from worker.throttle.call import Ask, Grant, History
from worker.throttle.limits import Limits
from worker.throttle.throttle import Throttle

COMMIT_S = 0.003
MARK_TO_WRITE_S = 0.25
_ASKED_AT_ONCE = 256  # as in worker.sending.reserve
_BODY = b'{"to": "4520304050", "message": "Hello", "from": "ACME"}'
_HEADERS = {"Content-Type": "application/json", "Authorization": "Basic YWNtZTprZXk="}


def request_of(url: str, units: int) -> HttpRequest:
    """Return a request of so many units."""
    return HttpRequest(method="POST", url=f"{url}/{units}", headers=_HEADERS, body=_BODY)


class _Told(Throttle):
    """The throttle, all of whose departures are written down."""

    def __init__(self, redis_url: str, log: Path) -> None:
        super().__init__(redis_url)
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._stamps: dict[float, int] = {}  # departures of Redis by our own clock

    def reserve(self, ask: Ask) -> Grant:
        grant = super().reserve(ask)
        for departure, units in zip(grant.departures, ask.costs, strict=False):
            self._stamps[grant.local_s(departure)] = departure
            self._write("granted", departure, units)
        return grant

    def tell_written(self, departure: Departure, units: int) -> None:
        """Write down that this one is used, and how late."""
        assert departure.at_s is not None
        assert departure.left_at_s is not None
        late_us = int(1_000_000 * (departure.left_at_s - departure.at_s))
        self._write("written", self._stamps.pop(departure.at_s), units, late_us)

    def _write(self, *words: object) -> None:
        os.write(self._log, (json.dumps(words) + "\n").encode())


@dataclass(kw_only=True)
class _Sender:
    case: Case
    limits: Limits
    url: str
    throttle: _Told
    pace: Pace
    client: Client
    pool: ThreadPoolExecutor
    planned: deque[int] = field(default_factory=deque)
    out: set[Future[None]] = field(default_factory=set)
    ask_at_s: float = 0.0
    most_out: float = math.inf  # requests, when departures are asked for
    is_over: bool = False

    def run(self, ends_s: float) -> None:
        """Send until then; there is always more to send."""
        while elapsed_s() < ends_s:
            self._send_more()
            self._record_some()
        self.is_over = True
        while self.out:
            self._record_some()
        self.pace.release(self.limits, n_out=0)

    def _wait_s(self) -> float:
        """Return the seconds until departures are to be asked for, as ``reserve`` and ``tempo`` have it."""
        if self.is_over or len(self.out) >= self._most() or len(self.out) > self.most_out:
            return math.inf
        return max(0.0, self.ask_at_s - elapsed_s())

    def _most(self) -> int:
        return self.pace.depth * self.limits.connections

    def _send_more(self) -> None:
        if self._wait_s() > 0:
            return
        most = min(self._most() - len(self.out), _ASKED_AT_ONCE)
        while len(self.planned) < most:
            self.planned.append(random.randint(1, self.case.largest))  # noqa: S311 - chance of a test
        costs = [self.planned[n] for n in range(most)]
        self._open(most)
        try:
            grant = self.pace.reserve(self.limits, costs, n_out=len(self.out), is_urgent=False)
        except BrokerError:
            time.sleep(0.05)
            return
        self.ask_at_s = grant.at_s + grant.wait_us / 1_000_000
        n_out = len(self.out) + len(grant.departures)
        self.most_out = enough_out(grant, self.limits, n_out=n_out)
        if grant.departures:
            self._send(grant)

    def _send(self, grant: Grant) -> None:
        marked_at = Stamp.now()
        time.sleep(COMMIT_S)
        for n in range(len(grant.departures)):
            units = self.planned.popleft()
            leaving = self.pace.departure(self.limits, grant, n, units=units, marked_at=marked_at)
            self.out.add(self.pool.submit(self._carry, leaving, units))
        self.pace.lead.note(elapsed_s() - grant.at_s)

    def _open(self, n_asked: int) -> None:
        """As a worker: as many connections as one reach needs."""
        within_reach = 1 + int(self.pace.reach_s * 1_000_000) // self.limits.interval_us
        n = min(n_asked, within_reach, self.limits.connections - len(self.out))
        if n > 0:
            self.client.open(self.url, n=n, pool=self.pool)

    def _carry(self, departure: Departure, units: int) -> None:
        def before_write() -> None:
            departure.wait()
            self.throttle.tell_written(departure, units)

        try:
            with self.pace.gate.passed(departure.left_s):
                self.client.exchange(request_of(self.url, units), before_write=before_write)
        except (NotSent, OutcomeUnknown):
            return
        if departure.left_at_s is not None:
            self.pace.latency.note(elapsed_s() - departure.left_at_s)

    def _record_some(self) -> None:
        idle_s = min(self._wait_s(), 1.0)
        if not self.out:
            time.sleep(min(0.02, idle_s))
            return
        done = wait(self.out, timeout=min(0.25, idle_s), return_when=FIRST_COMPLETED).done
        for future in done:
            future.result()
        self.out -= done
        if done:
            time.sleep(COMMIT_S)


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a sender is told when it is started."""

    redis_url: str
    url: str
    account: str
    guard_s: float
    log: str
    case: dict[str, Any]


def main(text: str) -> None:
    """Get ready, wait for the word of when to end, and send until then."""
    job = Job(**json.loads(text))
    case = Case(**job.case)
    throttle = _Told(job.redis_url, Path(job.log))
    pace = Pace(
        throttle=throttle,
        account=job.account,
        process=secrets.token_hex(8),
        deadline_s=TIMEOUT_S,
        mark_s=MARK_TO_WRITE_S,
        read_history=lambda _windows: History(),
    )
    sender = _Sender(
        case=case,
        limits=case.limits(job.guard_s),
        url=job.url,
        throttle=throttle,
        pace=pace,
        client=Client(connections=case.connections, timeout_s=TIMEOUT_S),
        pool=started_pool(case.connections, name="sender"),
    )
    freeze_memory()
    print("ready", flush=True)  # noqa: T201 - for who started it
    word = sys.stdin.readline()
    if word:
        sender.run(float(word))
    throttle.close()
    sender.client.close()
    sender.pool.shutdown()


if __name__ == "__main__":
    die_with_parent()
    main(sys.argv[1])
