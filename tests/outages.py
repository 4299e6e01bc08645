"""A ledger that is away for a while: the file of SQLite is not there, Postgres takes no connections."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import Engine


@contextmanager
def away(engine: Engine) -> Iterator[None]:
    """Have nobody read or write the ledger for as long as the block lasts; another thread may end it."""
    with _moved(engine) if engine.dialect.name == "sqlite" else _refusing(engine):
        yield


@contextmanager
def _moved(engine: Engine) -> Iterator[None]:
    engine.dispose()
    path = Path(str(engine.url.database))
    elsewhere = path.rename(path.with_suffix(".away"))
    path.mkdir()  # else the next connection would make a new ledger there
    yield
    path.rmdir()
    elsewhere.rename(path)


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
