"""The bytes of a file: what kind of file it is, and gzip unpacked piece by piece."""

from __future__ import annotations

import stat
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO, Final

from worker.errors import InputError

PIECE_BYTES: Final = 1 << 18

_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"
_NO_ZIP: Final = b"PK\x05\x06"  # an empty archive
_OLE: Final = b"\xd0\xcf\x11\xe0"
_MAGIC_BYTES: Final = 4
_GZIP_WINDOW: Final = 31  # zlib's word for a gzip header

OnBytes = Callable[[int], None]
"""Called with the size of each piece of the file, as it lies on the disk."""


class Kind(Enum):
    """What a file begins as."""

    TEXT = "text"
    GZIP = "gzip"
    ZIP = "zip"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A file that is there, is a file, and is not empty."""

    path: Path
    kind: Kind

    @property
    def name(self) -> str:
        """The name, for messages."""
        return self.path.name

    def pieces(self, *, on_bytes: OnBytes | None = None) -> Iterator[bytes]:
        """Yield the content piece by piece, unpacked where it is compressed.

        Raises:
            InputError: ``file_missing``, or ``file_broken`` where the compression is.
        """
        pieces = _pieces(self.path, on_bytes=on_bytes)
        return _unpacked(pieces, name=self.name) if self.kind is Kind.GZIP else pieces


def find_source(path: Path) -> Source:
    """Look at a file.

    Raises:
        InputError: ``file_missing``: it cannot be read; ``file_empty``; ``encoding``: it is no kind of file
            that is read here.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise _unreadable(path, error) from None
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode):
        raise InputError(
            f"{path} is no file, and it is read more than once: write it into a file", code="file_missing"
        )
    with open_file(path) as file:
        magic = _read(path, file, _MAGIC_BYTES)
    if not magic:
        raise InputError(f"{path.name} is empty", code="file_empty")
    if magic.startswith(_OLE):
        raise InputError(
            f"{path.name} is an old Excel workbook (.xls), or one with a password: "
            "save it as .xlsx without a password, or as CSV UTF-8",
            code="encoding",
            line=1,
        )
    if magic.startswith(_GZIP):
        return Source(path=path, kind=Kind.GZIP)
    return Source(path=path, kind=Kind.ZIP if magic in {_ZIP, _NO_ZIP} else Kind.TEXT)


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading; raises InputError ``file_missing``."""
    try:
        return path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from None


def _pieces(path: Path, *, on_bytes: OnBytes | None) -> Iterator[bytes]:
    with open_file(path) as file:
        while piece := _read(path, file, PIECE_BYTES):
            if on_bytes:
                on_bytes(len(piece))
            yield piece


def _read(path: Path, file: BinaryIO, size: int) -> bytes:
    try:
        return file.read(size)
    except OSError as error:
        raise _unreadable(path, error) from None


def _unpacked(pieces: Iterator[bytes], *, name: str) -> Iterator[bytes]:
    """Unpack the members of a gzip file; never more than a piece at once, whatever it claims to hold."""
    unpacking = zlib.decompressobj(_GZIP_WINDOW)
    is_begun = False
    for packed in pieces:
        rest = packed
        while rest:
            if unpacking.eof:
                rest = rest.lstrip(b"\0")  # some writers fill up a block
                if not rest:
                    break
                unpacking = zlib.decompressobj(_GZIP_WINDOW)
            try:
                piece = unpacking.decompress(rest, PIECE_BYTES)
            except zlib.error:
                raise _broken(name, "is damaged") from None
            if piece:
                _require_text(piece, name=name, is_first=not is_begun)
                is_begun = True
                yield piece
            rest = unpacking.unused_data if unpacking.eof else unpacking.unconsumed_tail
    if not unpacking.eof:
        raise _broken(name, "is cut off")


def _require_text(piece: bytes, *, name: str, is_first: bool) -> None:
    if is_first and piece.startswith((_ZIP, _OLE, _GZIP)):
        raise InputError(
            f"{name} holds a workbook or another archive inside of gzip: unpack it first",
            code="encoding",
            line=1,
        )


def _broken(name: str, how: str) -> InputError:
    return InputError(f"{name} {how}: its gzip cannot be unpacked to the end", code="file_broken")


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path} cannot be read: {error.strerror}", code="file_missing")
