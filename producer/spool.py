"""Composed messages between preview and import: an unnamed file, so what was previewed is what is sent.

The file has no name in the file system: numbers and texts are gone with the process, however it ends.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import fields

from worker.ledger.drafts import NewMessage

_NAMES = [field.name for field in fields(NewMessage)]


def written(message: NewMessage) -> str:
    """Write a message in a line."""
    return json.dumps(list(vars(message).values()))


def read_back(line: str) -> NewMessage:
    """Read what ``written`` wrote."""
    return NewMessage(**dict(zip(_NAMES, json.loads(line), strict=True)))


class Spool:
    """Messages in the order in which they were added; memory does not grow with them."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed by ``close``
        self.n_messages = 0

    def add(self, message: NewMessage, _text: str = "") -> None:
        """Append one message; takes what a preview calls with."""
        self._file.write(written(message) + "\n")
        self.n_messages += 1

    def __iter__(self) -> Iterator[NewMessage]:
        """Yield all messages from the first."""
        self._file.seek(0)
        yield from map(read_back, self._file)

    def close(self) -> None:
        """Forget everything."""
        self._file.close()
