"""Numbers opt out, one and a list of them, while two workers send thousands of messages."""

import json
import re
import time
from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from tests.fault import books
from tests.fault.arena import Arena, order
from tests.fault.stamping import StampingDoor, stamping_door
from tests.ledgers import assert_counts
from worker.ledger.engine import reading
from worker.ledger.models import OPT_OUTS
from worker.states import PROVEN

pytestmark = [pytest.mark.fault, pytest.mark.redis, pytest.mark.timeout(180)]
N = 3000
EVERY = 7  # of the numbers opts out
LATENCY_MS = 40
SOME = 300
MARK_TO_WRITE_MS = 250
_NUMBER = re.compile(rb"45(2\d{7})")


def numbers_of(request: bytes) -> set[str]:
    return {f"+45{found.decode()}" for found in _NUMBER.findall(request)}


def last_noted_ms(arena: Arena) -> int:
    with reading(arena.place.engine) as connection:
        return int(connection.execute(select(func.max(OPT_OUTS.c.noted_at))).scalar_one())


def has_begun(arena: Arena, door: StampingDoor) -> bool:
    before = len(door.began)
    return arena.waits_for(lambda: len(door.began) >= before + SOME)


def test_no_request_to_a_number_begins_after_its_opt_out_has_returned(
    arena: Arena, record_property: Callable[[str, object], None]
) -> None:
    listed = {f"+45{20_000_000 + i}" for i in range(0, N, EVERY)}
    alone = f"+45{20_000_000 + N - 1}"
    with stamping_door(gateway_port=arena.gateway.port) as door:
        arena.configure(base_url=f"http://127.0.0.1:{door.port}")
        arena.gateway.set_faults(latency_ms=LATENCY_MS)
        arena.place.write_numbers("all.csv", N)
        arena.place.write(
            "stopped.csv", "msisdn,scope\n" + "".join(f"{each},purpose:marketing\n" for each in listed)
        )
        assert arena.run(*order("all.csv", "Hi {{ first_name }}")).code == 0
        for _ in range(2):
            arena.start()
        assert has_begun(arena, door)
        one = arena.run("optout", "add", alone)
        one_ms = time.time() * 1000
        assert has_begun(arena, door)
        several = arena.run("optout", "import", "stopped.csv", "--json")
        several_ms, noted_ms = time.time() * 1000, last_noted_ms(arena)
        arena.n_messages = N
        assert arena.converges(lambda: True, see_to=lambda: None)
        doctor = json.loads(arena.run("doctor", "--json").out)

    began = [(at, number) for at, request in door.began for number in numbers_of(request)]
    late = [at - several_ms for at, number in began if number in listed and at > several_ms]
    last_ms = max((at - noted_ms for at, number in began if number in listed), default=0.0)
    found = books.states(arena.place.engine)
    n_proven = sum(found[state] for state in PROVEN)
    record_property("control", f"the last of a list began {last_ms:.0f} ms after it was noted")
    assert (one.code, several.code, several.json["added"]) == (0, 0, len(listed))
    assert [at for at, number in began if number == alone and at > one_ms] == []
    assert late == []
    assert last_ms <= MARK_TO_WRITE_MS
    assert found["suppressed"] + n_proven == N
    assert 0 < found["suppressed"] <= len(listed) + 1
    assert arena.gateway.stats()["accepted"] == n_proven
    assert arena.gateway.stats()["duplicates"] == {"reference": 0, "text": 0}
    assert_counts(arena.place.engine)
    assert doctor["problems"] == []
