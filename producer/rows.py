"""Every message of a preview in a file: CSV that a spreadsheet cannot be tricked by, or JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from producer.output_file import appearing_text
from producer.spreadsheet import inert
from worker.clock import instant
from worker.ledger.drafts import NewMessage
from worker.text.pricing import Price
from worker.text.segments import costly, least_parts

_NAMES = (
    *("line", "msisdn", "country", "encoding", "parts", "price", "currency", "due_at", "repairs"),
    *("costly", "parts_without", "text"),
)
_JSON_LINES = frozenset({".jsonl", ".ndjson"})


class MessageRows(Protocol):
    """Takes messages with their whole texts, one after the other."""

    def add(self, message: NewMessage, text: str) -> None:
        """Append one."""


@contextmanager
def message_rows(
    target: Path, *, udh_bits: int = 8, is_ucs2: bool = False, may_replace: bool = False
) -> Iterator[MessageRows]:
    """Give what writes into a file that is its owner's only, and is there when all of it is.

    Args:
        target: ``.jsonl`` and ``.ndjson`` are JSON lines, anything else is CSV. What is no file, such as a
            pipe, is written to.
        udh_bits: as parts are counted.
        is_ucs2: somebody asked for UCS-2: no character is to blame for it.
        may_replace: whether it takes the place of what is there.

    Raises:
        InputError: there is something of that name already.
        OSError: it cannot be written.
    """
    rows = _JsonLines if target.suffix.lower() in _JSON_LINES else _Csv
    with appearing_text(target, may_replace=may_replace) as file:
        yield rows(file, _Blame(udh_bits, is_ucs2))


class _Blame(NamedTuple):
    udh_bits: int
    is_ucs2: bool

    def cells(self, message: NewMessage, text: str) -> tuple[str | None, int | None]:
        """Return the characters that made a message dearer, and its parts without them."""
        if message.parts == 1 or self.is_ucs2:
            return None, None
        least = least_parts(len(text), udh_bits=self.udh_bits)
        if message.parts <= least:
            return None, None
        return " ".join(f"U+{ord(each):04X}" for each in costly(text)), least


class _Csv:
    def __init__(self, file: IO[str], blame: _Blame) -> None:
        self._blame = blame
        self._writer = csv.writer(file)
        self._writer.writerow(_NAMES)

    def add(self, message: NewMessage, text: str) -> None:
        cells = _cells(message, text, self._blame)
        self._writer.writerow([inert(cell) if isinstance(cell, str) else cell for cell in cells])


class _JsonLines:
    def __init__(self, file: IO[str], blame: _Blame) -> None:
        self._file = file
        self._blame = blame

    def add(self, message: NewMessage, text: str) -> None:
        cells = dict(zip(_NAMES, _cells(message, text, self._blame), strict=True))
        self._file.write(json.dumps(cells, ensure_ascii=False) + "\n")


def _cells(message: NewMessage, text: str, blame: _Blame) -> tuple[str | int | None, ...]:
    price = None
    if message.price_micros is not None:
        price = Price.of_micros(message.price_micros, currency=message.currency or "").figure
    due_at = None if message.due_at is None else instant(message.due_at).isoformat(timespec="seconds")
    country = message.region or None
    about = (message.line, message.msisdn, country, message.encoding, message.parts)
    due_at = due_at and due_at.replace("+00:00", "Z")
    return (*about, price, message.currency, due_at, message.repairs, *blame.cells(message, text), text)
