"""A campaign of 20,000 messages is paused, resumed and cancelled while two workers send it."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import select

from tests.e2e.place import Done
from tests.fault import books
from tests.fault.arena import Arena, order
from tests.fault.stamping import StampingDoor, stamping_door
from tests.ledgers import assert_counts
from worker.ledger.engine import reading
from worker.ledger.models import ORDERS
from worker.states import PROVEN

pytestmark = [pytest.mark.fault, pytest.mark.redis, pytest.mark.timeout(180)]
N = 20_000
LATENCY_MS = 40
SOME = 300
QUIET_S = 1.5  # in which something could begin that must not
MARK_TO_WRITE_MS = 250


@dataclass(frozen=True, kw_only=True)
class Given:
    """An order: how it ended, and when requests began that began after it, all in milliseconds from then.

    The ledger tells when it was given: before its commit, and after those of all marks that it has let pass.
    """

    done: Done
    returned_ms: float
    began_ms: list[float]


def give(arena: Arena, door: StampingDoor, *words: str) -> Given:
    """Give an order in the midst of sending, and look for a while what begins after it."""
    before = len(door.began_ms)
    assert arena.waits_for(lambda: len(door.began_ms) >= before + SOME)
    done = arena.run("campaign", *words)
    returned_ms = time.time() * 1000
    time.sleep(QUIET_S)
    with reading(arena.place.engine) as connection:
        at = connection.scalar(select(ORDERS.c.at).order_by(ORDERS.c.id.desc()).limit(1))
    assert at is not None
    began_ms = [each - at for each in door.began_ms if each > at]
    return Given(done=done, returned_ms=returned_ms - at, began_ms=began_ms)


def test_nothing_begins_after_a_pause_and_a_cancel_have_returned(
    arena: Arena, record_property: Callable[[str, object], None]
) -> None:
    with stamping_door(gateway_port=arena.gateway.port) as door:
        arena.configure(base_url=f"http://127.0.0.1:{door.port}")
        arena.gateway.set_faults(latency_ms=LATENCY_MS)
        arena.place.write_numbers("all.csv", N)
        assert arena.run(*order("all.csv", "Hi {{ first_name }}")).code == 0
        for _ in range(2):
            arena.start()
        paused = give(arena, door, "pause", "1")
        resumed = arena.run("campaign", "resume", "1")
        cancelled = give(arena, door, "cancel", "1", "--yes")
        assert arena.is_answered()
        doctor = json.loads(arena.run("doctor", "--json").out)

    found = books.states(arena.place.engine)
    n_proven = sum(found[state] for state in PROVEN)
    for given in (paused, cancelled):
        last_ms = max(given.began_ms, default=0.0)
        record_property("control", f"returned: {given.returned_ms:.0f} ms, last began: {last_ms:.0f} ms")
        assert given.done.code == 0, given.done.err
        assert last_ms < given.returned_ms
        assert last_ms <= MARK_TO_WRITE_MS
    assert resumed.code == 0
    assert n_proven + found["cancelled"] == N
    assert found["cancelled"] > 0
    assert arena.gateway.stats()["accepted"] == n_proven
    assert arena.gateway.stats()["duplicates"] == {"reference": 0, "text": 0}
    assert_counts(arena.place.engine)
    assert doctor["problems"] == []
