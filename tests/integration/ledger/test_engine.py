import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, insert, make_url, select, text

from tests.conftest import free_port
from tests.ledgers import a_campaign, import_campaign, some_messages
from worker.errors import ConfigError, LedgerError
from worker.ledger import campaigns, reports
from worker.ledger.drafts import NewMessage
from worker.ledger.engine import LedgerUnavailableError, now_ms, open_ledger, reading, writing
from worker.ledger.models import MESSAGES

SECRET_TEXT = "Dear Ada, your code is 4711"
SECRET_NUMBER = "+4520304050"


def private_messages() -> Sequence[NewMessage]:
    return [replace(message, msisdn=SECRET_NUMBER) for message in some_messages(1, text=SECRET_TEXT)]


def break_a_constraint(connection: Connection) -> None:
    row = {"msisdn": SECRET_NUMBER, "text": SECRET_TEXT, "state": "nowhere", "region": "DK"}
    row |= {"encoding": "gsm7", "provider_ref": SECRET_NUMBER}
    numbers = dict.fromkeys(("campaign_id", "batch_id", "line", "parts", "due_at", "changed_at"), 1)
    connection.execute(insert(MESSAGES).values(**row, **numbers))


def leave_a_column_empty(connection: Connection) -> None:
    campaign_id = campaigns.create(connection, a_campaign("second"))
    bad = [replace(message, encoding=None) for message in private_messages()]  # type: ignore[arg-type]
    campaigns.add_batch(connection, campaign_id, bad)


def misspell(connection: Connection) -> None:
    values = {"number": SECRET_NUMBER, "body": SECRET_TEXT}
    connection.execute(text("SELECT :number, :body FROM nowhere"), values)


def create_and_misspell(connection: Connection) -> None:
    campaigns.create(connection, a_campaign())
    misspell(connection)


@pytest.mark.parametrize("fail", [break_a_constraint, leave_a_column_empty, misspell])
def test_a_refused_statement_prints_no_number_and_no_text(
    engine: Engine, fail: Callable[[Connection], None]
) -> None:
    import_campaign(engine, messages=private_messages())

    with pytest.raises(LedgerError) as caught, writing(engine) as connection:
        fail(connection)

    printed = "".join(traceback.format_exception(caught.value))
    assert "refused a statement" in printed
    assert SECRET_NUMBER not in printed
    assert SECRET_TEXT not in printed


def test_a_refused_statement_is_not_taken_for_a_ledger_that_is_away(engine: Engine) -> None:
    with pytest.raises(LedgerError) as caught, writing(engine) as connection:
        misspell(connection)

    assert not isinstance(caught.value, LedgerUnavailableError)


def test_what_was_begun_before_an_error_is_undone(engine: Engine) -> None:
    with pytest.raises(LedgerError), writing(engine) as connection:
        create_and_misspell(connection)

    with reading(engine) as connection:
        assert reports.reports(connection, limit=1) == []


def delete_as_a_reader(connection: Connection) -> None:
    connection.execute(text("SET LOCAL ROLE pg_read_all_stats"))
    connection.execute(text("DELETE FROM messages"))


@pytest.mark.postgres
def test_a_user_without_the_right_is_told_so(postgres_engine: Engine) -> None:
    with pytest.raises(LedgerError, match="lacks a right"), writing(postgres_engine) as connection:
        delete_as_a_reader(connection)


@pytest.mark.postgres
def test_a_postgres_that_is_away_is_unavailable_and_its_password_is_not_printed() -> None:
    engine = open_ledger(f"postgresql+psycopg://user:s3cret@127.0.0.1:{free_port()}/bulksend")

    with pytest.raises(LedgerUnavailableError, match="cannot be used now") as caught, reading(engine) as look:
        look.execute(select(1))

    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def lose(connection: Connection, other: Engine) -> None:
    number = connection.scalar(text("SELECT pg_backend_pid()"))
    with writing(other) as killer:
        killer.execute(text("SELECT pg_terminate_backend(:number)"), {"number": number})
    connection.execute(select(1))


