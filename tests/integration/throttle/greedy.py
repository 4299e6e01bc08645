"""Callers that always want more: in simulated time, and as a program in real time."""

from __future__ import annotations

import heapq
import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.integration.throttle.conftest import Script
from worker.clock import elapsed_s
from worker.throttle.call import Ask, History, Reason
from worker.throttle.limits import Limit, Limits
from worker.throttle.throttle import Throttle

START_US = 1_790_000_000_000_000
LEAD_US, REACH_US, DEADLINE_US = 20_000, 220_000, 10_000_000
STAY_US = 2_000_000  # the longest that a caller waits before it calls again
EMPTY = History(departed={60: (), 3600: (), 86_400: ()})


@dataclass
class Caller:
    """One of them: what it waits to send, and when its requests left with how many units."""

    name: str
    limits: Limits
    late_us: int = 0  # it comes so much later than it should, each time
    waiting: list[int] = field(default_factory=list)
    departed: list[tuple[int, int]] = field(default_factory=list)
    history: History | None = None

    def ask(self, account: str) -> Ask:
        """Ask for all that waits; connections are plenty."""
        return Ask(
            account=account,
            process=self.name,
            limits=self.limits,
            in_use=0,
            holds=0,
            costs=tuple(self.waiting),
            lead_us=LEAD_US,
            reach_us=REACH_US,
            deadline_us=DEADLINE_US,
            history=self.history,
        )

    def take(self, reason: str, departures: tuple[int, ...]) -> None:
        """Keep what was granted."""
        self.departed += zip(departures, self.waiting, strict=False)
        del self.waiting[: len(departures)]
        self.history = EMPTY if reason == Reason.HISTORY else None

    @property
    def units(self) -> int:
        """How much it got."""
        return sum(cost for _, cost in self.departed)


def run(  # noqa: PLR0913 - a simulation has as many knobs
    script: Script,
    callers: list[Caller],
    *,
    account: str,
    seconds: float,
    batch: int = 20,
    cost: Callable[[random.Random], int] = lambda _: 1,
    seed: int = 0,
) -> list[tuple[int, int]]:
    """Let all of them call for so long after the first departure; return all departures within it, in order.

    A call takes up to 5 ms, and a caller that got something is away for its commit.
    """
    chance = random.Random(seed)  # noqa: S311 - chance of a test
    turns = [(START_US + number, number) for number in range(len(callers))]
    departed: list[tuple[int, int]] = []
    while not departed or turns[0][0] < departed[0][0] + seconds * 1_000_000:
        now, number = heapq.heappop(turns)
        caller = callers[number]
        caller.waiting += [cost(chance) for _ in range(batch - len(caller.waiting))]
        reason, _, wait, _, departures = script.reserve(caller.ask(account), now=now, run="a")
        departed += zip(departures, caller.waiting, strict=False)
        caller.take(reason, departures)
        away = chance.randrange(LEAD_US) if departures else 0
        wait = min(wait, STAY_US)
        heapq.heappush(turns, (now + wait + away + caller.late_us + chance.randrange(100, 5_000), number))
    departed.sort()
    return [(at, units) for at, units in departed if at < departed[0][0] + seconds * 1_000_000]


def main(redis_url: str, account: str, name: str, per_second: str, seconds: str) -> None:
    """Call in real time for so long, then print the departures."""
    limits = Limits(rates=(Limit(amount=int(per_second), window_s=1),), guard_s=0.0, connections=10_000)
    caller, throttle = Caller(name, limits), Throttle(redis_url)
    ends_s = elapsed_s() + float(seconds)
    while elapsed_s() < ends_s:
        caller.waiting += [1] * (20 - len(caller.waiting))
        grant = throttle.reserve(caller.ask(account))
        caller.take(grant.reason, grant.departures)
        time.sleep((grant.wait_us + (LEAD_US // 2 if grant.departures else 0)) / 1_000_000)
    throttle.close()
    sys.stdout.write(json.dumps([at for at, _ in caller.departed]))


if __name__ == "__main__":
    main(*sys.argv[1:])
