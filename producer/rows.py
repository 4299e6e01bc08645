"""Every message of a preview in a file: CSV that a spreadsheet cannot be tricked by, or JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from producer.output_file import appearing_text
from producer.spreadsheet import inert
from worker.clock import instant
from worker.ledger.drafts import NewMessage
from worker.text.pricing import Price

_NAMES = ("line", "msisdn", "country", "encoding", "parts", "price", "currency", "due_at", "repairs", "text")
_JSON_LINES = frozenset({".jsonl", ".ndjson"})


class MessageRows(Protocol):
    """Takes messages with their whole texts, one after the other."""

    def add(self, message: NewMessage, text: str) -> None:
        """Append one."""


@contextmanager
def message_rows(target: Path) -> Iterator[MessageRows]:
    """Give what writes into a file that is its owner's only, and is there when all of it is.

    Args:
        target: ``.jsonl`` and ``.ndjson`` are JSON lines, anything else is CSV. What is there is replaced;
            what is no file, such as a pipe, is written to.

    Raises:
        OSError: it cannot be written.
    """
    rows = _JsonLines if target.suffix.lower() in _JSON_LINES else _Csv
    with appearing_text(target, may_replace=True) as file:
        yield rows(file)


class _Csv:
    def __init__(self, file: IO[str]) -> None:
        self._writer = csv.writer(file)
        self._writer.writerow(_NAMES)

    def add(self, message: NewMessage, text: str) -> None:
        cells = _cells(message, text)
        self._writer.writerow([inert(cell) if isinstance(cell, str) else cell for cell in cells])


class _JsonLines:
    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def add(self, message: NewMessage, text: str) -> None:
        cells = dict(zip(_NAMES, _cells(message, text), strict=True))
        self._file.write(json.dumps(cells, ensure_ascii=False) + "\n")


def _cells(message: NewMessage, text: str) -> tuple[str | int | None, ...]:
    price = None
    if message.price_micros is not None:
        price = Price.of_micros(message.price_micros, currency=message.currency or "").figure
    due_at = None if message.due_at is None else instant(message.due_at).isoformat(timespec="seconds")
    country = message.region or None
    about = (message.line, message.msisdn, country, message.encoding, message.parts)
    return (*about, price, message.currency, due_at and due_at.replace("+00:00", "Z"), message.repairs, text)
