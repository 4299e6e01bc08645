import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command, config
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.schema import SchemaItem
from sqlmodel import SQLModel

from worker.errors import LedgerError
from worker.ledger import rates
from worker.ledger.engine import open_ledger, reading, writing
from worker.ledger.schema import SCHEMA, prepare, upgrade
from worker.states import MessageState

ROOT = Path(__file__).parents[3]

PREPARE = """
import sys
from alembic import command
from worker.ledger.engine import open_ledger
from worker.ledger.schema import prepare
engine = open_ledger(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
prepare(engine)
"""


def set_version(engine: Engine, number: str) -> None:
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": number})


def test_a_prepared_ledger_is_accepted_as_it_is(engine: Engine) -> None:
    prepare(engine)

    with reading(engine) as connection:
        assert "messages" in inspect(connection).get_table_names()


def start_to_prepare(url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PREPARE, url],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_programs_that_start_at_once_make_one_ledger(ledger_url: str) -> None:
    programs = [start_to_prepare(ledger_url) for _ in range(3)]
    for program in programs:
        assert program.stdout is not None
        program.stdout.readline()
    for program in programs:
        assert program.stdin is not None
        program.stdin.write("\n")
        program.stdin.flush()

    ends = [(program.communicate(timeout=60)[1], program.returncode) for program in programs]

    assert ends == [("", 0)] * 3


def is_of(dialect: str) -> Callable[..., bool]:
    """Leave out what the models declare for another database."""

    def include(item: SchemaItem, *_: object) -> bool:
        limited = getattr(item, "_ddl_if", None)  # SQLAlchemy tells it nowhere else
        return limited is None or limited.dialect == dialect

    return include


def test_the_migrated_schema_is_the_one_of_the_models(engine: Engine) -> None:
    with reading(engine) as connection:
        options = {"compare_type": True, "include_object": is_of(engine.dialect.name)}
        context = MigrationContext.configure(connection, opts=options)

        differences = compare_metadata(context, SQLModel.metadata)

    assert differences == []


@pytest.mark.parametrize(
    ("number", "sentence"),
    [("0001", "run `bulksend ledger upgrade`"), ("9999", "install the newer Bulksend")],
)
def test_another_schema_is_refused_with_what_to_do(engine: Engine, number: str, sentence: str) -> None:
    set_version(engine, number)

    with pytest.raises(LedgerError, match=sentence):
        prepare(engine)


def test_upgrade_makes_an_empty_ledger(ledger_url: str) -> None:
    engine = open_ledger(ledger_url)

    steps = upgrade(engine), upgrade(engine)

    engine.dispose()
    assert steps == ((None, SCHEMA), (SCHEMA, SCHEMA))


def older_ledger(engine: Engine, number: str) -> None:
    """Make a ledger of an older schema with an account and a campaign of one message."""
    settings = config.Config()
    settings.set_main_option("script_location", str(ROOT / "worker" / "ledger" / "migrations"))
    with writing(engine) as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, number)
        connection.execute(text("INSERT INTO accounts VALUES ('acme', 0, NULL, 0, 0)"))
        connection.execute(
            text(
                "INSERT INTO campaigns (id, name, fingerprint, state, provider, sender, template, options, "
                "source, created_at, n_rows, n_duplicates, n_refused, n_skipped) "
                "VALUES (1, 'spring', 'x', 'running', 'acme', 'ACME', 'Hi', '{}', 'a.csv', 0, 0, 0, 0, 0)"
            )
        )
        insert_batch(connection)
        connection.execute(
            text(
                "INSERT INTO messages (campaign_id, batch_id, line, msisdn, region, encoding, parts, state, "
                "due_at, changed_at, attempts) "
                "VALUES (1, 1, 2, '+4520304050', 'DK', 'gsm7', 1, 'queued', 0, 0, 0)"
            )
        )


def insert_batch(connection: Connection, **lane: str) -> None:
    counters = ", ".join(MessageState)
    names = f"campaign_id, provider, state, next_due_at, fence, lost_leases, n_hints, {counters}"
    zeros = ", ".join("0" for _ in MessageState)
    columns, values = "".join(f", {name}" for name in lane), "".join(f", :{name}" for name in lane)
    statement = (
        f"INSERT INTO batches ({names}{columns}) VALUES (1, 'acme', 'open', 0, 0, 0, 0, {zeros}{values})"  # noqa: S608 - of constants
    )
    connection.execute(text(statement), lane)


def test_upgrade_keeps_what_an_older_ledger_holds(ledger_url: str) -> None:
    engine = open_ledger(ledger_url)
    older_ledger(engine, "0001")

    steps = upgrade(engine)

    with reading(engine) as connection:
        lanes = connection.scalars(
            text("SELECT lane FROM campaigns UNION ALL SELECT lane FROM batches")
        ).all()
        rate = rates.effective(connection, "acme")
        numbers = connection.scalars(text("SELECT msisdn FROM messages")).all()
    engine.dispose()
    assert steps == ("0001", SCHEMA)
    assert (lanes, rate, numbers) == (["bulk", "bulk"], None, ["+4520304050"])


def test_there_are_no_other_lanes(ledger_url: str) -> None:
    engine = open_ledger(ledger_url)
    older_ledger(engine, "0001")
    upgrade(engine)
    with writing(engine) as connection:
        insert_batch(connection, lane="urgent")

    with pytest.raises(LedgerError), writing(engine) as connection:
        insert_batch(connection, lane="express")

    engine.dispose()


def test_upgrade_leaves_a_newer_ledger_alone(engine: Engine) -> None:
    set_version(engine, "9999")

    with pytest.raises(LedgerError, match="schema 9999, newer than"):
        upgrade(engine)


@pytest.mark.parametrize("step", [prepare, upgrade])
def test_a_database_of_somebody_else_is_left_alone(ledger_url: str, step: Callable[[Engine], object]) -> None:
    engine = open_ledger(ledger_url)
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE customers (id INTEGER)"))

    with pytest.raises(LedgerError, match="not Bulksend's: name an empty one"):
        step(engine)

    with reading(engine) as connection:
        assert inspect(connection).get_table_names() == ["customers"]
    engine.dispose()


def create_half(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
    connection.execute(text("INSERT INTO messages VALUES (1)"))


def test_an_interrupted_creation_leaves_nothing_behind(ledger_url: str) -> None:
    engine = open_ledger(ledger_url)

    with pytest.raises(LedgerError, match="refused a statement"), writing(engine) as connection:
        create_half(connection)

    prepare(engine)
    engine.dispose()