@pytest.mark.postgres
def test_a_postgres_that_goes_away_is_unavailable_once_and_then_used_again(postgres_url: str) -> None:
    engine, other = open_ledger(postgres_url), open_ledger(postgres_url)

    with pytest.raises(LedgerUnavailableError), writing(engine) as connection:
        lose(connection, other)

    with reading(engine) as connection:
        assert connection.scalar(select(1)) == 1
    engine.dispose()
    other.dispose()


def test_a_sqlite_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    engine = open_ledger(f"sqlite:///{tmp_path}")  # a folder

    with pytest.raises(LedgerUnavailableError, match="SQLITE_CANTOPEN"), reading(engine) as connection:
        connection.execute(select(1))


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("bulksend.db", "not a database address"),
        ("mysql://localhost/bulksend", "mysql is not supported|not a database address"),
        ("sqlite://", "sqlite is not supported"),
        ("sqlite:////no/such/folder/bulksend.db", "the folder /no/such/folder does not exist"),
    ],
)
def test_an_address_of_no_use_is_refused_with_what_to_write(url: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=f"ledger: .*({sentence})"):
        open_ledger(url)


def test_the_database_tells_the_time_in_milliseconds_and_goes_on_within_a_transaction(engine: Engine) -> None:
    with writing(engine) as connection:
        seconds = connection.scalar(text(_SECONDS[engine.dialect.name]))
        before = connection.execute(select(now_ms())).scalar_one()
        while connection.execute(select(now_ms())).scalar_one() == before:
            pass

    assert before // 1000 - int(seconds) in {0, 1}


_SECONDS = {
    "sqlite": "SELECT strftime('%s', 'now')",
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())",
}


@pytest.mark.postgres
def test_a_server_with_other_defaults_still_gives_durable_commits_that_see_what_was_committed(
    postgres_url: str,
) -> None:
    plain = open_ledger(postgres_url)
    with writing(plain) as connection:
        name = plain.url.database
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"))
    plain.dispose()
    engine = open_ledger(postgres_url)

    with writing(engine) as connection:
        shown = [
            connection.scalar(text(f"SHOW {setting}"))
            for setting in ("synchronous_commit", "transaction_isolation")
        ]

    engine.dispose()
    assert shown == ["on", "read committed"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({}, ["20s", "10s", '"$user", public', "bulksend"], id="none"),
        pytest.param(
            {"options": "-csearch_path=private"}, ["20s", "10s", "private", "bulksend"], id="another setting"
        ),
        pytest.param(
            {"options": "-clock_timeout=7s", "application_name": "ours"},
            ["7s", "10s", '"$user", public', "ours"],
            id="the same settings",
        ),
    ],
)
@pytest.mark.postgres
def test_no_frozen_worker_holds_its_locks_for_long_and_what_the_address_says_holds(
    postgres_url: str, query: dict[str, str], expected: list[str]
) -> None:
    url = make_url(postgres_url).update_query_dict(query)
    engine = open_ledger(url.render_as_string(hide_password=False))
    settings = ("lock_timeout", "idle_in_transaction_session_timeout", "search_path", "application_name")

    with reading(engine) as connection:
        shown = [connection.scalar(text(f"SHOW {setting}")) for setting in settings]

    engine.dispose()
    assert shown == expected


def test_a_sqlite_ledger_waits_for_the_disk_and_lets_readers_read(sqlite_url: str) -> None:
    engine = open_ledger(sqlite_url)

    with reading(engine) as connection:
        shown = [
            connection.scalar(text(f"PRAGMA {setting}"))
            for setting in ("journal_mode", "synchronous", "foreign_keys")
        ]

    engine.dispose()
    assert shown == ["wal", 2, 1]  # 2 is FULL


def test_a_worker_without_psycopg_is_told_what_to_install() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from worker.errors import ConfigError\n"
        "from worker.ledger.engine import open_ledger\n"
        "try: open_ledger('postgresql://localhost/bulksend')\n"
        "except ConfigError as error: print(error)"
    )

    said = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "install Bulksend with its extra, `bulksend[postgres]`" in said.stdout


def write_where_nothing_may_be_written(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        campaigns.create(connection, a_campaign())


def test_a_postgres_that_became_read_only_can_be_written_to_later(postgres_engine: Engine) -> None:
    with pytest.raises(LedgerUnavailableError):
        write_where_nothing_may_be_written(postgres_engine)
