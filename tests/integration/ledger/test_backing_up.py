import sqlite3
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from tests.ledgers import (
    assert_counts,
    do,
    due_rows,
    lease,
    mark,
    record,
    release,
    result,
    run_campaign,
    states,
    try_lease,
    unclear,
)
from worker.errors import LedgerError
from worker.ledger import control, orders
from worker.ledger.audit import audit
from worker.ledger.backing_up import back_up
from worker.ledger.engine import open_ledger, reading
from worker.ledger.models import CAMPAIGNS
from worker.ledger.schema import prepare
from worker.states import MessageState

TAKEN = "2027-01-31T08:00:00Z"


def copied(engine: Engine, tmp_path: Path) -> Engine:
    """Back a ledger up, and open the copy."""
    target = tmp_path / "copy.db"
    target.touch()
    back_up(Path(str(engine.url.database)), target, taken=TAKEN, author="operator")
    assert not Path(f"{target}-wal").exists()
    copy = open_ledger(f"sqlite:///{target}")
    prepare(copy)
    return copy


def campaign_states(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.scalars(select(CAMPAIGNS.c.state).order_by(CAMPAIGNS.c.id)))


def test_the_copy_holds_everything_and_adds_up(sqlite_engine: Engine, tmp_path: Path) -> None:
    held = lease(sqlite_engine, run_campaign(sqlite_engine, 3))
    first, *_ = mark(sqlite_engine, held, *([row] for row in due_rows(sqlite_engine, held)))
    record(sqlite_engine, result(first, MessageState.ACCEPTED))

    copy = copied(sqlite_engine, tmp_path)

    assert states(copy) == states(sqlite_engine) == ["accepted", "submitting", "submitting"]
    assert_counts(copy)
    with reading(copy) as connection:
        assert [each for each in audit(connection).findings if each.is_problem] == []
    copy.dispose()


def test_what_was_under_way_is_paused_in_the_copy_alone(sqlite_engine: Engine, tmp_path: Path) -> None:
    done = lease(sqlite_engine, run_campaign(sqlite_engine, 1, name="done"))
    record(sqlite_engine, *(result(each, MessageState.ACCEPTED) for each in mark(sqlite_engine, done)))
    release(sqlite_engine, done)
    unknown = lease(sqlite_engine, run_campaign(sqlite_engine, 1, name="unknown"))
    record(sqlite_engine, *(unclear(each) for each in mark(sqlite_engine, unknown)))
    release(sqlite_engine, unknown)
    batch_id = run_campaign(sqlite_engine, 2, name="queued")

    copy = copied(sqlite_engine, tmp_path)

    assert campaign_states(sqlite_engine) == ["running"] * 3
    assert campaign_states(copy) == ["running", "paused", "paused"]
    assert try_lease(copy, batch_id) is None
    with reading(copy) as connection:
        who, _, why = control.paused_by(connection, 3)
        (noted,) = orders.of_campaign(connection, 3)
    assert who == "bulksend"
    assert str(why).startswith(f"restored from the backup of {TAKEN}: ")
    assert (noted["author"], noted["what"]) == ("operator", "pause")
    do(copy, control.resume, 3, author="operator")
    assert try_lease(copy, batch_id) is not None
    copy.dispose()


def test_nobody_who_writes_waits_for_it(sqlite_engine: Engine, tmp_path: Path) -> None:
    for n in range(20):
        run_campaign(sqlite_engine, 50, name=str(n))
    source, target = Path(str(sqlite_engine.url.database)), tmp_path / "copy.db"
    target.touch()
    waits: list[float] = []
    is_over = threading.Event()

    def write() -> None:
        n = 100
        while not is_over.is_set():
            began = time.monotonic()
            run_campaign(sqlite_engine, 1, name=str(n))
            waits.append(time.monotonic() - began)
            n += 1

    writer = threading.Thread(target=write)
    writer.start()

    def slowly(_n: int, _of: int) -> None:
        time.sleep(0.2)  # so that many commits fall between two pieces

    back_up(source, target, taken=TAKEN, author="operator", on_pages=slowly)
    is_over.set()
    writer.join(20)

    with sqlite3.connect(target) as copy:
        assert copy.execute("PRAGMA quick_check").fetchone() == ("ok",)
        assert copy.execute("SELECT count(*) FROM campaigns").fetchone()[0] >= 20
    copy.close()
    assert len(waits) > 1


def test_a_ledger_of_an_older_schema_is_backed_up_before_its_upgrade(tmp_path: Path) -> None:
    source, target = tmp_path / "old.db", tmp_path / "copy.db"
    target.touch()
    with sqlite3.connect(source) as old:
        old.executescript(
            "CREATE TABLE alembic_version (version_num TEXT); INSERT INTO alembic_version VALUES ('0001');"
            "CREATE TABLE messages (id INTEGER PRIMARY KEY); CREATE TABLE campaigns (id INTEGER PRIMARY KEY, "
            "state TEXT, reason TEXT, author TEXT); INSERT INTO campaigns VALUES (1, 'running', NULL, NULL);"
            "CREATE TABLE batches (campaign_id INTEGER, queued INTEGER, submitting INTEGER, unknown INTEGER);"
            "INSERT INTO batches VALUES (1, 1, 0, 0);"
        )
    old.close()

    back_up(source, target, taken=TAKEN, author="operator")

    with sqlite3.connect(target) as copy:
        assert copy.execute("SELECT state FROM campaigns").fetchall() == [("paused",)]
    copy.close()


@pytest.mark.parametrize("content", [b"", b"no database at all" * 1000])
def test_what_is_no_ledger_is_refused(tmp_path: Path, content: bytes) -> None:
    source, target = tmp_path / "ledger.db", tmp_path / "copy.db"
    source.write_bytes(content)
    target.touch()

    with pytest.raises(LedgerError):
        back_up(source, target, taken=TAKEN, author="operator")
