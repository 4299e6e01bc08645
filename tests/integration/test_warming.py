import logging
from collections.abc import Iterator
from contextlib import closing

import pytest
import redis
from sqlalchemy import Engine

from tests.conftest import free_port
from tests.ledgers import PROVIDER
from worker.providers import Account, accounts_of, note_rates
from worker.settings import Settings
from worker.throttle.call import state_key
from worker.throttle.throttle import Throttle
from worker.warming import Warmer

pytestmark = pytest.mark.redis


@pytest.fixture
def accounts(sqlite_engine: Engine) -> dict[str, Account]:
    provider = {
        "gateway": "cpsms",
        "base_url": "http://127.0.0.1:9/v2",
        "username": "acme",
        "secret": "env:KEY",
        "rate": "50/s, 1000/day",
    }
    found = accounts_of(Settings.model_validate({"providers": {PROVIDER: provider}}))
    note_rates(sqlite_engine, found)
    return found


@pytest.fixture
def throttle(empty_redis_url: str) -> Iterator[Throttle]:
    with closing(Throttle(empty_redis_url)) as made:
        yield made


def test_redis_knows_a_warmed_account_and_nobody_who_sends(
    sqlite_engine: Engine, accounts: dict[str, Account], throttle: Throttle, empty_redis_url: str
) -> None:
    key = accounts[PROVIDER].account_key

    Warmer(accounts=accounts, engine=sqlite_engine, throttle=throttle)(PROVIDER)

    with redis.Redis.from_url(empty_redis_url) as client:
        assert client.exists(state_key(key))
    standing = throttle.standing([key])[key]
    assert (standing.processes, standing.connections, standing.in_use) == (0, 0, 0)


def test_a_redis_that_is_away_is_no_matter_of_who_publishes(
    sqlite_engine: Engine, accounts: dict[str, Account], caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Throttle(f"redis://127.0.0.1:{free_port()}/0")) as away, caplog.at_level(logging.WARNING):
        Warmer(accounts=accounts, engine=sqlite_engine, throttle=away)(PROVIDER)

    assert caplog.messages == ["account not warmed"]
