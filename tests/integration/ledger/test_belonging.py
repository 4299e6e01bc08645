"""Every message lies in a batch of its campaign, and the database itself sees to it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote_plus

import pytest
from sqlalchemy import Delete, Engine, MetaData, Update, delete, insert, select, text, update
from sqlalchemy.schema import CreateSchema

from tests.ledgers import do, run_campaign
from worker.errors import LedgerError
from worker.ledger.engine import open_ledger, reading, writing
from worker.ledger.models import BATCHES, MESSAGES
from worker.ledger.schema import prepare
from worker.waiting import within

REFUSED = r"FOREIGNKEY|ForeignKey"
MESSAGE: dict[str, object] = {
    "campaign_id": 1,
    "batch_id": 1,
    "line": 2,
    "msisdn": "+4520304050",
    "region": "DK",
    "encoding": "gsm7",
    "parts": 1,
    "due_at": 0,
    "changed_at": 0,
}


def two_batches(engine: Engine) -> tuple[int, int]:
    """Give batches of two campaigns."""
    return run_campaign(engine, name="spring"), run_campaign(engine, name="autumn")


def somebody_waits(engine: Engine) -> bool:
    with reading(engine) as connection:
        return bool(connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def test_it_is_not_moved_into_a_batch_that_is_not_there(engine: Engine) -> None:
    run_campaign(engine)

    with pytest.raises(LedgerError, match=REFUSED), writing(engine) as connection:
        connection.execute(update(MESSAGES).values(batch_id=99))


@pytest.mark.postgres
def test_it_is_not_moved_into_a_batch_of_another_campaign(postgres_engine: Engine) -> None:
    _, other = two_batches(postgres_engine)

    with pytest.raises(LedgerError, match=REFUSED), writing(postgres_engine) as connection:
        connection.execute(update(MESSAGES).values(batch_id=other))


def test_it_is_not_added_to_a_batch_that_is_not_there(engine: Engine) -> None:
    run_campaign(engine)

    with pytest.raises(LedgerError, match=REFUSED), writing(engine) as connection:
        connection.execute(insert(MESSAGES), [MESSAGE, MESSAGE | {"batch_id": 99}])


@pytest.mark.postgres
def test_it_is_not_added_to_a_batch_of_another_campaign(postgres_engine: Engine) -> None:
    _, other = two_batches(postgres_engine)

    with pytest.raises(LedgerError, match=REFUSED), writing(postgres_engine) as connection:
        connection.execute(insert(MESSAGES), [MESSAGE, MESSAGE | {"batch_id": other}])


@pytest.mark.parametrize(
    "step",
    [
        lambda batch_id: delete(BATCHES).where(BATCHES.c.id == batch_id),
        lambda batch_id: update(BATCHES).where(BATCHES.c.id == batch_id).values(id=99),
    ],
    ids=["removed", "renamed"],
)
def test_a_batch_with_messages_stays(engine: Engine, step: Callable[[int], Delete | Update]) -> None:
    batch_id = run_campaign(engine)

    with pytest.raises(LedgerError, match=REFUSED), writing(engine) as connection:
        connection.execute(step(batch_id))


def test_batches_go_with_their_messages(engine: Engine) -> None:
    batch_id = run_campaign(engine)

    with writing(engine) as connection:
        connection.execute(delete(MESSAGES))
        connection.execute(delete(BATCHES).where(BATCHES.c.id == batch_id))

    with reading(engine) as connection:
        assert connection.execute(select(BATCHES.c.id)).all() == []


@pytest.mark.postgres
def test_a_batch_into_which_somebody_writes_is_not_removed_meanwhile(postgres_engine: Engine) -> None:
    batch_id = run_campaign(postgres_engine)
    do(postgres_engine, lambda connection: connection.execute(delete(MESSAGES)))

    def remove() -> None:
        do(postgres_engine, lambda connection: connection.execute(delete(BATCHES)))

    with ThreadPoolExecutor(1) as pool:
        with writing(postgres_engine) as connection:
            connection.execute(insert(MESSAGES), [MESSAGE | {"batch_id": batch_id}])
            removal = pool.submit(remove)
            assert within(10, lambda: somebody_waits(postgres_engine))
        assert isinstance(removal.exception(), LedgerError)


@pytest.mark.postgres
def test_it_belongs_wherever_the_tables_are_and_whoever_writes(postgres_url: str) -> None:
    elsewhere = 'our "own" place'
    anybody = open_ledger(postgres_url)
    with writing(anybody) as connection:
        connection.execute(CreateSchema(elsewhere))
    path = quote_plus(f'-csearch_path="{elsewhere.replace(chr(34), chr(34) * 2)}"'.replace(" ", "\\ "))
    ours = open_ledger(f"{postgres_url}{'&' if '?' in postgres_url else '?'}options={path}")
    prepare(ours)
    run_campaign(ours)

    theirs = MESSAGES.to_metadata(MetaData(), schema=elsewhere)
    with writing(anybody) as connection:
        connection.execute(update(theirs).values(batch_id=theirs.c.batch_id))
    with pytest.raises(LedgerError, match=REFUSED), writing(anybody) as connection:
        connection.execute(update(theirs).values(batch_id=99))
    ours.dispose()
    anybody.dispose()
