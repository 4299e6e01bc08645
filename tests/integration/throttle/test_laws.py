"""What never happens and what is reached, judged by the departures of greedy callers in simulated time."""

import uuid
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.throttle.conftest import Script
from tests.integration.throttle.greedy import EMPTY, START_US, Caller, run
from tests.throttle_model import most_units
from worker.throttle.call import Ask, History, Reason
from worker.throttle.limits import Limit, Limits

pytestmark = pytest.mark.redis


def limits(*rates: tuple[int, int]) -> Limits:
    return Limits(
        rates=tuple(Limit(amount=amount, window_s=window_s) for amount, window_s in rates),
        guard_s=0.0,
        connections=10_000,
    )


def callers(number: int, of: Limits) -> list[Caller]:
    return [Caller(f"caller {index}", of) for index in range(number)]


@settings(max_examples=25, deadline=None)
@given(amount=st.integers(1, 1000), number=st.integers(1, 6), seed=st.integers(0, 10_000))
def test_no_second_has_more_units_than_its_limit(
    script_at: Script, amount: int, number: int, seed: int
) -> None:
    of = limits((amount, 1))

    departed = run(
        script_at, callers(number, of), account=uuid.uuid4().hex, seconds=3 + 3 / amount, seed=seed
    )

    assert most_units(departed, window_s=1) <= amount


@settings(max_examples=25, deadline=None)
@given(
    amount=st.integers(1, 500),
    largest=st.integers(2, 60),
    number=st.integers(1, 4),
    seed=st.integers(0, 10_000),
)
def test_no_second_has_more_than_its_limit_and_the_largest_request_less_one(
    script_at: Script, amount: int, largest: int, number: int, seed: int
) -> None:
    def cost(chance: Random) -> int:
        return chance.randint(1, largest)

    departed = run(
        script_at,
        callers(number, limits((amount, 1))),
        account=uuid.uuid4().hex,
        seconds=4,
        cost=cost,
        seed=seed,
    )

    assert most_units(departed, window_s=1) <= amount + largest - 1


@settings(max_examples=25, deadline=None)
@given(
    minute=st.integers(5, 900),
    hour=st.integers(5, 2000),
    second=st.sampled_from([(), ((7, 1),), ((50, 1),)]),
    largest=st.integers(1, 5),
)
def test_no_longer_window_is_ever_above_its_limit(
    script_at: Script, minute: int, hour: int, second: tuple[tuple[int, int], ...], largest: int
) -> None:
    of = limits((minute, 60), (hour, 3600), *second)

    departed = run(
        script_at,
        callers(2, of),
        account=uuid.uuid4().hex,
        seconds=200,
        cost=lambda chance: chance.randint(1, largest),
    )

    assert most_units(departed, window_s=60) <= minute
    assert most_units(departed, window_s=3600) <= hour


@pytest.mark.parametrize("number", [1, 2, 4, 8])
@pytest.mark.parametrize("amount", [1, 10, 100, 1000])
def test_greedy_callers_use_the_whole_rate_and_get_the_same(
    script_at: Script, account: str, amount: int, number: int
) -> None:
    seconds = 6000 / amount if amount < 100 else 20
    everyone = callers(number, limits((amount, 1)))
    for caller in everyone[1:]:
        caller.late_us = 8_000  # the first has the shorter way

    departed = run(script_at, everyone, account=account, seconds=min(seconds, 100))

    assert len(departed) >= 0.99 * amount * min(seconds, 100)
    units = [caller.units for caller in everyone]
    assert max(units) - min(units) <= max(0.05 * max(units), 1)


def test_a_longer_window_alone_is_used_but_for_its_last_cell(script_at: Script, account: str) -> None:
    departed = run(script_at, callers(2, limits((5, 60))), account=account, seconds=3600)

    assert len(departed) >= 0.99 * 5 * 60
    assert most_units(departed, window_s=60) == 5


def test_a_message_that_costs_more_than_a_second_leaves_and_delays_the_next(
    script_at: Script, account: str
) -> None:
    departed = run(
        script_at, callers(1, limits((5, 1))), account=account, seconds=20, cost=lambda _: 8, batch=3
    )

    assert {later - first for (first, _), (later, _) in pairwise(departed)} == {1_600_000}


def test_callers_that_share_a_longer_window_get_the_same(script_at: Script, account: str) -> None:
    everyone = callers(2, limits((5, 60)))
    everyone[1].late_us = 8_000

    run(script_at, everyone, account=account, seconds=1800)

    assert abs(everyone[0].units - everyone[1].units) <= 5


def test_a_departure_is_given_back_to_the_count_that_has_it_and_to_no_later_one(
    script_at: Script, account: str
) -> None:
    def granted(now: int, *, unused: tuple[tuple[int, int], ...] = (), begun: int = 0) -> tuple[int, ...]:
        costs = () if unused else (1,)
        asked = replace(ask, costs=costs, unused=unused, begun=begun, history=EMPTY)
        return script_at.reserve(asked, now=now, run="a")[4]

    ask = callers(1, limits((1, 3600)))[0].ask(account)
    granted(START_US)
    (first,) = granted(START_US + 2_000_000)
    begun = script_at.begun

    granted(START_US + 2_100_000, unused=((first, 1),), begun=begun)
    (again,) = granted(START_US + 2_200_000)
    assert granted(START_US + 2_300_000) == ()

    granted(START_US - 3_000_000)  # the clock was set back: all begins anew
    assert len(granted(START_US - 1_000_000)) == 1
    granted(START_US - 900_000, unused=((again, 1),), begun=begun)
    assert granted(START_US - 800_000) == ()


def test_what_another_version_of_the_script_wrote_is_forgotten(
    script_at: Script, redis_url: str, account: str
) -> None:
    ask = callers(1, limits((5, 1)))[0].ask(account)
    now = START_US + 1
    with redis.Redis.from_url(redis_url) as client:
        client.eval(
            f"redis.call('SET', KEYS[1], cmsgpack.pack({{ run = 'a', now = {START_US} }}))", 1, ask.key
        )

    assert script_at.reserve(ask, now=now, run="a")[0] == Reason.NEW


@pytest.mark.parametrize(("before", "after", "apart_us"), [(1, 100, 80_000), (100, 1, 8_000_000)])
def test_what_is_owed_is_owed_at_the_rate_of_now(
    script_at: Script, account: str, before: int, after: int, apart_us: int
) -> None:
    ask = Ask(
        account=account,
        process="one",
        limits=limits((before, 1)),
        in_use=0,
        holds=0,
        costs=(8,),
        lead_us=0,
        reach_us=220_000,
        deadline_us=10_000_000,
        history=History(),
    )
    script_at.reserve(replace(ask, history=None), now=1_000_000_000, run="one")
    *_, (first,) = script_at.reserve(ask, now=1_002_000_000, run="one")

    changed = replace(ask, limits=limits((after, 1)))
    _, next_in_us, _, _, departures = script_at.reserve(changed, now=first, run="one")

    assert (departures[0] - first if departures else next_in_us) == apart_us
