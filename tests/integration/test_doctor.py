from sqlalchemy import Engine

from worker.doctor import STEPS, examine
from worker.settings import Settings


def test_it_says_what_it_looks_at_as_often_as_it_announces(sqlite_engine: Engine) -> None:
    steps: list[str] = []

    examine(Settings(ledger=str(sqlite_engine.url)), on_step=steps.append)

    assert len(steps) == STEPS
