"""The bench in small, with real processes; bounds that a busy machine does not break."""

from collections.abc import Iterator

import pytest

from tests.bench import departing
from tests.bench.plan import GUARD_S, Case
from tests.bench.processes import Receiving, receiving
from tests.bench.whole import world
from worker.waiting import within

pytestmark = [pytest.mark.redis, pytest.mark.slow]

SECONDS = 4.0


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiving]:
    with receiving() as server:
        yield server


@pytest.mark.parametrize(
    "case",
    [
        Case(per_second=10, latency_s=0.3, processes=2),
        Case(per_second=100, latency_s=0.05, processes=3),
        Case(per_second=300, latency_s=0.0, processes=2),
        Case(per_second=100, latency_s=0.05, processes=2, largest=8),
    ],
    ids=lambda case: case.name,
)
def test_processes_keep_a_limit_and_use_it_though_one_joins_and_one_is_killed(
    redis_url: str, receiver: Receiving, case: Case
) -> None:
    ran = departing.run(case, seconds=SECONDS, guard_s=0.0, redis_url=redis_url, receiver=receiver)

    assert ran.granted.most <= case.per_second + case.largest - 1
    assert ran.written.uses(0.5)
    assert ran.out_s is not None
    assert ran.out_s < SECONDS


def test_what_leaves_is_what_comes_and_comes_evenly(redis_url: str, receiver: Receiving) -> None:
    case = Case(per_second=100, latency_s=0.05, processes=2, is_stirred=False)

    ran = departing.run(case, seconds=SECONDS, guard_s=GUARD_S, redis_url=redis_url, receiver=receiver)

    assert ran.came.units == ran.written.units
    assert ran.came.most <= 1.5 * case.per_second
    assert ran.came.uses(0.5)


def test_an_urgent_message_overtakes_a_bulk_campaign() -> None:
    with world(rate="50/s") as here:
        here.send("bulk", "Hi {{ first_name }}", rows=1000)
        with here.workers():
            assert here.wait_for(20, 60)
            here.send("now", "Now!", "--urgent", rows=1)
            assert within(10, lambda: bool(here.came("Now")))

        assert len(here.came("Hi")) < 1000
