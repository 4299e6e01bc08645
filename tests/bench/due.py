"""Due: how late messages leave that are due at a time, by real workers, at the simulator's stamps.

Early would be worse than late: not one may be. What is due is written into the ledger as an import does it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import psutil
import redis

from tests.bench.whole import LATENCY_S, START_S, Finding, World, world
from tests.e2e.place import Started
from tests.ledgers import database_now, schedule
from worker.timing.spread import spread
from worker.waiting import within

PER_SECOND = 500
AHEAD_S = 12.0
"""From the order to its time: the workers are there by then."""

P99_MS = 1000
USED = 0.9  # of the limit, in each whole second of a backlog
USED_AT_FIRST = 0.75  # in its first: it takes a moment until the first departure
_AWAY_S = 2.0  # a dispatcher that was killed
_FIRST_NUMBER = 20_000_000


@dataclass(frozen=True, kw_only=True)
class Lateness:
    """How late messages came, in milliseconds, less the gateway's latency.

    Attributes:
        n: how many came.
        median: of them.
        p99: 99 of 100 came so soon.
        most: the latest.
        early: how many came before they were due.
        twice: how many came more than once.
        by_second: the share of the limit that was used in each whole second after the first was due, as long
            as another second's worth was still to come.
    """

    n: int
    median: int
    p99: int
    most: int
    early: int
    twice: int
    by_second: tuple[float, ...]

    @classmethod
    def of(cls, came: Sequence[tuple[int, int]], due: Sequence[int]) -> Lateness:
        """Judge when messages came, by their number in ``due``."""
        late = sorted(at_ms - due[number] for number, at_ms in came) or [0]
        begin = min(due)
        counts = [0] * (1 + max(0, max((at_ms for _, at_ms in came), default=begin) - begin) // 1000)
        for _, at_ms in came:
            counts[max(0, at_ms - begin) // 1000] += 1
        return cls(
            n=len(came),
            median=late[len(late) // 2],
            p99=late[int(0.99 * (len(late) - 1))],
            most=late[-1],
            early=sum(ms < 0 for ms in late),
            twice=len(came) - len({number for number, _ in came}),
            by_second=tuple(n / PER_SECOND for n in _in_backlog(counts)),
        )

    @property
    def words(self) -> str:
        """Say it."""
        return f"late: median {self.median} ms, 99 % {self.p99} ms, most {self.most} ms; early: {self.early}"

    @property
    def used_words(self) -> str:
        """Say how much of the limit was used, second by second: the first five, then the least."""
        first = ", ".join(f"{share:.0%}" for share in self.by_second[:5])
        return f"used in second 1 to 5: {first}; least later: {min(self.by_second[5:], default=1):.0%}"

    def is_whole(self, n: int) -> bool:
        """Say whether each came once, and none early."""
        return self.n == n and not (self.early or self.twice)


def _in_backlog(counts: Sequence[int]) -> Iterator[int]:
    """Give the counts of those seconds after which a full second's worth was still to come."""
    left = sum(counts)
    for n in counts:
        left -= n
        if left < PER_SECOND:
            return
        yield n


def order(here: World, due: Callable[[int], Sequence[int]]) -> list[int]:
    """Release a campaign that begins soon; return when each message is due.

    Args:
        here: the world.
        due: gives the times of the messages, from the time of the first.
    """
    times = list(due(database_now(here.place.engine) + int(1000 * AHEAD_S)))
    schedule(here.place.engine, times, first_number=_FIRST_NUMBER)
    return times


def lateness(here: World, due: Sequence[int]) -> Lateness:
    """Judge what has come."""
    came = [
        (int(row["msisdn"][3:]) - _FIRST_NUMBER, int(1000 * (row["time"] - LATENCY_S)))
        for row in here.gateway.accepted()
    ]
    return Lateness.of(came, due)


