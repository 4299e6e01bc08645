"""A copy of a SQLite ledger while it is in use, in which nothing sends before a person says so.

Copied page by page within one read transaction: nobody who writes waits for that, only the log grows
meanwhile. VACUUM INTO would take longer, and tells no progress; without the transaction the same API begins
anew with every commit of another program (https://www.sqlite.org/backup.html).

A copy does not know what was sent after it was made. So what was under way is paused in it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from worker.errors import LedgerError
from worker.ledger import orders
from worker.states import CampaignState

_PAGES_AT_ONCE: Final = 2000
_WAIT_S: Final = 20

OnPages = Callable[[int, int], None]
"""Told how many pages of how many are copied."""


def back_up(
    source: Path, target: Path, *, taken: str, author: str, on_pages: OnPages = lambda _n, _of: None
) -> None:
    """Copy a ledger into an empty file, check the copy, and pause in it what was under way.

    Args:
        source: the ledger, of any schema.
        target: an empty file.
        taken: when, as the reason of the pauses says it.
        author: who ordered it.
        on_pages: progress; may raise to end it.

    Raises:
        LedgerError: the ledger cannot be read, is none, or the copy is not sound.
    """
    try:
        with closing(_connect(source, mode="rw")) as ledger, closing(_connect(target, mode="rw")) as copy:
            _copy(ledger, copy, on_pages)
            _finish(copy, taken=taken, author=author)
    except sqlite3.Error as error:
        words = f"{type(error).__name__} {getattr(error, 'sqlite_errorname', '')}".strip()
        raise LedgerError(f"The ledger {source} cannot be backed up: {words}") from None


def _connect(path: Path, *, mode: str) -> sqlite3.Connection:
    address = f"file:{quote(str(path.absolute()))}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=_WAIT_S, isolation_level=None)


def _copy(ledger: sqlite3.Connection, copy: sqlite3.Connection, on_pages: OnPages) -> None:
    ledger.execute("BEGIN")
    ledger.execute(
        "SELECT count(*) FROM sqlite_master"
    ).fetchone()  # the transaction sees this moment from now on
    try:
        ledger.backup(
            copy, pages=_PAGES_AT_ONCE, progress=lambda _status, left, total: on_pages(total - left, total)
        )
    finally:
        ledger.execute("ROLLBACK")


def _finish(copy: sqlite3.Connection, *, taken: str, author: str) -> None:
    copy.execute("PRAGMA journal_mode=DELETE")  # one file
    copy.execute("PRAGMA synchronous=FULL")
    found = [row[0] for row in copy.execute("PRAGMA quick_check")]
    if found != ["ok"]:
        raise LedgerError(f"The copy is not sound, nor perhaps the ledger: {found[0]}")
    tables = {row[0] for row in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"alembic_version", "messages"} <= tables:
        raise LedgerError("The database is not a ledger of Bulksend's")
    _pause(copy, taken=taken, author=author, has_orders="orders" in tables)


def _pause(copy: sqlite3.Connection, *, taken: str, author: str, has_orders: bool) -> None:
    """Pause what was not done, or not known, when the copy was made."""
    reason = f"restored from the backup of {taken}: what was sent since then is not known here"
    copy.execute("BEGIN")
    paused = copy.execute(
        "UPDATE campaigns SET state = ?, reason = ?, author = ? WHERE state = ? AND EXISTS "
        "(SELECT 1 FROM batches WHERE batches.campaign_id = campaigns.id "
        "AND queued + submitting + unknown > 0) RETURNING id",
        (CampaignState.PAUSED.value, reason, orders.OURSELVES, CampaignState.RUNNING.value),
    ).fetchall()
    if has_orders:
        now = "CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)"
        copy.executemany(
            f"INSERT INTO orders (at, author, what, campaign_id, detail) VALUES ({now}, ?, ?, ?, ?)",  # noqa: S608 - constants
            [(author, orders.PAUSE, campaign_id, reason) for (campaign_id,) in paused],
        )
    copy.execute("COMMIT")
