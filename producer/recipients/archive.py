"""The parts of a workbook, none of which is unpacked where it would fill the memory, whatever its name is.

Any part may be a sheet or the texts: relations and content types say which (ECMA-376-2, 6.5 and 7.2).
"""

from __future__ import annotations

import re
import zipfile
from functools import partial
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final

from worker.errors import InputError

if TYPE_CHECKING:
    from openpyxl import Workbook

MAX_TEXT_BYTES: Final = 1 << 28  # of all texts of a workbook together
MAX_ROW_BYTES: Final = 1 << 24  # of a row of a sheet, or of any other part of a workbook

_COMPRESSED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What spreadsheets write; zipfile unpacks others without any bound."""

_PIECE_BYTES: Final = 1 << 18
_has_row: Final = re.compile(rb"<(?:[\w.-]{1,40}:)?row[\s/>]").search


def load(file: Any, plain: BinaryIO, *, name: str) -> Workbook:  # noqa: ANN401 - whatever can be read
    """Return a workbook whose sheets are read row by row.

    Args:
        file: the archive.
        plain: the same without being counted; it is looked into before anything large is read.
        name: for messages.

    Raises:
        InputError: ``encoding``: something that is read would fill the memory.
        Exception: whatever the library comes across in a broken workbook.
    """
    from openpyxl.reader.excel import ExcelReader  # noqa: PLC0415 - slow to import, and seldom needed

    archive = _Bounded(file, plain, name=name)
    reader = ExcelReader(file, read_only=True, data_only=True, keep_links=False)
    reader.archive = archive
    read_strings = reader.read_strings
    reader.read_strings = partial(archive.with_texts, read_strings)  # type: ignore[method-assign]
    reader.read_chartsheet = lambda *_: None  # type: ignore[method-assign] # it has no rows, and would be read whole
    reader.read()
    return reader.wb


class _Bounded(zipfile.ZipFile):
    """An archive that refuses to open what would fill the memory."""

    def __init__(self, file: Any, plain: BinaryIO, *, name: str) -> None:  # noqa: ANN401 - as above
        super().__init__(file)
        self._plain = plain
        self._name = name
        self._is_texts = False
        self._good = set[int]()

    def with_texts(self, read: Any) -> None:  # noqa: ANN401 - a method of the library
        """Let the texts be read, which are in memory together."""
        self._is_texts = True
        try:
            read()
        finally:
            self._is_texts = False

    def read(self, name: str | zipfile.ZipInfo, pwd: bytes | None = None) -> bytes:
        """Read a part that is in memory as a whole."""
        if self._member(name).file_size > MAX_ROW_BYTES:
            raise self._too_much()
        with self.open(name, "r", pwd) as part:
            return part.read(MAX_ROW_BYTES)  # what it says of its size may be wrong

    def open(self, name: str | zipfile.ZipInfo, *args: Any, **options: Any) -> IO[bytes]:  # noqa: ANN401 - as zipfile has them
        """Open a part that is read as texts, or row by row."""
        member = self._member(name)
        if member.compress_type not in _COMPRESSED:
            raise zipfile.BadZipFile(
                "compressed as no spreadsheet does it"
            )  # as damaged: it was made by hand
        if self._is_texts and member.file_size > MAX_TEXT_BYTES:
            raise no_workbook(self._name, f"holds more than {MAX_TEXT_BYTES >> 20} MB of texts")
        if not self._is_texts and member.header_offset not in self._good:
            if not _is_bounded(self._plain, member):
                raise self._too_much()
            self._good.add(member.header_offset)
        return super().open(name, *args, **options)

    def _member(self, name: str | zipfile.ZipInfo) -> zipfile.ZipInfo:
        return name if isinstance(name, zipfile.ZipInfo) else self.getinfo(name)

    def _too_much(self) -> InputError:
        what = f"holds a row, or another part, of more than {MAX_ROW_BYTES >> 20} MB"
        return no_workbook(self._name, what)


def _is_bounded(file: BinaryIO, member: zipfile.ZipInfo) -> bool:
    """Say whether a part of a workbook can be read row by row without filling the memory.

    A row is in memory as a whole, its inline texts too (ECMA-376-1, 18.3.1.53); their tags may stand in a
    comment as well, so that none is taken for one where there are comments.
    """
    if member.file_size <= MAX_ROW_BYTES:
        return True
    n_bytes, before, is_plain = 0, b"", True
    with zipfile.ZipFile(file) as archive, archive.open(member) as part:
        while piece := part.read(_PIECE_BYTES):
            is_plain = is_plain and b"<!" not in before + piece and b"\0" not in piece
            n_bytes = 0 if is_plain and _has_row(before + piece) else n_bytes + len(piece)
            if n_bytes > MAX_ROW_BYTES:
                return False
            before = piece[-64:]
    return True


def no_workbook(name: str, what: str) -> InputError:
    """Return the error of an archive that is not read here."""
    return InputError(f'{name} {what}: save it as .xlsx or as "CSV UTF-8"', code="encoding", line=1)
