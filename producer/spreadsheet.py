"""Cells that no spreadsheet calculates: an apostrophe in front of them, which reading takes away again.

OWASP, "CSV Injection", read 2026-11-22.
"""

from typing import Final

_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_MARK: Final = "'"


def inert(cell: str) -> str:
    """Return a cell with an apostrophe in front where a spreadsheet might calculate it.

    >>> inert("=1+1"), inert("+4520304050"), inert("Ann")
    ("'=1+1", "'+4520304050", 'Ann')
    """
    return _MARK + cell if cell.lstrip(_MARK).startswith(_STARTS) else cell


def as_written(cell: str) -> str:
    """Take away the apostrophe that ``inert`` put in front, and no other.

    >>> as_written("'+4520304050"), as_written("'s-Gravenhage")
    ('+4520304050', "'s-Gravenhage")
    """
    if cell.startswith(_MARK) and cell.lstrip(_MARK).startswith(_STARTS):
        return cell[1:]
    return cell
