"""The ledger's schema: created under a lock, checked at every start, upgraded on demand by alembic."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, func, inspect, select, text

from worker.errors import ConfigError, LedgerError
from worker.ledger.engine import open_ledger, reading, writing

SCHEMA = "0013"
"""The newest step in ``migrations/versions``: what this program reads and writes."""

_SCHEMA_LOCK = 0x62756C6C


def prepare(engine: Engine) -> None:
    """Create an empty ledger, accept a current one, refuse any other.

    Several programs may start at once on an empty ledger: one creates it, the others wait.

    Raises:
        LedgerError: the schema is older (the sentence offers the upgrade) or newer than this program.
    """
    with writing(engine) as connection:
        found = version(connection)
        if found == SCHEMA:
            return
        if found is None:
            _upgrade(connection)
            return
    if found < SCHEMA:
        raise LedgerError(
            f"The ledger has schema {found}, this program needs {SCHEMA}: stop the workers, back the ledger "
            "up and run `bulksend ledger upgrade`"
        )
    raise LedgerError(
        f"The ledger has schema {found}, which this program does not know (it knows {SCHEMA}): "
        "install the newer Bulksend that wrote it"
    )


def open_if_current(url: str) -> tuple[Engine | None, str | None]:
    """Open a ledger for a look, or say why there is nothing to look at; makes and changes nothing.

    Returns:
        the engine, or None; then a sentence, or None where there is no ledger, or none can be.
    """
    try:
        engine = open_ledger(url)
    except ConfigError:  # what needs a ledger says so
        return None, None
    try:
        found = _found(engine)
    except (LedgerError, sqlite3.Error):
        engine.dispose()
        return None, "the ledger cannot be read now"
    if found == SCHEMA:
        return engine, None
    engine.dispose()
    return None, found and f"the ledger has schema {found}, this program needs {SCHEMA}"


def _found(engine: Engine) -> str | None:
    """Read the schema without waiting for anybody; None: it is empty, or not there."""
    query = "SELECT version_num FROM alembic_version"
    if engine.dialect.name == "sqlite":
        path = Path(str(engine.url.database))
        if not path.is_file() or not path.stat().st_size:
            return None
        address = f"file:{quote(str(path.absolute()))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            (number,) = connection.execute(query).fetchone()
            return str(number)
    with reading(engine) as connection:
        if "alembic_version" not in inspect(connection).get_table_names():
            return None
        return str(connection.execute(text(query)).scalar_one())


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Bring an older ledger to this program's schema; return the schema before and after.

    Raises:
        LedgerError: the schema is newer than this program.
    """
    with writing(engine) as connection:
        found = version(connection)
        if found is not None and found > SCHEMA:
            raise LedgerError(f"The ledger has schema {found}, newer than this program's {SCHEMA}")
        if found != SCHEMA:
            _upgrade(connection)
    return found, SCHEMA


def version(connection: Connection) -> str | None:
    """Return the schema that the ledger has, None for an empty one; holds others off till the commit.

    Raises:
        LedgerError: the database holds something that is not a ledger.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables or "messages" not in tables:
        raise LedgerError("The database holds tables that are not Bulksend's: name an empty one as ledger")
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def _upgrade(connection: Connection) -> None:
    from alembic import command, config  # noqa: PLC0415 - a quarter of a second that only a new ledger pays

    settings = config.Config()
    settings.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")
