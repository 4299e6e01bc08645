"""The ledger's database is away, restarted, locked or full: what was obtained is not forgotten."""

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.fault import books
from tests.fault.arena import SHORT, Arena
from tests.fault.conftest import Judged
from tests.fault.servers import OwnPostgres

pytestmark = [pytest.mark.fault, pytest.mark.redis, pytest.mark.timeout(300)]
AWAY_S = 20.0
WAITING = "outcomes wait for the ledger"

UNASKED = SHORT.replace('settle = "2s"', 'settle = "10min"')  # what is forgotten is not found by asking


@pytest.fixture
def sqlite_arena(sqlite_arena: Arena) -> Arena:
    """Give a run in which the gateway is not asked about what is unknown."""
    sqlite_arena.configure(timers=UNASKED)
    return sqlite_arena


@pytest.fixture
def postgres_arena(postgres_arena: Arena) -> Arena:
    """Give the same on Postgres."""
    postgres_arena.configure(timers=UNASKED)
    return postgres_arena


def is_in_flight(arena: Arena) -> bool:
    """Wait until answers have come and requests are under way."""
    return arena.sees(1) and arena.waits_for(lambda: books.marked(arena.place.engine).requests > 0)


def all_are_kept(arena: Arena) -> bool:
    """Say whether the outcome of every request is on disk: each process gives its wait up in its own time."""
    ledger = Path(str(arena.place.engine.url.database))
    files = ledger.with_name(f"{ledger.name}-run").glob("outcomes-*")
    kept = "".join(file.read_text(encoding="utf-8") for file in files)
    return all(reference in kept for reference in books.open_references(arena.place.engine))


@pytest.mark.postgres
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_postgres_is_restarted(
    postgres_arena: Arena, cluster: OwnPostgres, judged: Judged, number: signal.Signals
) -> None:
    arena = postgres_arena
    arena.gateway.set_faults(latency_ms=500)
    arena.start()
    arena.send()

    assert is_in_flight(arena)
    cluster.stop(number)
    cluster.start()

    assert not judged(arena)


@pytest.mark.postgres
def test_postgres_is_away_for_twenty_seconds(
    postgres_arena: Arena, cluster: OwnPostgres, judged: Judged
) -> None:
    arena = postgres_arena
    arena.gateway.set_faults(latency_ms=500)
    arena.start()
    arena.send()

    assert is_in_flight(arena)
    cluster.stop()
    arena.let_pass(AWAY_S)
    cluster.start()

    assert not judged(arena)


@pytest.mark.postgres
def test_a_worker_is_killed_while_its_outcomes_wait_for_postgres(
    postgres_arena: Arena, cluster: OwnPostgres, judged: Judged
) -> None:
    arena = postgres_arena
    arena.gateway.set_faults(latency_ms=500)
    worker = arena.start()
    arena.send()

    assert is_in_flight(arena)
    cluster.stop()
    assert arena.is_answered()
    assert worker.says(WAITING)
    arena.let_pass(2)
    arena.kill(arena.processes(worker), costs=False)
    cluster.start()
    arena.start()

    assert not judged(arena)


@pytest.mark.parametrize("seconds", [5, 25])
def test_sqlite_is_locked_by_another_program(sqlite_arena: Arena, judged: Judged, seconds: float) -> None:
    arena = sqlite_arena
    arena.gateway.set_faults(latency_ms=500)
    arena.start()
    arena.send()

    assert is_in_flight(arena)
    with closing(other_program(arena)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        arena.let_pass(seconds)
        connection.execute("ROLLBACK")

    assert not judged(arena)


def test_a_worker_is_killed_while_its_outcomes_wait_for_sqlite(sqlite_arena: Arena, judged: Judged) -> None:
    arena = sqlite_arena
    arena.gateway.set_faults(latency_ms=500)
    worker = arena.start()
    arena.send()

    assert is_in_flight(arena)
    with closing(other_program(arena)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert arena.is_answered()
        assert worker.says(WAITING)  # after the time for which SQLite itself waits
        assert arena.waits_for(lambda: all_are_kept(arena))
        arena.kill(arena.processes(worker), costs=False)
        connection.execute("ROLLBACK")
    arena.start()

    assert not judged(arena)


def test_sqlite_has_no_room_left_for_a_while(sqlite_arena: Arena, judged: Judged) -> None:
    arena = sqlite_arena
    arena.gateway.set_faults(latency_ms=300)
    worker = arena.start()
    arena.send()

    assert is_in_flight(arena)
    with arena.full_disk():
        arena.let_pass(10)
        n_before = arena.gateway.stats()["sends"]
        arena.let_pass(5)
        n_after = arena.gateway.stats()["sends"]

    assert n_before == n_after
    assert "SQLITE_FULL" in worker.said
    assert not judged(arena)


def other_program(arena: Arena) -> sqlite3.Connection:
    """Open the ledger as somebody else's program does."""
    return sqlite3.connect(arena.place.folder / "bulksend.db", isolation_level=None)
