"""What was removed leaves the files of the database too, as far as that can be done beside those who write.

SQLite overwrites what it frees (secure_delete, see ``engine``) and keeps changes in a log until they are
written back. Copies from before, in unused parts of its pages, go only when the whole file is written anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from worker.ledger.engine import reading
from worker.waiting import within

_PATIENCE_S = 5.0
_PIECE = 1 << 22
_TABLES = (
    *("messages", "submissions", "reported_messages", "pushed_reports", "reminders", "campaigns"),
    "opt_outs",
)


def clean(engine: Engine) -> bool:
    """Write SQLite's log back and empty it; False when somebody reads from it all the time."""
    if engine.dialect.name != "sqlite":
        return True
    with _driver(engine) as driver:

        def is_written_back() -> bool:
            is_busy: int = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            return not is_busy

        return within(_PATIENCE_S, is_written_back)


def rewrite(engine: Engine) -> None:
    """Write the whole database anew; on SQLite nobody else can write meanwhile.

    On Postgres rows that were changed leave their tables, and nobody waits for it.
    """
    with _driver(engine) as driver:
        if engine.dialect.name == "sqlite":
            driver.execute("VACUUM")
        else:
            driver.rollback()
            driver.autocommit = True
            try:
                driver.execute(f"VACUUM {', '.join(_TABLES)}")
            finally:
                driver.autocommit = False
    clean(engine)


@contextmanager
def _driver(engine: Engine) -> Iterator[Any]:
    """Give the driver's connection, without a transaction of ours."""
    with reading(engine) as connection:
        yield connection.connection.driver_connection


def holds(engine: Engine, needles: Sequence[str]) -> bool:
    """Say whether a byte of SQLite's files still tells one of these words; False where there is no file."""
    if engine.dialect.name != "sqlite":
        return False
    database = Path(str(engine.url.database))
    wanted = [needle.encode() for needle in needles if needle]
    return any(_is_in(Path(f"{database}{ending}"), wanted) for ending in ("", "-wal"))


def _is_in(path: Path, wanted: Sequence[bytes]) -> bool:
    overlap = max(map(len, wanted), default=1) - 1
    rest = b""
    if not path.exists():
        return False
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            piece = rest + piece
            if any(needle in piece for needle in wanted):
                return True
            rest = piece[-overlap:] if overlap else b""
    return False
