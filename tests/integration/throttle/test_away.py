"""Redis away, hanging, started again empty: nothing leaves that might be too much. By the real clock."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fault.servers import OwnRedis
from tests.integration.throttle.greedy import EMPTY, Caller
from worker.clock import elapsed_s
from worker.errors import BrokerError
from worker.throttle.call import Ask, Grant, Reason
from worker.throttle.limits import Limit, Limits
from worker.throttle.throttle import Standing, Throttle
from worker.waiting import within

pytestmark = [pytest.mark.redis, pytest.mark.slow]

LIMITS = Limits(rates=(Limit(amount=100, window_s=1),), guard_s=0.0, connections=16)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def throttle(server: OwnRedis) -> Iterator[Throttle]:
    throttle = Throttle(server.url)
    yield throttle
    throttle.close()


@pytest.fixture
def ask(account: str) -> Ask:
    return replace(Caller("one", LIMITS, waiting=[1] * 4).ask(account), history=EMPTY)


def first_grant(throttle: Throttle, ask: Ask) -> Grant:
    """Ask until something is granted."""
    grants = [throttle.reserve(ask)]

    def is_granted() -> bool:
        grants.append(throttle.reserve(ask))
        return bool(grants[-1].departures)

    assert grants[0].reason is Reason.NEW
    assert within(5, is_granted)
    return grants[-1]


def test_a_server_that_is_new_grants_nothing_for_a_second_and_a_reach(throttle: Throttle, ask: Ask) -> None:
    begun = throttle.reserve(ask).now

    grant = first_grant(throttle, ask)

    assert grant.now - begun >= 1_000_000 + ask.reach_us
    assert all(0 < grant.local_s(departure) - elapsed_s() < 0.3 for departure in grant.departures)


def test_a_server_that_was_started_again_empty_begins_anew(
    server: OwnRedis, throttle: Throttle, ask: Ask
) -> None:
    before = first_grant(throttle, ask).departures[-1]

    server.kill()
    with pytest.raises(BrokerError, match="Redis"):
        throttle.reserve(ask)
    server.start()

    assert first_grant(throttle, ask).departures[0] - before >= 1_000_000


def test_a_server_that_was_replaced_with_the_old_content_begins_anew(
    server: OwnRedis, throttle: Throttle, ask: Ask
) -> None:
    before = first_grant(throttle, ask).departures[-1]
    with server.client() as client:
        kept = client.dump(ask.key)

    server.kill()
    server.start()
    with server.client() as client:
        client.restore(ask.key, 0, kept)

    assert first_grant(throttle, ask).departures[0] - before >= 1_000_000


def test_an_answer_that_comes_too_late_is_nobodys(server: OwnRedis, throttle: Throttle, ask: Ask) -> None:
    first = first_grant(throttle, ask).departures
    with server.client() as client:
        number = int(client.info("server")["process_id"])

    os.kill(number, signal.SIGSTOP)
    began_s = time.monotonic()
    with pytest.raises(BrokerError):
        throttle.reserve(ask)
    took_s = time.monotonic() - began_s
    os.kill(number, signal.SIGCONT)
    after = throttle.reserve(ask)

    assert took_s < 2
    assert after.now + ask.lead_us <= after.departures[0] > first[-1]


def test_how_an_account_stands_is_told_without_touching_it(throttle: Throttle, ask: Ask) -> None:
    first_grant(throttle, ask)
    throttle.reserve(replace(ask, costs=(), in_use=4, holds=4))

    assert within(1, lambda: throttle.standing([ask.account])[ask.account].per_second == 4)
    assert throttle.standing([ask.account, "unknown"]) == {
        ask.account: Standing(per_second=4, in_use=4, connections=4, processes=1),
        "unknown": Standing(per_second=0, in_use=0, connections=0, processes=0),
    }


def refuse_info(server: OwnRedis) -> str:
    """Let a user do all but what hosted servers often forbid; return an address with it."""
    server.client().acl_setuser(
        "narrow", enabled=True, passwords=["+key"], categories=["+@all", "-@dangerous"], keys=["*"]
    )
    return server.url.replace("//", "//narrow:key@")


def be_full(server: OwnRedis) -> str:
    server.client().config_set("maxmemory-policy", "noeviction")
    server.client().config_set("maxmemory", "1kb")
    return server.url


@pytest.mark.parametrize("refuse", [refuse_info, be_full])
def test_a_server_that_refuses_is_not_called_away(
    server: OwnRedis, ask: Ask, refuse: Callable[[OwnRedis], str]
) -> None:
    with closing(Throttle(refuse(server))) as throttle, pytest.raises(BrokerError, match="Redis refuses"):
        throttle.reserve(ask)
