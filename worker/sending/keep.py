"""Outcomes that the ledger cannot take now, kept on disk: a worker may be killed while it waits for it.

A line of JSON for each request, fsynced before anything else is done: references, message ids, states and the
gateway's codes; no number, text or secret. A file belongs to the process that holds its lock (flock(2)); what
a dead process left is written into the ledger by whoever looks first.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from worker.ledger.values import MessageOutcome, SubmissionResult
from worker.states import MessageState, SubmissionOutcome

_log = logging.getLogger(__name__)
_PREFIX = "outcomes-"


class Keep:
    """The outcomes that one lease has kept; the file is there only while there are some."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None
        self._file: int | None = None
        self._size = 0  # octets in whole lines

    def add(self, results: Sequence[SubmissionResult]) -> bool:
        """Append outcomes and wait for the disk; a disk that does not take them is logged, not raised."""
        if not results:
            return True
        try:
            self._append("".join(map(_line, results)).encode())
        except OSError as error:
            _log.error("outcomes not kept on disk", extra={"reason": error.strerror})
            return False
        return True

    def _append(self, lines: bytes) -> None:
        file = self._file if self._file is not None else self._open()
        os.ftruncate(file, self._size)  # without what a full disk has torn
        os.lseek(file, self._size, os.SEEK_SET)
        left = memoryview(lines)
        while left:
            left = left[os.write(file, left) :]
        os.fsync(file)
        self._size += len(lines)

    def _open(self) -> int:
        """Make the file and lock it before it gets the name under which others look for it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file, name = tempfile.mkstemp(prefix=f".{_PREFIX}", dir=self._folder)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._path = Path(name).rename(self._folder / Path(name).name.removeprefix("."))
        folder = os.open(self._folder, os.O_RDONLY)
        os.fsync(folder)  # the name as well
        os.close(folder)
        return self._file

    def clear(self) -> None:
        """Forget all of them: the ledger has them."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
        self.leave()

    def leave(self) -> None:
        """Leave them to whoever looks next."""
        if self._file is not None:
            os.close(self._file)
        self._file, self._path, self._size = None, None, 0


Write = Callable[[list[SubmissionResult]], int | None]
"""Writes outcomes into the ledger and says how many it refuses; None when it can take none now."""


def replay(folder: Path, write: Write) -> int:
    """Hand over what processes that are gone have kept, a file at a time; return how many the ledger took.

    A file goes once the ledger has its outcomes, and is put aside when the ledger refuses some or they cannot
    be read. Else it is there for the next look, and holds up no other.
    """
    n_outcomes = 0
    for path in sorted(folder.glob(f"{_PREFIX}*")):
        try:
            n_outcomes += _replay(path, write)
        except (FileNotFoundError, BlockingIOError):  # it is gone, or its process lives
            continue
        except OSError as error:
            _log.error("kept outcomes not read", extra={"file": path.name, "reason": error.strerror})
        except Exception as bug:  # noqa: BLE001 - what is wrong with one file is no matter of the others
            facts = {"file": path.name, "error_class": type(bug).__name__}
            _log.error("kept outcomes not written because of a bug", extra=facts)
    return n_outcomes


def _replay(path: Path, write: Write) -> int:
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        results, is_sound = _read(file.read())
        n_refused = write(results) if results else 0
        if n_refused is None:
            return 0
        if n_refused:
            _put_aside(path, "refused")
        elif not is_sound:
            _put_aside(path, "unreadable")
        else:
            path.unlink(missing_ok=True)
    return len(results) - n_refused


def _put_aside(path: Path, why: str) -> None:
    """Keep a file under a name that is not looked at again: some of it is lost, unless a person mends it."""
    aside = path.rename(path.with_name(f"{why}-{path.name}"))
    _log.error("kept outcomes put aside", extra={"file": aside.name})


def _line(result: SubmissionResult) -> str:
    return json.dumps(asdict(result), default=str) + "\n"


def _read(content: bytes) -> tuple[list[SubmissionResult], bool]:
    """Read all whole lines, and say whether each could be read; a torn last one was never said to be kept."""
    results, is_sound = [], True
    for line in content.split(b"\n")[:-1]:
        try:
            results.append(_result(json.loads(line)))
        except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError):
            is_sound = False
    return results, is_sound


def _result(values: dict[str, Any]) -> SubmissionResult:
    read = {
        "outcome": SubmissionOutcome(values["outcome"]),
        "messages": tuple(map(_message, values["messages"])),
    }
    return SubmissionResult(**{**values, **read})


def _message(values: dict[str, object]) -> MessageOutcome:
    cost = values["billed_cost"]
    values |= {
        "state": MessageState(str(values["state"])),
        "billed_cost": None if cost is None else Decimal(str(cost)),
    }
    return MessageOutcome(**values)  # type: ignore[arg-type]  # as asdict gave them
