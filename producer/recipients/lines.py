"""The lines of a file, numbered as an editor numbers them, in bounded memory."""

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple, Self

from producer.recipients.decoding import Decoder

#: A longer line is cut, so that a file without line ends does not fill the memory.
MAX_LINE_BYTES: Final = 1 << 20


class Line(NamedTuple):
    """A line with its line end."""

    number: int
    text: str
    is_cut: bool


class Lines:
    """An iterator over lines that can take lines back. The file is closed after the last one.

    Where nothing is special in them, many lines are given at once, which is far quicker.

    Raises:
        InputError: ``encoding``, with its line.
    """

    def __init__(self, pieces: Iterator[bytes], decoder: Decoder) -> None:
        self._blocks = _blocks(pieces)
        self._decoder = decoder
        self._waiting: deque[Line] = deque()
        self._block: list[bytes] = []
        self._number = 1  # of the first line of the block

    def __iter__(self) -> Self:
        """Return itself."""
        return self

    def __next__(self) -> Line:
        """Return the next line, one that was taken back first."""
        if not self._waiting:
            self._load()
            self._waiting.extend(self._decoded())
        return self._waiting.popleft()

    def take_back(self, lines: list[Line]) -> None:
        """Have ``lines`` come again, in their order."""
        self._waiting.extendleft(reversed(lines))

    def take_plain(self, special: str) -> tuple[int, list[str]] | None:
        """Return the next lines without their ends, and the number of the first; None: take them singly.

        Args:
            special: none of these characters is in the lines.

        Raises:
            StopIteration: there are no more.
        """
        if self._waiting:
            return None
        self._load()
        block = b"".join(self._block)
        text = None if _has_long(self._block) else self._decoder.text(block, number=self._number)
        if text is None or any(char in text for char in special):
            self._waiting.extend(self._decoded())
            return None
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        texts = text.removesuffix("\n").split("\n")
        number = self._number
        self._number += len(texts)
        self._block = []
        return number, texts

    def _load(self) -> None:
        if self._block:
            return
        try:
            self._block = next(self._blocks)
        except StopIteration:
            self._decoder.close()
            raise

    def _decoded(self) -> Iterator[Line]:
        for number, line in enumerate(self._block, start=self._number):
            if len(line) > MAX_LINE_BYTES:
                yield Line(number, "", is_cut=True)
            else:
                yield Line(number, self._decoder.text(line, number=number), is_cut=False)
        self._number += len(self._block)
        self._block = []


def _has_long(lines: list[bytes]) -> bool:
    return len(max(lines, key=len)) > MAX_LINE_BYTES


def _blocks(pieces: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Yield whole lines with their ends (LF, CR LF, CR); one that is too long is cut to a byte too many."""
    rest = b""
    for piece in pieces:
        if not piece:
            continue
        lines = (rest + piece).splitlines(keepends=True)
        rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
        if lines:
            yield lines
        if len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\r"):  # a line feed may follow this CR
            rest = rest[: MAX_LINE_BYTES + 1]
    if rest:
        yield [rest]
