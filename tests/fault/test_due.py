"""What is due at a time, whatever goes wrong meanwhile: never early, never twice, never lost."""

import os

import pytest

from tests.fault import books
from tests.fault.arena import Arena
from tests.fault.conftest import Judged
from worker.timing.spread import spread

LEASE_MS = 8000  # of the arena: so long nobody else has what a killed worker held
EMPTIED_MS = 5000  # an emptied Redis grants nothing for a second and a half; its hints are repeated after two
BUSY_MS = 20_000  # the same, where others use the machine

pytestmark = [pytest.mark.fault, pytest.mark.redis, pytest.mark.timeout(300)]


def test_twenty_thousand_are_due_while_redis_is_emptied_and_a_worker_is_killed(
    arena: Arena, judged: Judged
) -> None:
    is_quiet = os.getloadavg()[0] < (os.cpu_count() or 1)
    first, _second = arena.start(), arena.start()
    due = arena.schedule(lambda now: [*spread(now + 5000, 10_000, 10_000), *[now + 15_000] * 10_000])
    assert arena.sees(3000)

    with arena.broker.client() as redis:
        redis.flushall()
    assert arena.sees(6000)
    pids = [process.pid for process in arena.processes(first)]
    arena.kill_worker(first)
    n_held = books.leased(arena.place.engine, pids=pids)
    problems = judged(arena, workers=2)

    late_ms = arena.late_ms(due)
    assert not problems
    explained_ms = EMPTIED_MS if is_quiet else BUSY_MS
    assert late_ms[0] >= 0
    assert sum(ms > explained_ms for ms in late_ms) <= n_held
    assert late_ms[-1] < LEASE_MS + explained_ms
