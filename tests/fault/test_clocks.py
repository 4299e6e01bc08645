"""The clock of a worker is wrong by ten minutes, and steps: what is due is for the database to say."""

import pytest

from tests.fault.arena import Arena
from tests.fault.conftest import Judged

pytestmark = [pytest.mark.fault, pytest.mark.redis, pytest.mark.timeout(300)]


@pytest.mark.parametrize("shift_s", [600, -600], ids=["ahead", "behind"])
def test_a_clock_is_wrong_by_ten_minutes_and_steps(arena: Arena, judged: Judged, shift_s: float) -> None:
    arena.gateway.set_faults(latency_ms=300, refuse_429=2, retry_after_s=3)
    arena.set_clock(shift_s)
    arena.order("kill", "after_mark", "grouped")  # whose lease runs out by the right clock
    arena.start()
    arena.send()

    arena.fired()
    arena.set_clock(-shift_s)

    assert not judged(arena)
