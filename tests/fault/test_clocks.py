"""The clock of a worker is wrong by ten minutes, and steps: what is due is for the database to say."""

import os

import pytest

from tests.fault.arena import Arena
from tests.fault.conftest import Judged

PROMISED_MS = 1000  # 99 of 100 are late by less, at half of the capacity; not asked of a busy machine
BUSY_MS = 5000  # all of them, on any machine; by the wrong clock it would be ten minutes

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


@pytest.mark.parametrize("shift_s", [600, -600], ids=["ahead", "behind"])
def test_a_workers_clock_is_wrong_by_ten_minutes_and_what_is_due_leaves_in_time(
    arena: Arena, judged: Judged, shift_s: float
) -> None:
    arena.set_clock(shift_s, role="celery")  # those who publish have the right one
    arena.start()
    is_quiet = os.getloadavg()[0] < (os.cpu_count() or 1)
    due = arena.schedule(lambda now: [now + 6000] * 300 + [now + 7500] * 300)

    problems = judged(arena)

    late_ms = arena.late_ms(due)
    assert not problems
    assert (len(late_ms), late_ms[0] >= 0) == (600, True)
    assert late_ms[-1] < BUSY_MS
    assert not is_quiet or late_ms[int(0.99 * len(late_ms))] < PROMISED_MS
