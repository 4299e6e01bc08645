"""Cells that no spreadsheet calculates: an apostrophe in front of them, which reading takes away again.

A program with another list separator than ours divides a cell where that stands in it, quotes or not: these
count at the beginning of a cell only, which is elsewhere for it. So what comes behind a separator or the end
of a line within a cell is treated as a cell of its own.

OWASP, "CSV Injection", read 2026-11-22.
"""

import re
from typing import Final

_MARK: Final = "'"
_SEPARATORS: Final = ";\t\r\n"  # the comma is ours: a cell that holds it is in quotes
_WIDE: Final = (
    "\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)
_TYPED: Final = frozenset(f"=+-@\t\r\n{_WIDE}")
_SIGNS: Final = f"=+\\-@{_WIDE}"

_GOES_ON: Final = f"(?=[ '\"]*[{_SIGNS}])"
_BEGINS: Final = f"(?=[ '\"]*[{_SIGNS}]|'*[\t\r\n])"
_may_hold: Final = re.compile(f"[{_SIGNS}{_SEPARATORS}]").search
_unmarked: Final = re.compile(f"\\A{_BEGINS}|(?<=[{_SEPARATORS}]){_GOES_ON}")
_marked: Final = re.compile(f"\\A{_MARK}{_BEGINS}|(?<=[{_SEPARATORS}]){_MARK}{_GOES_ON}")


def inert(cell: str) -> str:
    """Return a cell with an apostrophe in front where a spreadsheet might calculate it, or a part of it.

    >>> inert("=1+1"), inert("+4520304050"), inert("a;=1+1"), inert("Ann")
    ("'=1+1", "'+4520304050", "a;'=1+1", 'Ann')
    """
    return _unmarked.sub(_MARK, cell) if _may_hold(cell) else cell


def as_written(cell: str) -> str:
    """Take away the apostrophes that ``inert`` put in, and no other.

    >>> as_written("'+4520304050"), as_written("a;'=1+1"), as_written("'s-Gravenhage")
    ('+4520304050', 'a;=1+1', "'s-Gravenhage")
    """
    return _marked.sub("", cell) if _MARK in cell else cell


def as_typed(cell: str) -> str:
    """Take away the apostrophe that people put in front of a sign; what is within a cell is theirs.

    >>> as_typed("'+4520304050"), as_typed("a;'-20%")
    ('+4520304050', "a;'-20%")
    """
    return cell[1:] if cell[:1] == _MARK and cell[1:2] in _TYPED else cell
