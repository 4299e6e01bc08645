"""A worker child is killed, or stopped for longer than its lease, at each step of a message's way."""

import os
import signal

import pytest

from tests.fault import books
from tests.fault.arena import STEPS, Arena, kinds
from tests.fault.conftest import Judged

pytestmark = [pytest.mark.fault, pytest.mark.redis, pytest.mark.timeout(300)]
LEASE_S = 8.0


@pytest.mark.parametrize("step", STEPS)
def test_a_child_is_killed(arena: Arena, judged: Judged, step: str) -> None:
    for kind in kinds(step):
        arena.order("kill", step, kind)
    arena.start()

    arena.send()
    for _ in kinds(step):
        arena.fired()

    assert not judged(arena)


@pytest.mark.parametrize("step", STEPS)
def test_a_child_is_stopped_for_longer_than_its_lease(arena: Arena, judged: Judged, step: str) -> None:
    for kind in kinds(step):
        arena.order("stop", step, kind)
    arena.send()  # before: who is stopped while he writes holds up everybody who writes to SQLite

    arena.start()
    for _ in kinds(step):  # one after the other: the first may have all permits
        pid = arena.fired()
        arena.let_pass(LEASE_S + 1)
        os.kill(pid, signal.SIGCONT)

    assert not judged(arena)


def test_a_child_that_was_stopped_after_its_mark_does_not_write_what_has_left_by_order(
    arena: Arena, judged: Judged
) -> None:
    arena.order("stop", "after_mark", "grouped")
    for _ in range(2):  # the other has permits of its own
        arena.start()

    arena.send()
    pid = arena.fired()
    assert arena.waits_for(lambda: books.states(arena.place.engine)["unknown"] > 0)
    ordered = arena.run("unknown", "settle", "--campaign", "2", "--resend", "--yes")
    assert arena.sees(arena.n_messages)
    os.kill(pid, signal.SIGCONT)

    assert ordered.code == 0
    assert not judged(arena, workers=2)
