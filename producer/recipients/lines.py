"""The lines of a file, numbered as an editor numbers them, in bounded memory."""

from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Self

from worker.errors import InputError

#: A longer line is cut, so that a file without line ends does not fill the memory.
MAX_LINE_BYTES = 1 << 20

_CHUNK_BYTES = 1 << 18

_NOT_CSV = {
    b"\xff\xfe\x00\x00": "is UTF-32",
    b"\xff\xfe": "is UTF-16",
    b"\xfe\xff": "is UTF-16",
    b"PK\x03\x04": "is an Excel workbook or another archive",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook",
}

_BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A line with its line end."""

    number: int
    text: str
    is_cut: bool


class Lines:
    """An iterator over lines that can take lines back. The file is closed after the last one.

    Raises:
        InputError: ``file_missing`` when the file cannot be opened, ``encoding`` when it is not UTF-8.
    """

    def __init__(self, path: Path, *, on_bytes: Callable[[int], None] | None = None) -> None:
        self._again: deque[Line] = deque()
        self._fresh = _decoded(_split(_chunks(path, on_bytes=on_bytes)), name=path.name)

    def __iter__(self) -> Self:
        """Return itself."""
        return self

    def __next__(self) -> Line:
        """Return the next line, one that was taken back first."""
        return self._again.popleft() if self._again else next(self._fresh)

    def take_back(self, lines: list[Line]) -> None:
        """Have ``lines`` come again, in their order."""
        self._again.extendleft(reversed(lines))


def _chunks(path: Path, *, on_bytes: Callable[[int], None] | None) -> Iterator[bytes]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", code="file_missing") from None
    with file:
        while chunk := file.read(_CHUNK_BYTES):
            if on_bytes:
                on_bytes(len(chunk))
            yield chunk


def _split(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield lines with their ends (LF, CR LF, CR); one that is too long is cut to one byte too many."""
    rest = b""
    for chunk in chunks:
        lines = (rest + chunk).splitlines(keepends=True)
        rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
        yield from lines
        if len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\r"):  # a line feed may follow this CR
            rest = rest[: MAX_LINE_BYTES + 1]
    if rest:
        yield rest


def _decoded(lines: Iterator[bytes], *, name: str) -> Iterator[Line]:
    for number, line in enumerate(lines, start=1):
        content = _content(line, name=name) if number == 1 else line
        if len(content) > MAX_LINE_BYTES:
            yield Line(number, "", is_cut=True)
        else:
            yield Line(number, _text(content, number=number, name=name), is_cut=False)


def _content(first: bytes, *, name: str) -> bytes:
    for magic, is_something in _NOT_CSV.items():
        if first.startswith(magic):
            raise _not_utf8(f"{name} {is_something}", line=1)
    return first.removeprefix(_BOM)


def _text(line: bytes, *, number: int, name: str) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        pass
    raise _not_utf8(f"line {number} of {name} is not UTF-8", line=number)


def _not_utf8(finding: str, *, line: int) -> InputError:
    return InputError(f'{finding}: save the file as "CSV UTF-8" and try again', code="encoding", line=line)
