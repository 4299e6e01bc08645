"""From lines to records of cells (RFC 4180, with comma, semicolon or tab)."""

import csv
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from producer.recipients.lines import Line, Lines
from producer.recipients.rows import Problem

#: A quoted cell may hold line breaks; a record that goes on for longer lacks its closing quote.
MAX_RECORD_LINES: Final = 100
MAX_RECORD_CHARACTERS: Final = 1 << 20

_MAX_CELL_CHARACTERS: Final = csv.field_size_limit()

_DELIMITERS: Final = "\t;,"  # where two are as frequent: a comma also stands in prose
_quoted: Final = re.compile(r'"(?:[^"]|"")*("|$)').sub


class Record(NamedTuple):
    """The cells of a row, and the line on which it begins."""

    line: int
    cells: list[str]


def find_delimiter(header: str) -> str:
    """Return the delimiter that is most frequent outside of quotes."""
    bare = _quoted("", header)
    return max(_DELIMITERS, key=bare.count) if any(d in bare for d in _DELIMITERS) else ","


def read_records(lines: Lines, *, delimiter: str) -> Iterator[Record | Problem]:
    """Yield a record for each row that is not blank, or a problem where there is none to read.

    After a quote without an end, reading goes on with the next line.
    """
    for line in lines:
        if line.is_cut:
            yield _unreadable(line, "the line is too long")
        elif _is_blank(line.text, delimiter=delimiter):
            continue
        elif "\0" in line.text:
            yield _unreadable(line, "the row holds NUL characters")
        elif '"' in line.text or len(line.text) > _MAX_CELL_CHARACTERS:
            yield _quoted_record(line, lines=lines, delimiter=delimiter)
        else:
            yield Record(line.number, line.text.rstrip("\r\n").split(delimiter))


def _is_blank(text: str, *, delimiter: str) -> bool:
    return not text.strip() and delimiter not in text


def _quoted_record(first: Line, *, lines: Lines, delimiter: str) -> Record | Problem:
    taken: list[Line] = []
    try:
        cells = next(csv.reader(_supply(first, lines=lines, taken=taken), delimiter=delimiter, strict=True))
    except csv.Error as error:
        lines.take_back(taken)
        return _unreadable(first, _reason(str(error)))
    return Record(first.number, cells)


def _supply(first: Line, *, lines: Lines, taken: list[Line]) -> Iterator[str]:
    """Yield the lines of one record as the reader asks for them, and keep what was taken."""
    yield first.text
    n_characters = len(first.text)
    for line in lines:
        taken.append(line)
        n_characters += len(line.text)
        if len(taken) >= MAX_RECORD_LINES or n_characters > MAX_RECORD_CHARACTERS or line.is_cut:
            break
        yield line.text


def _reason(error: str) -> str:
    if "field limit" in error:
        return f"a cell has more than {_MAX_CELL_CHARACTERS} characters, or a quote in the row is not closed"
    return "a quote in the row is not closed, or something follows it that does not belong there"


def _unreadable(line: Line, message: str) -> Problem:
    return Problem(line=line.number, column=None, code="unreadable_row", message=message)
