"""The list of opt-outs: noted and ended by a person, read from a file, written to be read back."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TextIO

from sqlalchemy import Engine

from producer.findings import KEPT_PROBLEMS
from producer.recipients import Problem, Recipients, Row
from producer.spreadsheet import inert
from producer.stop_rows import read_digest, read_facts
from worker.clock import instant
from worker.errors import ConfigError, InputError
from worker.ledger import cleaning, optouts, orders
from worker.ledger.engine import reading, writing
from worker.ledger.optouts import AT_ONCE, NewOptOut
from worker.ledger.scopes import ALL, scope_named
from worker.states import OptOutSource

COLUMNS = ("msisdn", "scope", "source", "time", "provider", "digest")

_OPTOUT, _OPTIN = "optout", "optin"  # orders


def add(  # noqa: PLR0913 - what an opt-out is
    engine: Engine,
    numbers: Iterable[str],
    scopes: Sequence[str],
    *,
    author: str,
    keeps_numbers: bool,
    source: OptOutSource = OptOutSource.OPERATOR,
    at: int | None = None,
) -> int:
    """Note that numbers want nothing of some scopes; return how many opt-outs are news.

    Numbers are E.164 with plus. Those that a page of them has noted hold at once. ``at`` says since when, in
    epoch milliseconds; None is now.
    """
    new = [
        NewOptOut(scope=scope, source=source, msisdn=number, at=at) for number in numbers for scope in scopes
    ]
    n_added = 0
    for some in _pages(new):
        with writing(engine) as connection:
            n = len(optouts.add(connection, some, keeps_numbers=keeps_numbers))
            orders.note(connection, _OPTOUT, author=author, detail=f"{n} of {', '.join(scopes)}")
        n_added += n
    return n_added


def remove(engine: Engine, numbers: Iterable[str], scopes: Sequence[str], *, author: str) -> int:
    """End opt-outs of numbers, all of them where no scope is given; return how many those were."""
    n_removed = 0
    for some in _pages(numbers):
        with writing(engine) as connection:
            n = optouts.remove(connection, some, scopes=scopes)
            orders.note(
                connection, _OPTIN, author=author, detail=f"{n} of {', '.join(scopes) or 'any scope'}"
            )
        n_removed += n
    return n_removed


def forget(engine: Engine, *, author: str) -> int:
    """Remove all numbers from the list, and keep their digests; return how many opt-outs held one."""
    n_forgotten, after = 0, ""
    while True:
        with writing(engine) as connection:
            n, until = optouts.forget_some(connection, after=after)
            if n and not n_forgotten:
                orders.note(connection, "forget", author=author, detail="the numbers of opt-outs")
        if until is None:
            cleaning.clean(engine)
            return n_forgotten
        n_forgotten, after = n_forgotten + n, until


def _pages(items: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    while some := list(islice(rest, AT_ONCE)):
        yield some


# --- in


@dataclass(kw_only=True)
class Imported:
    """What became of a file: rows = added + known + refused.

    Attributes:
        known: those that hold already, came twice in a transaction, or have ended since.
        doubts: what some of them say beside number and scope and could not be read, by code.
        on_problem: called with every refused row.
    """

    rows: int = 0
    added: int = 0
    known: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    doubts: Counter[str] = field(default_factory=Counter)
    on_problem: Callable[[Problem], None] | None = field(default=None, repr=False)

    @property
    def refused(self) -> int:
        """Rows that say nothing that can be kept."""
        return self.reasons.total()

    def refuse(self, problem: Problem) -> None:
        """Count a refused row."""
        self.reasons[problem.code] += 1
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append(problem)
        if self.on_problem:
            self.on_problem(problem)


@dataclass(frozen=True, kw_only=True)
class Import:
    """How a file is read: the scopes of rows that name none, and whether numbers are kept."""

    engine: Engine
    scopes: Sequence[str] = (ALL,)
    keeps_numbers: bool = True
    author: str

    def run(self, recipients: Recipients, found: Imported) -> None:
        """Note all rows that can be read, a transaction at a time; doing so again changes nothing."""
        with reading(self.engine) as connection:
            ours = optouts.key_id(optouts.key_of(connection))
        rows = self._rows(recipients, found, ours=ours)
        while some := list(islice(rows, AT_ONCE)):
            new = [each for several in some for each in several]
            with writing(self.engine) as connection:
                added = optouts.add(connection, new, keeps_numbers=self.keeps_numbers)
                scopes = ", ".join(sorted({each.scope for each in new}))
                detail = f"{len(added)} of {len(new)} from a file ({scopes[:200]})"
                orders.note(connection, _OPTOUT, author=self.author, detail=detail)
            kept = {id(each) for each in added}
            n_news = sum(any(id(each) in kept for each in several) for several in some)
            found.added += n_news
            found.known += len(some) - n_news

    def _rows(self, recipients: Recipients, found: Imported, *, ours: str) -> Iterator[Sequence[NewOptOut]]:
        now_ms = round(1000 * datetime.now(UTC).timestamp())
        for row in recipients:
            found.rows += 1
            values = recipients.last_values
            try:
                yield self._read(row, values, found, ours=ours, now_ms=now_ms)
            except InputError as error:
                found.refuse(_problem(row, error))

    def _read(
        self, row: Row | Problem, values: Mapping[str, str], found: Imported, *, ours: str, now_ms: int
    ) -> Sequence[NewOptOut]:
        """Read a row; raises InputError for one that names no number or no scope."""
        kept = values.get("digest", "")
        if isinstance(row, Problem) and not (row.code == "number_empty" and kept):
            raise InputError(row.message, code=row.code, column=row.column)
        whose: dict[str, Any] = (
            {"msisdn": row.msisdn} if isinstance(row, Row) else {"digest": read_digest(kept, ours=ours)}
        )
        scopes = self._scopes(values.get("scope", ""))
        facts, doubts = read_facts(values, now_ms=now_ms)
        found.doubts.update(doubts)
        return [NewOptOut(scope=scope, **whose, **facts) for scope in scopes]

    def _scopes(self, written: str) -> Sequence[str]:
        if not written:
            return self.scopes
        try:
            return [scope_named(written)]
        except ConfigError as error:
            raise InputError(str(error), code="scope_unknown", column="scope") from None


def _problem(row: Row | Problem, error: InputError) -> Problem:
    problem = Problem.of(error, line=row.line, cells=row.cells)
    return replace(problem, raw=row.raw) if isinstance(row, Problem) else problem


# --- out


def listed(engine: Engine, *, limit: int | None = None) -> Iterator[dict[str, str | None]]:
    """Give what holds under the names of ``COLUMNS``: the newest so many, or all of it, page by page."""
    with reading(engine) as connection:
        ours = optouts.key_id(optouts.key_of(connection))
        if limit is not None:
            yield from (_facts(row, ours=ours) for row in optouts.newest(connection, limit=limit))
            return
    after = "", ""
    while True:
        with reading(engine) as connection:
            found = optouts.page(connection, after=after, limit=AT_ONCE)
        if not found:
            return
        yield from (_facts(row, ours=ours) for row in found)
        after = found[-1]["digest"], found[-1]["scope"]


def _facts(row: Mapping[str, Any], *, ours: str) -> dict[str, str | None]:
    return {
        "msisdn": row["msisdn"],
        "scope": row["scope"],
        "source": row["source"],
        "time": instant_words(row["at"]),
        "provider": row["provider"],
        "digest": None if row["msisdn"] else f"{ours}-{row['digest']}",
    }


def instant_words(epoch_ms: int) -> str:
    """Write an instant so that it is read back exactly."""
    return instant(epoch_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write_csv(file: TextIO, rows: Iterable[Mapping[str, str | None]]) -> int:
    """Write opt-outs so that ``Import`` reads them back, and return how many; no spreadsheet calculates."""
    writer, n = csv.DictWriter(file, COLUMNS), 0
    writer.writeheader()
    for n, row in enumerate(rows, start=1):  # noqa: B007 - counted
        writer.writerow({name: inert(cell) if cell else None for name, cell in row.items()})
    return n


def write_json(file: TextIO, rows: Iterable[Mapping[str, str | None]]) -> None:
    """Write a JSON list, one opt-out a line."""
    lead = "["
    for row in rows:
        file.write(f"{lead}\n  {json.dumps(row, ensure_ascii=False)}")
        lead = ","
    file.write("[]\n" if lead == "[" else "\n]\n")
