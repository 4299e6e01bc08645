"""Opt-outs, looked up while a file is read."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from producer.optouts import look_up, looking
from producer.order import Order
from producer.preview import Preview, preview
from tests.ledgers import do
from worker.errors import ConfigError
from worker.ledger import optouts
from worker.ledger.engine import open_ledger, reading, writing
from worker.ledger.optouts import NewOptOut
from worker.ledger.schema import open_if_current, prepare
from worker.ledger.scopes import ALL
from worker.providers import account_named
from worker.settings import Settings
from worker.states import OptOutSource

NUMBERS = [f"+45203040{n:02}" for n in range(6)]
PROVIDER = {"gateway": "cpsms", "username": "acme", "secret": "env:KEY", "price": "0.35 DKK"}


@pytest.fixture
def order(tmp_path: Path) -> Order:
    """Give an order of six messages."""
    path = tmp_path / "members.csv"
    path.write_text("msisdn\n" + "".join(f"{number}\n" for number in NUMBERS))
    account = account_named(Settings.model_validate({"providers": {"acme": PROVIDER}}), "acme")
    return Order(path=path, template="Hi", account=account, sender="ACME", name="members")


def stop(engine: Engine, number: str) -> None:
    new = [NewOptOut(scope=ALL, source=OptOutSource.OPERATOR, msisdn=number)]
    do(engine, optouts.add, new, keeps_numbers=True)


def test_a_file_that_is_read_again_finds_what_held_before(engine: Engine, order: Order) -> None:
    stop(engine, NUMBERS[0])
    looked_up = look_up(engine, order)
    first = preview(looked_up)
    stop(engine, NUMBERS[1])
    do(engine, optouts.remove, [NUMBERS[0]])

    again = preview(look_up(engine, replace(order, looked_at=looked_up.looked_at)))

    assert (first.suppressed, again.suppressed) == (1, 1)
    assert first.fingerprint == again.fingerprint


def test_an_opt_out_changes_what_is_sent_and_not_what_was_ordered(engine: Engine, order: Order) -> None:
    before = preview(look_up(engine, order))
    stop(engine, NUMBERS[2])

    after = preview(look_up(engine, order))

    assert (before.messages, after.messages, after.skipped) == (6, 5, 1)
    assert before.fingerprint != after.fingerprint
    assert before.content == after.content


def sums(found: Preview) -> tuple[int, int]:
    return found.rows, found.messages + found.duplicates + found.skipped + found.refused


def test_every_row_is_in_one_sum(engine: Engine, order: Order) -> None:
    with order.path.open("a") as file:
        file.write(f"{NUMBERS[0]}\n{NUMBERS[1]}\nnobody\n")
    stop(engine, NUMBERS[0])

    found = preview(look_up(engine, order))

    assert sums(found) == (9, 9)
    assert (found.messages, found.duplicates, found.skipped, found.refused) == (5, 2, 1, 1)


# --- where there is no ledger, or another one


def test_without_a_ledger_nothing_is_looked_up_and_none_is_made(order: Order, tmp_path: Path) -> None:
    found, why_not = looking(f"sqlite:///{tmp_path / 'none.db'}", order)

    assert (found.looked_at, why_not) == (None, None)
    assert not (tmp_path / "none.db").exists()


def test_a_ledger_of_another_schema_is_said_and_left_alone(engine: Engine, order: Order) -> None:
    url = engine.url.render_as_string(hide_password=False)
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")

    found, why_not = looking(url, order)

    assert found.looked_at is None
    assert "schema 0001" in str(why_not)
    with pytest.raises(ConfigError, match="--skip-reached"):
        looking(url, replace(order, skip_reached_ms=1000))


@pytest.mark.parametrize("content", [b"", b"this is no database at all, whatever its name says" * 20])
def test_a_file_that_is_no_ledger_is_left_alone(order: Order, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.db"
    path.write_bytes(content)

    found, _ = looking(f"sqlite:///{path}", order)

    assert found.looked_at is None
    assert path.read_bytes() == content


def test_a_ledger_that_is_there_is_looked_into(ledger_url: str, order: Order) -> None:
    engine = open_ledger(ledger_url)
    prepare(engine)
    stop(engine, NUMBERS[3])
    engine.dispose()

    opened, why_not = open_if_current(ledger_url)

    assert opened is not None
    found = preview(look_up(opened, order))
    opened.dispose()
    assert (found.suppressed, why_not) == (1, None)


def test_a_number_is_looked_up_among_many(engine: Engine) -> None:
    numbers = [f"+45{20_000_000 + n}" for n in range(1200)]
    new = [NewOptOut(scope=ALL, source=OptOutSource.IMPORT, msisdn=number) for number in numbers[::3]]
    do(engine, optouts.add, new, keeps_numbers=False)

    with reading(engine) as connection:
        found = optouts.stopped(connection, optouts.key_of(connection), numbers, [ALL])

    assert found == set(numbers[::3])
