"""What one gateway accepted, kept as the JSON lines in which it is shown, and what it counted."""

import time
import zlib
from collections.abc import Iterator
from itertools import chain
from json.encoder import encode_basestring_ascii as _string
from typing import Any

_CHUNK_BYTES = 1 << 16
_FAST = 1  # the level of zlib: some microseconds a message


class Book:
    """The accepted messages and the counts of one gateway.

    Full chunks of lines are kept compressed, and for telling duplicates only hashes are kept: a million
    messages take some 250 MB.
    """

    def __init__(self, gateway: str) -> None:
        self.gateway = gateway
        self.counts = dict.fromkeys(("requests", "sends", "arrived", "accepted", "parts", "unique"), 0)
        self.counts |= dict.fromkeys(("refused", "violations", "cancelled", "at_once", "at_once_most"), 0)
        self.duplicates = {"reference": 0, "text": 0}
        self.receipts = {"pushed": 0, "failed": 0, "ignored": 0}
        self._name = f'"gateway": {_string(gateway)}, '
        self._full: list[bytes] = []
        self._tail = bytearray()
        self._references: set[int] = set()
        self._texts: set[int] = set()

    def accept(self, *, msisdn: str, text: str, sender: str, reference: str, parts: int) -> int:
        """Write down one message; the number is E.164 with plus, an absent reference is empty.

        Returns:
            its place among the `lines`, from 0.
        """
        self._tail += (
            f'{{"time": {time.time()!r}, {self._name}"msisdn": {_string(msisdn)}, "text": {_string(text)}, '
            f'"sender": {_string(sender)}, "reference": {_string(reference)}, "parts": {parts}}}\n'
        ).encode("ascii")
        if len(self._tail) >= _CHUNK_BYTES:
            self._full.append(zlib.compress(self._tail, level=_FAST))
            self._tail.clear()
        self.counts["accepted"] += 1
        self.counts["parts"] += parts
        self._count_duplicate(msisdn, text=text, reference=reference)
        return self.counts["accepted"] - 1

    def _count_duplicate(self, msisdn: str, *, text: str, reference: str) -> None:
        if reference:
            self.duplicates["reference"] += _seen(self._references, key=hash((msisdn, reference)))
        again = _seen(self._texts, key=hash((msisdn, text)))
        self.duplicates["text"] += again
        self.counts["unique"] += not again

    def stats(self) -> dict[str, Any]:
        """Return the counts as `GET /_sandbox/stats` shows them."""
        return {**self.counts, "duplicates": self.duplicates, "receipts": self.receipts}

    def chunks(self) -> Iterator[bytes]:
        """Give what is accepted by now as JSON lines, many at a time; another thread may walk them."""
        return chain(map(zlib.decompress, list(self._full)), [bytes(self._tail)])

    def lines(self) -> Iterator[bytes]:
        """Give the same one by one, oldest first."""
        return (line for chunk in self.chunks() for line in chunk.splitlines())


def _seen(keys: set[int], *, key: int) -> bool:
    before = len(keys)
    keys.add(key)
    return len(keys) == before
