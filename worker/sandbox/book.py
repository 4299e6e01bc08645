"""What one gateway accepted, kept as the JSON lines in which it is shown, and what it counted."""

import time
import zlib
from collections.abc import Iterator
from itertools import chain
from typing import Any

from worker.sandbox.wire import quoted, seconds

_CHUNK_LINES = 512
_FAST = 1  # the level of zlib: some microseconds a message

# Time (Unix nanoseconds), msisdn, text, sender, reference, parts. Many at a time are hashed and written,
# which is quicker than to do it while a request waits.
_Accepted = tuple[int, str, str, str, str, int]


class Book:
    """The accepted messages and the counts of one gateway.

    Full chunks of lines are kept compressed, and for telling duplicates only hashes are kept: a million
    messages take some 250 MB.
    """

    def __init__(self, gateway: str) -> None:
        self.gateway = gateway
        self.counts = dict.fromkeys(("requests", "sends", "arrived", "accepted", "parts", "unique"), 0)
        self.counts |= dict.fromkeys(("refused", "violations", "cancelled", "at_once", "at_once_most"), 0)
        self.receipts = {"pushed": 0, "failed": 0, "ignored": 0}
        self._full: list[bytes] = []
        self._tail: list[_Accepted] = []
        self._referenced = 0
        self._references: set[int] = set()
        self._texts: set[int] = set()

    def accept(self, *, msisdn: str, text: str, sender: str, reference: str, parts: int) -> int:
        """Write down one message; the number is E.164 with plus, an absent reference is empty.

        Returns:
            its place among the `lines`, from 0.
        """
        tail = self._tail
        tail.append((time.time_ns(), msisdn, text, sender, reference, parts))
        if len(tail) >= _CHUNK_LINES:
            self._hash_tail()
            self._full.append(zlib.compress(self._written_tail(), level=_FAST))
            tail.clear()
        if reference:
            self._referenced += 1
        counts = self.counts
        counts["parts"] += parts
        counts["accepted"] += 1
        return counts["accepted"] - 1

    def _hash_tail(self) -> None:
        """Keep the hashes of what is in the tail; to do it twice changes nothing."""
        for _, msisdn, text, _, reference, _ in self._tail:
            self._texts.add(hash((msisdn, text)))
            if reference:
                self._references.add(hash((msisdn, reference)))

    def _written_tail(self) -> bytes:
        name = f'"gateway": {quoted(self.gateway)}, '
        lines = [
            f'{{"time": {seconds(at_ns)}, {name}"msisdn": "{msisdn}", "text": {quoted(text)}, '
            f'"sender": {quoted(sender)}, "reference": {quoted(reference)}, "parts": {parts}}}\n'
            for at_ns, msisdn, text, sender, reference, parts in self._tail
        ]
        return "".join(lines).encode("ascii")

    def stats(self) -> dict[str, Any]:
        """Return the counts as `GET /_sandbox/stats` shows them; what follows from others is not counted."""
        self._hash_tail()
        unique = len(self._texts)
        duplicates = {
            "reference": self._referenced - len(self._references),
            "text": self.counts["accepted"] - unique,
        }
        return {**self.counts, "unique": unique, "duplicates": duplicates, "receipts": self.receipts}

    def chunks(self) -> Iterator[bytes]:
        """Give what is accepted by now as JSON lines, many at a time; another thread may walk them."""
        return chain(map(zlib.decompress, list(self._full)), [self._written_tail()])

    def lines(self) -> Iterator[bytes]:
        """Give the same one by one, oldest first."""
        return (line for chunk in self.chunks() for line in chunk.splitlines())