def spread_out(*, rows: int) -> Finding:
    """Send at half of the limit, each message due at a time of its own."""
    lasts_ms = 1000 * rows // (PER_SECOND // 2)
    with world(rate=f"{PER_SECOND}/s") as here:
        here.gateway.set_faults(latency_ms=1000 * LATENCY_S)
        with here.workers():
            due = order(here, lambda first: list(spread(first, lasts_ms, rows)))
            here.wait_for(rows, lasts_ms / 1000 + START_S)
        found = lateness(here, due)
    return Finding(
        ran=f"{rows} messages due one by one at {PER_SECOND // 2}/s, limit {PER_SECOND}/s, one worker",
        seen=f"{found.n} came; {found.words}",
        is_good=found.is_whole(rows) and found.p99 < P99_MS,
    )


def at_once(*, rows: int) -> Finding:
    """Send what is due in one instant."""
    with world(rate=f"{PER_SECOND}/s") as here:
        here.gateway.set_faults(latency_ms=1000 * LATENCY_S)
        with here.workers():
            due = order(here, lambda first: [first] * rows)
            here.wait_for(rows, rows / PER_SECOND + START_S)
        found = lateness(here, due)
    first, *others = found.by_second or [0.0]
    is_used = first >= USED_AT_FIRST and min(others, default=1) >= USED
    return Finding(
        ran=f"{rows} messages due in one instant, limit {PER_SECOND}/s, one worker",
        seen=f"{found.n} came; early: {found.early}; {found.used_words}",
        is_good=found.is_whole(rows) and is_used,
    )


def redis_emptied(*, rows: int) -> Finding:
    """Send at half of the limit, and empty Redis half-way: it costs the pause of a new Redis, and no more."""
    lasts_ms = 1000 * rows // (PER_SECOND // 2)
    with world(rate=f"{PER_SECOND}/s") as here:
        here.gateway.set_faults(latency_ms=1000 * LATENCY_S)
        with here.workers():
            due = order(here, lambda first: list(spread(first, lasts_ms, rows)))
            assert here.wait_for(rows // 2, lasts_ms / 1000 + START_S)
            with redis.Redis.from_url(here.redis_url) as client:
                client.flushall()
            here.wait_for(rows, lasts_ms / 1000 + START_S)
        found = lateness(here, due)
    return Finding(
        ran=f"the same with {rows} messages and Redis emptied half-way",
        seen=f"{found.n} came; {found.words}",
        is_good=found.is_whole(rows) and found.most < 5 * P99_MS,
    )


def dispatcher_killed(*, rows: int, others: int) -> Finding:
    """Send at half of the limit, and kill the dispatcher half-way; it is started again a while later."""
    lasts_ms = 1000 * rows // (PER_SECOND // 2)
    with world(rate=f"{PER_SECOND}/s") as here, ExitStack() as stack:
        here.gateway.set_faults(latency_ms=1000 * LATENCY_S)
        begin = [
            stack.enter_context(here.place.started(*words))
            for words in (("worker", "--no-tick"), *[("dispatcher",)] * (1 + others))
        ]
        assert all(each.says("Running", START_S) for each in begin)
        due = order(here, lambda first: list(spread(first, lasts_ms, rows)))
        assert here.wait_for(rows // 2, lasts_ms / 1000 + START_S)
        _kill(begin[1])
        within(_AWAY_S, lambda: False, every_s=0.2)
        again = stack.enter_context(here.place.started("dispatcher"))
        assert again.says("Running", START_S), again.said
        here.wait_for(rows, lasts_ms / 1000 + START_S)
        found = lateness(here, due)
    beside = f", {others} more beside it" if others else ""
    return Finding(
        ran=f"the same with {rows} messages and the dispatcher killed half-way for {_AWAY_S:.0f} s{beside}",
        seen=f"{found.n} came; {found.words}",
        is_good=found.is_whole(rows) and (found.p99 < P99_MS if others else found.most < 10 * P99_MS),
    )


def _kill(role: Started) -> None:
    """Kill -9 a role with what it started."""
    ours = psutil.Process(role.process.pid)
    for process in [ours, *ours.children(recursive=True)]:
        process.send_signal(signal.SIGKILL)


def findings(*, rows: int) -> Iterator[Finding]:
    """Run all of it."""
    yield spread_out(rows=rows)
    yield at_once(rows=rows)
    yield redis_emptied(rows=rows // 2)
    for others in (0, 1):
        yield dispatcher_killed(rows=rows // 4, others=others)
