"""Digests of an order: of what would be sent, and of every message as the ledger keeps it."""

from __future__ import annotations

import hashlib
import json
from array import array

from producer.findings import Preview
from producer.order import Order
from producer.recipients import Row
from producer.schedule.timing import Start
from producer.tally import Kind, Tally

_DIGESTED = 1000  # words


class Digests:
    """What is sent, and exactly how: see ``Preview``; many rows at once."""

    def __init__(self, order: Order) -> None:
        said = order.template if order.languages is None else order.languages.kept
        parts: list[object] = [said, order.account.name, order.sender, dict(order.options)]
        if order.leaves_at is not None:
            parts.append(order.leaves_at)
        self._schedule = order.schedule
        self._keeps_columns = order.keeps_columns
        self._is_by_row = self._schedule is not None and self._schedule.column is not None
        if self._schedule:
            parts += self._schedule.content
        self._content = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode())
        self._kept = hashlib.sha256()
        self._words: list[str] = []
        self._places = array("Q")  # the line and the kind of each message: quicker than anything with names
        self._cells: list[str] = []  # no cell holds a NUL, and each row of a file has as many
        self._starts: list[object] = []

    def add(self, row: Row, text: str, kind: Kind, start: Start | None) -> None:
        """Take in a message."""
        self.add_content(row.msisdn, text, start)
        self._places.append(row.line)
        self._places.append(kind.number)
        if self._keeps_columns:
            self._cells.extend(row.cells)
        if start is not None:
            self._starts.append((start.at_ms, start.zones))

    def add_content(self, msisdn: str, text: str, start: Start | None) -> None:
        """Take in what is sent, or would be if its recipient had not opted out."""
        if len(self._words) >= _DIGESTED:
            self._digest()
        self._words.append(f"{msisdn}\0{text}")
        if start is not None and self._is_by_row:
            self._words.append(str(start.at_ms))

    def _digest(self) -> None:
        self._content.update("\0".join([*self._words, ""]).encode())
        self._kept.update(self._places.tobytes())
        self._kept.update("\0".join([*self._cells, ""]).encode())
        self._kept.update(repr(self._starts).encode())
        self._words.clear()
        self._places = array("Q")
        self._cells.clear()
        self._starts.clear()

    def conclude(self, found: Preview, tally: Tally) -> None:
        """Write both digests into what was found."""
        self._digest()
        found.content = self._content.hexdigest()
        counts: list[object] = [found.rows, found.duplicates, found.refused, found.fallback]
        if self._schedule:
            counts.append(self._schedule.kept)
        if found.skips:
            counts.append(sorted(found.skips.items()))
        self._kept.update(json.dumps([found.content, *counts, *tally.kinds], default=str).encode())
        found.fingerprint = self._kept.hexdigest()
