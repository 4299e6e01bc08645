from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.fault.servers import OwnRedis
from worker.doctor import STEPS, examine
from worker.settings import Settings


def test_it_says_what_it_looks_at_as_often_as_it_announces(sqlite_engine: Engine) -> None:
    steps: list[str] = []

    examine(Settings(ledger=str(sqlite_engine.url)), on_step=steps.append)

    assert len(steps) == STEPS


@pytest.mark.redis
def test_a_redis_that_may_not_be_asked_about_itself_is_a_problem(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    server = OwnRedis(tmp_path)
    try:
        server.client().acl_setuser(
            "narrow", enabled=True, passwords=["+key"], categories=["+@all", "-@dangerous"]
        )
        url = server.url.replace("//", "//narrow:key@")

        found = examine(Settings(ledger=str(sqlite_engine.url), broker=url))
    finally:
        server.kill()

    assert [each.code for each in found.problems if each.code.startswith("redis")] == ["redis_refuses"]
