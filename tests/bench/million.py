"""Million: what a million scheduled messages cost in memory of workers and Redis, beside a few thousand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import psutil
import redis

from tests.bench.whole import LATENCY_S, Finding, World, world
from tests.ledgers import database_now, schedule
from worker.timing.spread import spread
from worker.waiting import within

FEW = 20_000  # not all gone before the end of the look: sending takes memory, however many wait
WATCHED_S = 20.0
YEAR_MS = 365 * 86_400_000
MORE_WORKER_MB = 16
"""What a process may need more, whatever waits: the pages that it reads of the ledger."""
MORE_REDIS_MB = 1
_PER_SECOND = 500
_MB = 1024 * 1024

Due = Callable[[int, int], Sequence[int]]
"""Gives the times of so many messages from a first one on."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The most that was needed, in megabytes: by one process of the worker, and by Redis."""

    worker: float
    redis: float


def measured(due: Due, *, rows: int) -> tuple[Memory, int]:
    """Have so many messages scheduled and workers run for a while; return the memory, and how many left."""
    with world(rate=f"{_PER_SECOND}/s") as here:
        here.gateway.set_faults(latency_ms=1000 * LATENCY_S)
        schedule(here.place.engine, due(database_now(here.place.engine), rows))
        with here.workers():
            found = _watched(here)
        return found, here.gateway.stats()["accepted"]


def _watched(here: World) -> Memory:
    most = {"worker": 0.0, "redis": 0.0}
    with redis.Redis.from_url(here.redis_url) as client:

        def look() -> bool:
            workers = (each for each in psutil.Process().children(recursive=True) if _is_worker(each))
            most["worker"] = max(most["worker"], *(each.memory_info().rss / _MB for each in workers))
            most["redis"] = max(most["redis"], client.info("memory")["used_memory"] / _MB)
            return False

        within(WATCHED_S, look, every_s=0.5)
    return Memory(worker=most["worker"], redis=most["redis"])


def _is_worker(process: psutil.Process) -> bool:
    return any(word in {"worker", "producer.cli"} for word in process.cmdline())


def findings(*, rows: int) -> Iterator[Finding]:
    """Run both: due in one instant, and spread over a year."""
    kinds: dict[str, Due] = {
        "due in one instant": lambda first, n: [first] * n,
        "due one after the other over a year": lambda first, n: list(spread(first, YEAR_MS, n)),
    }
    for name, due in kinds.items():
        few, _ = measured(due, rows=FEW)
        many, n_left = measured(due, rows=rows)
        more_worker, more_redis = many.worker - few.worker, many.redis - few.redis
        of_many = f"of a process {many.worker:.0f} MB, of Redis {many.redis:.1f} MB"
        yield Finding(
            ran=f"{rows} messages {name}, one worker, {WATCHED_S:.0f} s",
            seen=f"{n_left} left; most memory {of_many}; "
            f"with {FEW} messages {few.worker:.0f} and {few.redis:.1f} MB",
            is_good=more_worker <= MORE_WORKER_MB and more_redis <= MORE_REDIS_MB,
        )
