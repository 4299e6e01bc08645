"""What is due at a time, whatever goes wrong meanwhile: never early, never twice, never lost."""

import pytest

from tests.fault.arena import Arena
from tests.fault.conftest import Judged
from worker.timing.spread import spread

pytestmark = [pytest.mark.fault, pytest.mark.redis, pytest.mark.timeout(300)]


def test_twenty_thousand_are_due_while_redis_is_emptied_and_a_worker_is_killed(
    arena: Arena, judged: Judged
) -> None:
    first, _second = arena.start(), arena.start()
    due = arena.schedule(lambda now: [*spread(now + 5000, 10_000, 10_000), *[now + 15_000] * 10_000])
    assert arena.sees(3000)

    with arena.broker.client() as redis:
        redis.flushall()
    assert arena.sees(6000)
    arena.kill_worker(first)
    problems = judged(arena, workers=2)

    late_ms = arena.late_ms(due)
    assert not problems
    assert late_ms[0] >= 0
