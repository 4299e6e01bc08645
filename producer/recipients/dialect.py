"""How the cells of a CSV file are divided and quoted, found from its first lines."""

import re
from dataclasses import dataclass
from typing import Final

_DELIMITERS: Final = "\t;|,"  # where two are as good: a comma also stands in prose
_DOUBLE: Final = '"'
_SINGLE: Final = "'"
_CELL: Final = "[^{quote}]*+(?:{quote}{quote}[^{quote}]*+)*+"  # it never goes back

#: Excel's own word for the delimiter, in a line above the columns.
_announced: Final = re.compile(r'sep=([^\r\n"])\s*', re.IGNORECASE).fullmatch


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """What stands between cells, and around those that hold it; no quote: nothing does."""

    delimiter: str
    quote: str


def announced_delimiter(line: str) -> str | None:
    r"""Return the delimiter that a line of Excel's announces.

    >>> announced_delimiter("sep=;\r\n")
    ';'
    """
    found = _announced(line)
    return found[1] if found else None


def find_dialect(sample: list[str], *, delimiter: str | None, quote: str | None) -> Dialect:
    r"""Look at the first lines of a file, that with the columns first.

    The quote is the apostrophe only where it is put around names of columns and no double quote is. The
    delimiter is what most lines have as often as that with the columns, of several the most frequent one.

    Args:
        sample: lines with their ends.
        delimiter: what was said; None: it is to be found.
        quote: the same.

    >>> find_dialect(["'name';'mobile'\n", "'Ann, Bo';'20304050'\n"], delimiter=None, quote=None)
    Dialect(delimiter=';', quote="'")
    """
    header = sample[0]
    if quote is None:
        is_single = _DOUBLE not in "".join(sample) and _is_around_names(header, delimiter)
        quote = _SINGLE if is_single else _DOUBLE
    if delimiter is None:
        delimiter = _best([_without_quoted(line, quote) for line in _whole(sample, quote)])
    return Dialect(delimiter=delimiter, quote=quote)


def _is_around_names(header: str, delimiter: str | None) -> bool:
    between = f"[{re.escape(delimiter or _DELIMITERS)}]"
    name = f"'{_CELL.format(quote=_SINGLE)}'"
    return re.search(rf"(?:^|{between})\s*{name}\s*(?={between}|$)", header.rstrip("\r\n")) is not None


def _whole(sample: list[str], quote: str) -> list[str]:
    """Put lines together that a quoted cell goes across."""
    if not quote:
        return sample
    rows: list[str] = []
    is_open = False
    for line in sample:
        if is_open:
            rows[-1] += line
        else:
            rows.append(line)
        is_open ^= line.count(quote) % 2 == 1
    return rows


def _without_quoted(row: str, quote: str) -> str:
    if not quote:
        return row
    mark = re.escape(quote)
    return re.sub(f"{mark}{_CELL.format(quote=mark)}(?:{mark}|$)", "", row)


def _best(rows: list[str]) -> str:
    header, others = rows[0], [row for row in rows[1:] if row.strip()]
    there = [each for each in _DELIMITERS if each in header]
    if not there:
        return ","

    def worth(delimiter: str) -> tuple[int, int]:
        n_there = header.count(delimiter)
        return sum(row.count(delimiter) == n_there for row in others), n_there

    return max(there, key=worth)
