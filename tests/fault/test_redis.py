"""Redis carries hints only: whatever it loses, repeats or reorders changes nothing."""

import random
from typing import cast

import pytest

from tests.fault.arena import Arena
from tests.fault.conftest import Judged
from worker.waiting import within

pytestmark = [pytest.mark.fault, pytest.mark.redis, pytest.mark.timeout(300)]
QUEUE = "bulksend:sms.acme"
MANY = 8000  # more batches than children: the hints of some wait in Redis
UNACKED = "bulksend:unacked"


def test_redis_is_killed_and_comes_back_empty(arena: Arena, judged: Judged) -> None:
    arena.gateway.set_faults(latency_ms=300)
    arena.start()
    arena.send(grouped=MANY)

    assert arena.sees(1)
    arena.broker.kill()
    arena.broker.start()

    assert not judged(arena)


def test_redis_is_emptied_again_and_again(arena: Arena, judged: Judged) -> None:
    arena.gateway.set_faults(latency_ms=300)
    arena.start()
    arena.send(grouped=MANY)

    with arena.broker.client() as client:
        for _ in range(4):
            client.flushall()
            arena.let_pass(0.5)

    assert not judged(arena)


def test_redis_is_away_for_twenty_seconds(arena: Arena, judged: Judged) -> None:
    arena.gateway.set_faults(latency_ms=300)
    arena.start()
    arena.send(grouped=MANY)

    assert arena.sees(1)
    arena.broker.kill()
    arena.let_pass(20)
    arena.broker.start()

    assert not judged(arena)


def test_hints_are_repeated_reordered_and_ancient(arena: Arena, judged: Judged) -> None:
    arena.gateway.set_faults(latency_ms=100)
    arena.start("dispatcher")
    arena.send()
    with arena.broker.client() as client:
        assert within(20, lambda: cast("int", client.llen(QUEUE)) >= 3)
        hints = cast("list[bytes]", client.lrange(QUEUE, 0, -1))

        def repeat() -> bool:
            client.lpush(QUEUE, *random.sample(hints, k=len(hints)))
            return arena.is_done()

        for _ in range(2):
            arena.start("worker", "--no-tick")
        assert within(60, repeat, every_s=0.2)
        n_sends = arena.gateway.stats()["sends"]
        client.lpush(QUEUE, *hints)
        assert within(60, lambda: not client.exists(QUEUE, UNACKED), every_s=0.1)

    assert arena.gateway.stats()["sends"] == n_sends
    assert not judged(arena, workers=2)
