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
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

from worker.ledger.values import MessageOutcome, SubmissionResult
from worker.states import MessageState, SubmissionOutcome

_log = logging.getLogger(__name__)
_PREFIX = "outcomes-"


class Keep:
    """The kept outcomes of this process; the file is there only while there are some."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None
        self._file: int | None = None

    def add(self, results: Sequence[SubmissionResult]) -> None:
        """Append outcomes and wait for the disk; a disk that does not take them is logged, not raised."""
        try:
            if self._file is None:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._file, name = tempfile.mkstemp(prefix=_PREFIX, dir=self._folder)
                self._path = Path(name)
                fcntl.flock(self._file, fcntl.LOCK_EX)
            os.write(self._file, "".join(_line(result) for result in results).encode())
            os.fsync(self._file)
        except OSError as error:
            _log.error("outcomes not kept on disk", extra={"reason": error.strerror})

    def clear(self) -> None:
        """Forget all of them: the ledger has them."""
        if self._file is None or self._path is None:
            return
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        os.close(self._file)
        self._file = self._path = None


def replay(folder: Path, write: Callable[[list[SubmissionResult]], object]) -> int:
    """Hand over what processes that are gone have kept, a file at a time; return how many outcomes.

    A file goes once ``write`` has returned; what it raises leaves the file for the next look.
    """
    n_outcomes = 0
    for path in sorted(folder.glob(f"{_PREFIX}*")):
        with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            results = list(_read(file.read()))
            if results:
                write(results)
            path.unlink(missing_ok=True)
            n_outcomes += len(results)
    return n_outcomes


def _line(result: SubmissionResult) -> str:
    return json.dumps(asdict(result), default=str) + "\n"


def _read(content: bytes) -> Iterator[SubmissionResult]:
    """Read all whole lines; what was torn by the end of a process was never said to be kept."""
    for line in content.split(b"\n")[:-1]:
        values = json.loads(line)
        yield SubmissionResult(
            **{
                **values,
                "outcome": SubmissionOutcome(values["outcome"]),
                "messages": tuple(map(_message, values["messages"])),
            }
        )


def _message(values: dict[str, object]) -> MessageOutcome:
    cost = values["billed_cost"]
    values |= {
        "state": MessageState(str(values["state"])),
        "billed_cost": None if cost is None else Decimal(str(cost)),
    }
    return MessageOutcome(**values)  # type: ignore[arg-type]  # as asdict gave them
