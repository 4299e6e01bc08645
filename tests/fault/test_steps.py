"""A worker child is killed, or stopped for longer than its lease, at each step of a message's way."""

import os
import signal

import pytest

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
    arena.start()

    arena.send()
    for _ in kinds(step):  # one after the other: the first may have all permits
        pid = arena.fired()
        arena.let_pass(LEASE_S + 1)
        os.kill(pid, signal.SIGCONT)

    assert not judged(arena)
