"""What was refused, as CSV that a spreadsheet opens, a person corrects, and the reader takes back."""

from __future__ import annotations

import csv
import filecmp
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

from producer.output_file import appearing_text, is_stream, open_stream, require_free
from producer.recipients.rows import Problem
from producer.recipients.seen import Double
from producer.recipients.table import OURS
from producer.spreadsheet import inert

_BY_US: Final = tuple(OURS + name for name in ("line", "column", "code", "problem", "row"))
_DROPPED: Final = tuple(OURS + name for name in ("line", "code", "first_line"))
_MARK: Final = ".problems"


@dataclass(kw_only=True)
class ProblemsFile:
    """A file of refused rows: our columns, then those of the file; it has its name when all is written.

    Attributes:
        target: where it is to lie; a pipe or a device is written to.
        may_replace: whether it takes the place of what is there.
        before: lists that there are already: where one says the same, it stays the only one.
        n: rows in it so far.
    """

    target: Path
    may_replace: bool = False
    before: tuple[Path, ...] = ()
    n: int = 0
    _file: TextIO | None = field(default=None, repr=False)
    _writer: Any = field(default=None, repr=False)
    _aside: Path | None = field(default=None, repr=False)

    def add(self, problem: Problem, headers: Iterable[str]) -> None:
        """Append a refused row; the first one begins the file.

        Raises:
            OSError: it cannot be written.
        """
        if self._file is None:
            self._begin([*_BY_US, *headers])
        facts = [problem.line, inert(problem.column or ""), problem.code, inert(problem.message)]
        raw = problem.raw.rstrip("\r\n").replace("\0", "\N{SYMBOL FOR NULL}")
        self._writer.writerow([*facts, inert(raw), *map(inert, problem.cells)])
        self.n += 1

    def _begin(self, headers: list[str]) -> None:
        if is_stream(self.target):
            self._file = open_stream(self.target, encoding="utf-8-sig")
        else:
            place = self.target.resolve()
            handle, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)  # mode 600
            self._aside = Path(name)
            self._file = os.fdopen(handle, "w", encoding="utf-8-sig", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(map(inert, headers))

    def keep(self) -> Path | None:
        """Give the file its name, and return that; None where there is no refused row.

        Raises:
            InputError: somebody has taken the name meanwhile.
            OSError: it cannot be written.
        """
        if self._file is None:
            return None
        self._file.close()
        if self._aside is None:
            return self.target
        for there in self.before:
            if filecmp.cmp(self._aside, there, shallow=False):
                return there
        require_free(self.target, may_replace=self.may_replace)
        self._aside.replace(self.target.resolve())
        self._aside = None
        return self.target

    def drop(self) -> None:
        """Forget what has no name yet."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        if self._aside is not None:
            self._aside.unlink(missing_ok=True)


def file_beside(source: Path, *, folder: Path | None = None) -> ProblemsFile:
    """Return a list that is to lie under a name that no file has yet: somebody may be correcting that.

    Args:
        source: the recipient file.
        folder: where they are to lie; None: beside it.
    """
    stem = _list_of(source) or _stem(source)
    within = source.parent if folder is None else folder
    before, target = [], within / f"{stem}{_MARK}.csv"
    while target.exists():
        before.append(target)
        target = within / f"{stem}{_MARK}.{len(before) + 1}.csv"
    return ProblemsFile(target=target, before=tuple(before))


def is_list(source: Path) -> bool:
    """Say whether a file has the name of a list of refused rows."""
    return _list_of(source) is not None


def _list_of(source: Path) -> str | None:
    """Return of what a file is the list of refused rows, by its name; None: of nothing."""
    head, mark, count = _stem(source).rpartition(_MARK)
    return head if head and mark and (not count or count[1:].isdecimal()) else None


def _stem(source: Path) -> str:
    name = source.name.removesuffix(".gz")
    return name[: -len(Path(name).suffix)] if Path(name).suffix else name


class Dropped(Protocol):
    """A row that was left out."""

    @property
    def line(self) -> int:
        """Of the file."""

    @property
    def code(self) -> str:
        """Why."""


def write_dropped(dropped: Iterable[Dropped], target: Path, *, may_replace: bool = False) -> None:
    """Write a list of rows that were left out, doubles with the line where their recipient came first.

    Raises:
        InputError: there is something of that name already.
        OSError: it cannot be written.
    """
    with appearing_text(target, may_replace=may_replace, encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(_DROPPED)
        for each in dropped:
            first = each.first if isinstance(each, Double) else None
            writer.writerow([each.line, each.code, first])
