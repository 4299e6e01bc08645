"""A campaign as a file: its rows as they were written, and what became of each."""

from __future__ import annotations

import csv
import enum
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol, TextIO

from sqlalchemy import Engine, RowMapping

from producer.reports import iso, number_of
from producer.spreadsheet import inert
from worker.errors import InputError
from worker.ledger import exporting
from worker.ledger.cells import read
from worker.ledger.engine import reading
from worker.ledger.exporting import Choice, Exported
from worker.states import OPEN_STATES, MessageState
from worker.text.pricing import Price

FAILED = frozenset(
    {MessageState.FAILED, MessageState.REJECTED, MessageState.UNDELIVERED, MessageState.EXPIRED}
)
"""What surely did not arrive, as far as its gateway told the truth."""

_ADDED = (
    *("id", "line", "msisdn", "state", "parts", "price", "currency", "billed_parts", "billed_cost"),
    *("provider", "reference", "provider_ref", "attempts", "due_at", "sent_at", "ended_at"),
    *("code", "reason", "no_report"),
)
_BYTE_ORDER_MARK = "\ufeff"  # without it Excel takes the file for one of its own alphabets


class Format(enum.StrEnum):
    """How an export is written."""

    CSV = "csv"
    JSONL = "jsonl"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be exported, and how.

    Attributes:
        choice: which messages.
        telling: providers whose gateways tell what arrived.
        silent_ms: an accepted message of which nothing was told for so long says so.
        is_again: the rows alone, as they were written, to be sent again.
    """

    choice: Choice
    format: Format
    telling: Collection[str]
    silent_ms: int
    is_again: bool = False


def failed(campaign_id: int) -> Choice:
    """Choose what can be sent again: it failed, no gateway may have accepted it, and its row is there."""
    return Choice(campaign_id=campaign_id, states=FAILED, is_sure=True, has_cells=True)


def require_rows(found: Exported, n_bare: int) -> None:
    """Refuse rows to be sent again where they were not kept, or are gone.

    Raises:
        InputError: with the reason.
    """
    if found.pruned_at is not None:
        raise InputError(
            f"Campaign {found.id} was pruned: its rows are gone, and cannot be sent again", code="pruned"
        )
    if n_bare:
        raise InputError(
            f"{n_bare} of these rows of campaign {found.id} were not kept, by an older Bulksend or with "
            f"keep_columns = false: `bulksend campaign retry {found.id}` tries them again as they were",
            code="columns_not_kept",
        )


def export(
    engine: Engine,
    found: Exported,
    wanted: Wanted,
    file: TextIO,
    *,
    on_rows: Callable[[int], None] | None = None,
) -> Counter[str]:
    """Write the messages of a campaign to a file, row by row; return how many of each state.

    Args:
        engine: of the ledger.
        found: the campaign.
        wanted: what, and how.
        file: text; for CSV without translation of line ends.
        on_rows: told how many more were written.
    """
    sheet = _sheet(found, wanted, file)
    states: Counter[str] = Counter()
    for rows in _pieces(engine, wanted):
        for row in rows:
            sheet.add(read(row["cells"]) or (), row)
            states[row["state"]] += 1
        if on_rows:
            on_rows(len(rows))
    return states


def _pieces(engine: Engine, wanted: Wanted) -> Iterator[Sequence[RowMapping]]:
    after: int | None = 0
    while after is not None:
        with reading(engine) as connection:
            rows, after = exporting.piece(
                connection,
                wanted.choice,
                after=after,
                telling=wanted.telling,
                silent_ms=wanted.silent_ms,
            )
        yield rows


class _Sheet(Protocol):
    def add(self, cells: Sequence[str], row: RowMapping) -> None: ...


def _sheet(found: Exported, wanted: Wanted, file: TextIO) -> _Sheet:
    headers = found.headers or ()
    if wanted.format is Format.JSONL:
        return _Lines(file, headers, is_again=wanted.is_again)
    return _Table(file, headers, is_again=wanted.is_again)


class _Table:
    """CSV: a spreadsheet shows it as it is, and calculates nothing of it."""

    def __init__(self, file: TextIO, headers: Sequence[str], *, is_again: bool) -> None:
        self._n = len(headers)
        self._is_again = is_again
        self._writer = csv.writer(file)
        file.write(_BYTE_ORDER_MARK)
        added = () if is_again else added_names(headers)
        self._writer.writerow([*map(inert, headers), *added])

    def add(self, cells: Sequence[str], row: RowMapping) -> None:
        missing = [""] * (self._n - len(cells))
        written = [*map(inert, cells), *missing]
        if not self._is_again:
            written += [_cell(fact) for fact in _facts(row).values()]
        self._writer.writerow(written)


class _Lines:
    """JSON lines: what became of a row, and under ``row`` what was written in it."""

    def __init__(self, file: TextIO, headers: Sequence[str], *, is_again: bool) -> None:
        self._file = file
        self._names = told_apart(headers)
        self._is_again = is_again

    def add(self, cells: Sequence[str], row: RowMapping) -> None:
        ours = dict.fromkeys(self._names, "") | dict(zip(self._names, cells, strict=False))
        written = ours if self._is_again else {**_facts(row), "row": ours}
        self._file.write(json.dumps(written, ensure_ascii=False) + "\n")


def added_names(headers: Sequence[str]) -> list[str]:
    """Name the columns that an export adds, unlike any column of the file: of an exported file too.

    >>> added_names(["Mobile"])[0], added_names(["Mobile", "Bulksend_state"])[0]
    ('bulksend_id', 'bulksend2_id')
    """
    taken = {header.strip().casefold() for header in headers}
    for n in count(1):
        prefix = f"bulksend{n if n > 1 else ''}_"
        if not any(header.startswith(prefix) for header in taken):
            return [prefix + name for name in _ADDED]
    raise AssertionError


def told_apart(headers: Sequence[str]) -> list[str]:
    """Name columns so that no two are alike, and none is without a name.

    >>> told_apart(["Mobile", "", "Mobile"])
    ['Mobile', 'column 2', 'Mobile (2)']
    """
    found: dict[str, None] = {}
    for place, header in enumerate(headers, start=1):
        name = header or f"column {place}"
        tries = (f"{name} ({n})" for n in count(2))
        while name in found:
            name = next(tries)
        found[name] = None
    return list(found)


def _facts(row: RowMapping) -> dict[str, Any]:
    """Give what became of a message, under the names of ``_ADDED``."""
    price = None
    if row["price_micros"] is not None:
        price = Price.of_micros(row["price_micros"], currency=row["currency"] or "").figure
    is_over = row["state"] not in OPEN_STATES
    return {
        **{name: row[name] for name in ("id", "line")},
        "msisdn": number_of(row["msisdn"]),
        **{name: row[name] for name in ("state", "parts")},
        "price": price,
        **{name: row[name] for name in ("currency", "billed_parts", "billed_cost", "provider")},
        **{name: row[name] for name in ("reference", "provider_ref", "attempts")},
        "due_at": iso(row["due_at"]),
        "sent_at": iso(row["sent_at"]),
        "ended_at": iso(row["changed_at"]) if is_over else None,
        "code": row["code"],
        "reason": row["detail"],
        "no_report": bool(row["no_report"]),
    }


def _cell(fact: object) -> str:
    if isinstance(fact, bool):
        return "yes" if fact else ""
    return "" if fact is None else inert(str(fact))
