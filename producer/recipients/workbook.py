"""The rows of an Excel workbook (.xlsx), one by one; cells become the texts that a person would write.

The texts of a workbook lie together in one part of it, which is in memory as long as it is read (ECMA-376-1,
18.4); the rows are not.
"""

from __future__ import annotations

import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from producer.recipients.archive import load, no_workbook
from producer.recipients.form import Found
from producer.recipients.records import Record
from producer.recipients.rows import Problem
from producer.recipients.sources import OnBytes, Source, open_file
from worker.errors import InputError

if TYPE_CHECKING:
    from openpyxl import Workbook

MAX_ROWS: Final = 1_048_576  # of a sheet, ECMA-376-1, 18.3.1.73
MAX_CELL_CHARACTERS: Final = 32_767  # what Excel itself allows

_UNREADABLE: Final = (
    zipfile.BadZipFile,  # no archive, a part that is cut, a wrong checksum
    RuntimeError,  # a password; a version or a compression that Python does not know
    zlib.error,  # damage within a part
    EOFError,  # a part that ends with the file
    ValueError,  # names and places that cannot be
    OSError,  # places before the beginning of the file
)
"""What zipfile raises where an archive is none that can be read."""

_EXACT: Final = 10**15  # Excel keeps 15 digits
_zeros: Final = re.compile(r"0+").fullmatch
_has_clock: Final = re.compile(r"[hs]", re.IGNORECASE).search


def read_workbook(
    source: Source, found: Found, *, sheet: str | None, on_bytes: OnBytes | None
) -> Iterator[Record | Problem]:
    """Yield the rows of a sheet that are not blank, numbered as the spreadsheet numbers them.

    Args:
        source: a file that begins as a zip archive.
        found: takes the name of the sheet.
        sheet: its name, or its number from 1; None: the first one that is not hidden.
        on_bytes: called with the size of each piece that was read.

    Raises:
        InputError: ``encoding``: it is another archive; ``file_broken``; ``no_such_sheet``.
    """
    with open_file(source.path) as file:
        _require_workbook(file, name=source.name)
        counted: Any = _Counted(file, on_bytes) if on_bytes else file
        with _explained(source.name):
            book = load(counted, file, name=source.name)
        chosen = _sheet(book, sheet, name=source.name)
        found.sheet = chosen.title
        rows = _rows(chosen)
        while True:
            with _explained(source.name):
                record = next(rows, None)
            if record is None:
                return
            yield record


def _rows(sheet: Any) -> Iterator[Record | Problem]:  # noqa: ANN401 - of openpyxl
    sheet.reset_dimensions()  # what a workbook says of its own size may be wrong
    for line, row in enumerate(sheet.rows, start=1):
        if line > MAX_ROWS:
            raise ValueError
        cells = [_text(cell) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            continue
        if len(max(cells, key=len)) > MAX_CELL_CHARACTERS:
            yield Problem(
                line=line,
                column=None,
                code="unreadable_row",
                message=f"a cell has more than {MAX_CELL_CHARACTERS} characters",
            )
        elif "\0" in "".join(cells):
            yield Problem(
                line=line, column=None, code="unreadable_row", message="the row holds NUL characters"
            )
        else:
            yield Record(line, cells)


def _text(cell: Any) -> str:  # noqa: ANN401, PLR0911 - of openpyxl; one kind of value after the other
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, (int, float)):
        return _number(value, shown_as=cell.number_format)
    if isinstance(value, datetime):
        return _moment(value, shown_as=cell.number_format)
    if isinstance(value, (date, time)):
        return value.isoformat()
    return str(value)


def _number(value: float, *, shown_as: str) -> str:
    """Write a number as it was typed; with the zeros in front that its format shows."""
    if value == int(value) and abs(value) < _EXACT:
        digits = str(int(value))
        return digits.zfill(len(shown_as)) if _zeros(shown_as) else digits
    return f"{value:.14E}" if abs(value) >= _EXACT else repr(value)


def _moment(value: datetime, *, shown_as: str) -> str:
    whole = (value + timedelta(milliseconds=500)).replace(microsecond=0)  # fractions of days are not exact
    if whole.time() == time() and not _has_clock(shown_as):
        return whole.date().isoformat()
    return whole.isoformat(sep=" ", timespec="seconds" if whole.second else "minutes")


def _require_workbook(file: BinaryIO, *, name: str) -> None:
    """Look into the archive before anything of it is unpacked."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = {each.lower() for each in archive.namelist()}
    except _UNREADABLE:
        members = None
    if members is None:
        raise _broken(name)
    file.seek(0)
    if "xl/workbook.bin" in members:
        raise no_workbook(name, "is a binary Excel workbook (.xlsb)")
    if "xl/workbook.xml" not in members:
        raise no_workbook(name, "is an archive, but no Excel workbook")


def _sheet(book: Workbook, wanted: str | None, *, name: str) -> Any:  # noqa: ANN401 - of openpyxl
    sheets = book.worksheets
    if wanted is None:
        shown = [each for each in sheets if each.sheet_state == "visible"] or sheets
        if shown:
            return shown[0]
    for each in sheets:
        if each.title == wanted:
            return each
    if wanted is not None and wanted.isdecimal() and 0 < int(wanted) <= len(sheets):
        return sheets[int(wanted) - 1]
    titles = ", ".join(repr(each.title) for each in sheets[:20]) or "none"
    raise InputError(
        f"{name} has no sheet {wanted!r}: its sheets are {titles}; give --sheet NAME or a number from 1",
        code="no_such_sheet",
    )


class _Counted:
    """A file that tells how much of it was read, and never more than there is: some is read twice."""

    def __init__(self, file: BinaryIO, on_bytes: OnBytes) -> None:
        self._file = file
        self._on_bytes = on_bytes
        self._left = os.fstat(file.fileno()).st_size

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        told = min(len(piece), self._left)
        self._left -= told
        self._on_bytes(told)
        return piece

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else a file can do
        return getattr(self._file, name)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn whatever a broken workbook makes the library raise into one sentence."""
    is_broken = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and extensions, which are not read
        try:
            yield
        except (InputError, MemoryError):
            raise
        except Exception:  # noqa: BLE001 - the library raises what it comes across, KeyError and TypeError too
            is_broken = True
    if is_broken:
        raise _broken(name)


def _broken(name: str) -> InputError:
    return InputError(
        f"{name} is damaged: it cannot be read as a workbook; open it in a spreadsheet and save it anew",
        code="file_broken",
    )
