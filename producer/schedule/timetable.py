"""Messages in the order in which they fall due, on disk: memory does not grow with them.

A database of SQLite without a name: it lies in the folder for temporary files, unlinked, and is gone with the
process, however that ends.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from producer.spool import in_temporary_folder, read_back, written
from worker.ledger.drafts import NewMessage

_AT_ONCE = 1000
_CACHE_KB = 8192
MINUTE_MS = 60_000
_BEGUN = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA temp_store = FILE;
PRAGMA cache_size = -{_CACHE_KB};
CREATE TABLE timed (
    due_at INTEGER, leave_by INTEGER, expires_at INTEGER, zones TEXT,
    line INTEGER, units INTEGER, pack INTEGER, message TEXT
);
BEGIN;
"""


class Group(NamedTuple):
    """Messages that are due within the same minute, in the same zones, and until the same minute."""

    due_at: int
    leave_by: int | None
    expires_at: int | None
    zones: str | None
    n: int
    units: float  # as the provider counts


class Timed(NamedTuple):
    """A message's times, and what it has in common with those that may share its request; None: nothing."""

    due_at: int
    leave_by: int | None
    expires_at: int | None
    zones: str | None
    pack: int | None


class Timetable:
    """Messages with their times, sorted by the minute in which they are due, then by their line."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._waiting: list[tuple[object, ...]] = []
        self._database.executescript(_BEGUN)

    def add(self, message: NewMessage, *, units: int, pack: int | None = None) -> None:
        """Take a message with its times.

        Args:
            message: due at some time.
            units: what its provider counts for it.
            pack: what those have in common that may share a request; None: it has its own.
        """
        times = (message.due_at, message.leave_by, message.expires_at, message.zones)
        self._waiting.append((*times, message.line, units, pack, written(message)))
        if len(self._waiting) >= _AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        with in_temporary_folder():
            self._database.executemany("INSERT INTO timed VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self._waiting)
        self._waiting.clear()

    def __iter__(self) -> Iterator[NewMessage]:
        """Yield the messages in their order."""
        self._flush()
        query = f"SELECT message FROM timed ORDER BY due_at / {MINUTE_MS}, line, rowid"  # noqa: S608 - constant
        with in_temporary_folder():
            for (line,) in self._database.execute(query):
                yield read_back(line)

    def groups(self) -> Iterator[Group]:
        """Yield how many fall due, minute by minute."""
        self._flush()
        query = (
            "SELECT min(due_at), min(leave_by), min(expires_at), zones, count(*), sum(units) FROM timed "  # noqa: S608
            f"GROUP BY due_at / {MINUTE_MS}, leave_by / {MINUTE_MS}, zones ORDER BY 1"
        )
        with in_temporary_folder():
            for row in self._database.execute(query):
                yield Group(*row)

    def times(self) -> Iterator[Timed]:
        """Yield the times of the messages in their order."""
        self._flush()
        query = (
            "SELECT due_at, leave_by, expires_at, zones, pack FROM timed "  # noqa: S608 - constant
            f"ORDER BY due_at / {MINUTE_MS}, line, rowid"
        )
        with in_temporary_folder():
            for row in self._database.execute(query):
                yield Timed(*row)

    def close(self) -> None:
        """Forget everything."""
        self._database.close()
