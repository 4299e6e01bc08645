"""Composed messages between preview and import: an unnamed file, so what was previewed is what is sent.

The file has no name in the file system: numbers and texts are gone with the process, however it ends.
"""

from __future__ import annotations

import json
import marshal
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields

from worker.errors import ConfigError
from worker.ledger.drafts import NewMessage

_NAMES = [field.name for field in fields(NewMessage)]
_AT_ONCE = 100  # messages
_LENGTH = 4  # bytes that say how long a chunk is


@contextmanager
def in_temporary_folder() -> Iterator[None]:
    """Name the folder for temporary files where it is full, or cannot be used; raises ConfigError."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(
            f"The folder for temporary files, {tempfile.gettempdir()}: {why}; make room there, or name "
            "another one with TMPDIR"
        ) from None


def written(message: NewMessage) -> str:
    """Write a message in a line."""
    return json.dumps(list(vars(message).values()))


def read_back(line: str) -> NewMessage:
    """Read what ``written`` wrote."""
    return NewMessage(**dict(zip(_NAMES, json.loads(line), strict=True)))


def _made(values: dict[str, object]) -> NewMessage:
    """Make a message of what it consists of: quicker than by its fields, and there are a million."""
    message = object.__new__(NewMessage)
    message.__dict__ = values
    return message


class Spool:
    """Messages in the order in which they were added; memory does not grow with them."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by ``close``
        self._waiting: list[dict[str, object]] = []
        self.n_messages = 0

    def add(self, message: NewMessage, _text: str = "") -> None:
        """Append one message; takes what a preview calls with."""
        self._waiting.append(vars(message))
        self.n_messages += 1
        if len(self._waiting) >= _AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        chunk = marshal.dumps(self._waiting)  # no other program reads it
        with in_temporary_folder():
            self._file.write(len(chunk).to_bytes(_LENGTH, "big") + chunk)
        self._waiting.clear()

    def __iter__(self) -> Iterator[NewMessage]:
        """Yield all messages from the first."""
        self._flush()
        with in_temporary_folder():
            self._file.seek(0)  # writes what waits in memory
        while length := self._file.read(_LENGTH):
            chunk = self._file.read(int.from_bytes(length, "big"))
            yield from map(_made, marshal.loads(chunk))  # noqa: S302 - our own

    def close(self) -> None:
        """Forget everything."""
        with suppress(OSError):  # what could not be written is not wanted any more
            self._file.close()
