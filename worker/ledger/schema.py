"""The ledger's schema: created under a lock, checked at every start, upgraded on demand by alembic."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, func, inspect, select, text

from worker.errors import LedgerError
from worker.ledger.engine import writing

SCHEMA = "0006"
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
