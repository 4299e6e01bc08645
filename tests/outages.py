"""A ledger that is away for a while, as its programs see it: SQLite locked, Postgres refusing."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import Engine, event

_BUSY_MS = 20  # a test does not wait for a lock as long as a worker does


@contextmanager
def away(engine: Engine) -> Iterator[None]:
    """Have nobody write into the ledger for as long as the block lasts; another thread may end it."""
    with _locked(engine) if engine.dialect.name == "sqlite" else _refusing(engine):
        yield


@contextmanager
def _locked(engine: Engine) -> Iterator[None]:
    event.listen(engine, "connect", _be_impatient)
    engine.dispose()
    other = sqlite3.connect(str(engine.url.database), isolation_level=None, check_same_thread=False)
    with closing(other):
        other.execute("BEGIN IMMEDIATE")
        yield


def _be_impatient(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")


@contextmanager
def _refusing(engine: Engine) -> Iterator[None]:
    server = engine.url.set(drivername="postgresql", database="postgres")
    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as other:
        allow = SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
        name = Identifier(str(engine.url.database))
        other.execute(allow.format(name, SQL("false")))
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [engine.url.database],
        )
        yield
        other.execute(allow.format(name, SQL("true")))
