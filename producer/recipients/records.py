"""From lines to records of cells (RFC 4180, with other delimiters and quotes)."""

import csv
from collections.abc import Iterator
from typing import Final, NamedTuple, Self

from producer.recipients.dialect import Dialect
from producer.recipients.lines import Line, Lines
from producer.recipients.rows import Problem

#: A quoted cell may hold line breaks; a record that goes on for longer lacks its closing quote.
MAX_RECORD_LINES: Final = 100
MAX_RECORD_CHARACTERS: Final = 1 << 20

SHOWN: Final = 1000
"""Of the characters of a row that cannot be read."""

_MAX_CELL_CHARACTERS: Final = csv.field_size_limit()


class Record(NamedTuple):
    """The cells of a row, and the line on which it begins.

    Attributes:
        line: its number.
        cells: as they are written.
        lines: as they stand in the file, where a quoted cell goes on in further ones; else none.
    """

    line: int
    cells: list[str]
    lines: tuple[str, ...] = ()


def read_records(lines: Lines, *, dialect: Dialect) -> Iterator[Record | Problem]:
    """Yield a record for each row that is not blank, or a problem where there is none to read.

    After a quote without an end, reading goes on with the next line.
    """
    delimiter = dialect.delimiter
    special = f"{dialect.quote}\0"
    quoted = _Quoted(lines, dialect)
    while True:
        try:
            plain = lines.take_plain(special)
            if plain is None:
                if found := _single(next(lines), quoted, dialect):
                    yield found
                continue
        except StopIteration:
            return
        for number, text in enumerate(plain[1], plain[0]):
            if len(text) > _MAX_CELL_CHARACTERS:
                yield quoted.record(Line(number, text, is_cut=False))
            elif text and (delimiter in text or not text.isspace()):
                yield Record(number, text.split(delimiter))


def _single(line: Line, quoted: "_Quoted", dialect: Dialect) -> Record | Problem | None:
    if line.is_cut:
        return unreadable(line, "the line is too long")
    text = line.text
    if not text.strip() and dialect.delimiter not in text:
        return None
    if "\0" in text:
        return unreadable(line, "the row holds NUL characters")
    if (dialect.quote and dialect.quote in text) or len(text) > _MAX_CELL_CHARACTERS:
        return quoted.record(line)
    return Record(line.number, text.rstrip("\r\n").split(dialect.delimiter))


class _Quoted:
    """Reads records with quotes, which may go on in further lines.

    One reader of the standard library serves all of them: this is the iterator that it takes lines from.
    """

    def __init__(self, lines: Lines, dialect: Dialect) -> None:
        self._lines = lines
        self._taken: list[Line] = []  # of this record
        self._n_characters = 0
        self._again = False  # the first of them comes next
        self._reader = csv.reader(
            self,
            delimiter=dialect.delimiter,
            quotechar=dialect.quote or None,
            quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
            skipinitialspace=dialect.delimiter != " ",
            strict=True,
        )

    def record(self, first: Line) -> Record | Problem:
        """Read the record that begins with a line, or say what is wrong with this line alone."""
        self._taken, self._again, self._n_characters = [first], True, len(first.text)
        try:
            cells = next(self._reader)
        except csv.Error as error:
            self._lines.take_back(self._taken[1:])
            return unreadable(first, _reason(str(error)))
        if any("\0" in line.text for line in self._taken):
            return unreadable(first, "the row holds NUL characters")
        lines = tuple(line.text for line in self._taken) if len(self._taken) > 1 else ()
        return Record(first.number, cells, lines)

    def __iter__(self) -> Self:
        """Return itself."""
        return self

    def __next__(self) -> str:
        """Return the next line of the record; raises StopIteration where it has gone on for too long."""
        if self._again:
            self._again = False
            return self._taken[0].text
        if len(self._taken) > MAX_RECORD_LINES or self._n_characters > MAX_RECORD_CHARACTERS:
            raise StopIteration
        line = next(self._lines)
        self._taken.append(line)
        self._n_characters += len(line.text)
        if line.is_cut:
            raise StopIteration
        return line.text


def unreadable(line: Line, message: str) -> Problem:
    """Return the problem of a row whose cells cannot be told apart."""
    return Problem(
        line=line.number, column=None, code="unreadable_row", message=message, raw=line.text[:SHOWN]
    )


def _reason(error: str) -> str:
    if "field limit" in error:
        return f"a cell has more than {_MAX_CELL_CHARACTERS} characters, or a quote in the row is not closed"
    return "a quote in the row is not closed, or something follows it that does not belong there"
