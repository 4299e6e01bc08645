"""The reminders that a file asks for, on disk and by key: memory does not grow with them.

A database of SQLite without a name: it lies in the folder for temporary files, unlinked, and is gone with the
process, however that ends. Every sum of a run is a query on it.
"""

from __future__ import annotations

import enum
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from producer.reminders.moments import Skip
from worker.ledger.drafts import NewMessage
from worker.ledger.reminded import Slot
from worker.ledger.reminding import Draft

_CACHE_KB = 8192
_BEGUN = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA temp_store = FILE;
PRAGMA cache_size = -{_CACHE_KB};
CREATE TABLE keys (
    key TEXT PRIMARY KEY, line INTEGER, version INTEGER, standing TEXT, n INTEGER, odd TEXT
) WITHOUT ROWID;
CREATE TABLE repeats (key TEXT, line INTEGER);
CREATE TABLE planned (
    id INTEGER PRIMARY KEY, key TEXT, before_ms INTEGER, msisdn TEXT, due_at INTEGER, is_moved INTEGER,
    verdict TEXT, moves INTEGER, message TEXT
);
CREATE UNIQUE INDEX planned_by_slot ON planned (key, before_ms);
BEGIN;
"""


class Standing(enum.StrEnum):
    """What the file says of a key."""

    GOOD = "good"
    REFUSED = "refused"  # its row cannot be used, but it is there
    TWICE = "twice"  # with two appointments: nobody knows which is meant


class Verdict(enum.StrEnum):
    """What becomes of a reminder that the file asks for; the reasons of ``Skip`` are verdicts too."""

    NEW = "new"
    SAME = "unchanged"  # it has its message already
    MOVE = "move"  # its queued message is to tell of another time
    MOVED = "moved"  # it does
    AGAIN = "again"  # its queued message is withdrawn, and a new one tells of another time
    AFTER = "moved_after_sending"  # it had left when the appointment was moved: a new one
    RENUMBER = "renumber"  # its queued message is to go to another number
    RENUMBERED = "renumbered"  # it does
    REWRITTEN = "rewritten"  # its queued message is withdrawn, and a new one goes to another number
    CORRECTED = "corrected"  # its message reached nobody at another number, and a new one goes to this one
    MISDIRECTED = "misdirected"  # it left for another number, or its time was over there
    CANCELLED = "cancelled_before"  # a person has cancelled its message
    SUPPRESSED = "suppressed"  # its recipient wants none


WRITTEN = (Verdict.NEW, Verdict.AGAIN, Verdict.AFTER, Verdict.REWRITTEN, Verdict.CORRECTED)
"""What has a new message."""

CHANGED = (Verdict.MOVE, Verdict.MOVED, Verdict.RENUMBER, Verdict.RENUMBERED)
"""What has its message changed."""


def among(verdicts: Iterable[str]) -> str:
    """Say, as SQL, that a verdict is one of several."""
    return "verdict IN ({})".format(", ".join(f"'{each}'" for each in verdicts))


_TO_WRITE = among(WRITTEN)


class Planned(NamedTuple):
    """A reminder of the file: its place in the sheet, and what it is."""

    id: int
    slot: Slot
    version: int
    msisdn: str
    verdict: str | None
    moves: int | None  # the message that is to tell of another time, go to another number, or give way


@dataclass(frozen=True, kw_only=True)
class Sums:
    """What new messages come to: parts, micros by currency and the number of those without a price."""

    messages: int
    parts: int
    unpriced: int
    cost: Mapping[str, int]
    unpriced_fallback: int
    cost_fallback: Mapping[str, int]


class Sheet:
    """Keys, and for each of them the reminders that are to be."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_BEGUN)

    def close(self) -> None:
        """Forget everything."""
        self._database.close()

    # --- written while the file is read

    def note_refused(self, key: str, *, line: int) -> None:
        """Remember that a key is in the file, though its row cannot be used."""
        self._database.execute(
            "INSERT INTO keys VALUES (?, ?, NULL, ?, 0, NULL) ON CONFLICT DO NOTHING",
            (key, line, Standing.REFUSED),
        )

    def take(self, key: str, *, line: int, version: int, odd: str | None = None) -> bool:
        """Take the row of a key; return whether it is the first good one.

        A key that came with another version stands ``TWICE`` from then on, and what was planned for it is
        gone. ``odd`` is what is odd about its time.
        """
        found = self._database.execute("SELECT standing, version FROM keys WHERE key = ?", (key,)).fetchone()
        if found is None or found[0] == Standing.REFUSED:
            self._database.execute(
                "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, 1, ?)",
                (key, line, version, Standing.GOOD, odd),
            )
            return True
        if found[0] == Standing.GOOD and found[1] != version:
            self._database.execute("DELETE FROM planned WHERE key = ?", (key,))
            self._database.execute("UPDATE keys SET standing = ? WHERE key = ?", (Standing.TWICE, key))
        self._database.execute("UPDATE keys SET n = n + 1 WHERE key = ?", (key,))
        self._database.execute("INSERT INTO repeats VALUES (?, ?)", (key, line))
        return False

    def plan(
        self,
        slot: Slot,
        msisdn: str,
        message: NewMessage | None,
        *,
        skip: Skip | Verdict | None,
        is_moved: bool = False,
    ) -> None:
        """Plan a reminder of a key, or remember why it is left out; ``is_moved``: a window has moved it.

        One that is past and has a message leaves only where its former one came to nothing.
        """
        written = None if message is None else json.dumps(vars(message))
        due_at = None if message is None else message.due_at
        self._database.execute(
            "INSERT INTO planned (key, before_ms, msisdn, due_at, is_moved, verdict, message) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (slot.key, slot.before_ms, msisdn, due_at, is_moved, skip, written),
        )

    def lines_twice(self) -> Iterator[int]:
        """Yield the lines of the good rows whose key stands ``TWICE``, in their order."""
        query = (
            "SELECT line FROM keys WHERE standing = ? UNION ALL "
            "SELECT repeats.line FROM repeats JOIN keys USING (key) WHERE standing = ? ORDER BY line"
        )
        for (line,) in self._database.execute(query, (Standing.TWICE, Standing.TWICE)):
            yield line

    # --- asked and judged while the ledger is compared

    def undecided(self, *, after: int, limit: int) -> list[Planned]:
        """Return reminders on which there is no verdict, or another may be, by their place."""
        is_open = "(verdict IS NULL OR message IS NOT NULL)"
        return self._planned(f"{is_open} AND planned.id > ? ORDER BY planned.id LIMIT ?", after, limit)

    def new(self, *, after: int, limit: int) -> list[Planned]:
        """Return reminders that are new, by their place."""
        condition = "verdict = ? AND planned.id > ? ORDER BY planned.id LIMIT ?"
        return self._planned(condition, Verdict.NEW, after, limit)

    def _planned(self, condition: str, *values: object) -> list[Planned]:
        columns = "planned.id, key, before_ms, version, msisdn, verdict, moves"
        query = f"SELECT {columns} FROM planned JOIN keys USING (key) WHERE {condition}"  # noqa: S608 - constants
        return [
            Planned(number, Slot(key=key, before_ms=before_ms), *others)
            for number, key, before_ms, *others in self._database.execute(query, values)
        ]

    def judge(self, verdicts: Iterable[tuple[int, str, int | None]]) -> None:
        """Keep the verdict on reminders, each with the message that is to be changed, if one is."""
        self._database.executemany(
            "UPDATE planned SET verdict = ?, moves = ? WHERE id = ?",
            [(verdict, moves, number) for number, verdict, moves in verdicts],
        )

    def give_up_moves(self) -> None:
        """Say of what could not be changed any more that it had left."""
        for old in (Verdict.MOVE, Verdict.RENUMBER, Verdict.REWRITTEN, Verdict.CORRECTED):
            new = Verdict.AFTER if old is Verdict.MOVE else Verdict.MISDIRECTED
            self._database.execute(
                "UPDATE planned SET verdict = ?, moves = NULL WHERE verdict = ? AND moves IS NOT NULL",
                (new, old),
            )

    def at(self, slots: Sequence[Slot]) -> dict[Slot, Planned]:
        """Return what the file says of some reminders; it does not ask for those that are absent."""
        found = {}
        for slot in slots:
            for each in self._planned("key = ? AND before_ms = ?", slot.key, slot.before_ms):
                found[slot] = each
        return found

    def unclear(self, keys: Iterable[str]) -> set[str]:
        """Return those of some keys that are in the file, but nobody knows for when."""
        query = "SELECT 1 FROM keys WHERE key = ? AND standing <> ?"
        return {key for key in keys if self._database.execute(query, (key, Standing.GOOD)).fetchone()}

    def draft(self, planned: Planned, *, text: str | None) -> Draft:
        """Return a planned reminder with its message, whose text is its own; ``text`` is the one of all."""
        query = "SELECT message FROM planned WHERE id = ?"
        (written,) = self._database.execute(query, (planned.id,)).fetchone()
        message = NewMessage(**json.loads(written))
        if message.text is None:
            message = replace(message, text=text)
        return Draft(slot=planned.slot, version=planned.version, message=message)

    def to_write(self) -> Iterator[Draft]:
        """Yield the reminders that are to be written, in the order in which they are due."""
        self._database.execute(
            "CREATE TEMP TABLE way AS SELECT id FROM planned "  # noqa: S608 - constants of ours
            f"WHERE {_TO_WRITE} ORDER BY due_at / 60000, id"
        )
        query = (
            "SELECT key, before_ms, version, message FROM way JOIN planned USING (id) JOIN keys USING (key) "
            "ORDER BY way.rowid"
        )
        for key, before_ms, version, written in self._database.execute(query):
            message = NewMessage(**json.loads(written))
            yield Draft(slot=Slot(key=key, before_ms=before_ms), version=version, message=message)

    # --- sums

    def asked(self, query: str, *values: object) -> Iterator[Any]:
        """Yield what a query on the two tables finds."""
        return self._database.execute(query, values)

    def rows(self) -> dict[Standing, tuple[int, int]]:
        """Return how many keys of each standing there are, and in how many good rows they came."""
        query = "SELECT standing, count(*), sum(n) FROM keys GROUP BY standing"
        return {Standing(standing): (n_keys, n) for standing, n_keys, n in self._database.execute(query)}

    def verdicts(self) -> dict[str, int]:
        """Count the reminders by verdict."""
        return dict(self._database.execute("SELECT verdict, count(*) FROM planned GROUP BY verdict"))

    def sums(self) -> Sums:
        """Add up what is to be written."""
        to_write = f"FROM planned WHERE {_TO_WRITE}"
        n, parts = self._database.execute(
            f"SELECT count(*), coalesce(sum(json_extract(message, '$.parts')), 0) {to_write}"
        ).fetchone()
        cost, unpriced = self._money("price_micros", "currency", to_write)
        cost_fallback, unpriced_fallback = self._money("fallback_micros", "fallback_currency", to_write)
        return Sums(
            messages=n,
            parts=parts,
            unpriced=unpriced,
            cost=cost,
            unpriced_fallback=unpriced_fallback,
            cost_fallback=cost_fallback,
        )

    def _money(self, micros: str, currency: str, to_write: str) -> tuple[dict[str, int], int]:
        query = (
            f"SELECT json_extract(message, '$.{currency}'), "
            f"coalesce(sum(json_extract(message, '$.{micros}')), 0), count(*) {to_write} GROUP BY 1"
        )
        found = {name: (total, n) for name, total, n in self._database.execute(query)}
        return {name: total for name, (total, _) in found.items() if name}, found.get(None, (0, 0))[1]
