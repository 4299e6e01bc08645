"""The columns of recipient files as the ledger keeps them: texts in their order, as a JSON array. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import chain


def written(cells: Sequence[str] | None) -> str | None:
    """Write cells, or headers, as they are kept; None where none are."""
    return None if cells is None else json.dumps(cells, ensure_ascii=False, separators=(",", ":"))


def read(kept: str | None) -> tuple[str, ...] | None:
    """Read what ``written`` wrote."""
    return None if kept is None else tuple(json.loads(kept))


def merged(headers: Sequence[str], others: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Put the columns of a further file beside those of the first.

    A column is the same when its header is; of headers that come several times, the first is the first one,
    the second the second.

    Returns:
        all columns, new ones last; and the position of each of ``others`` among them.

    >>> merged(["Name", "Mobile"], ["Mobile", "City"])
    (('Name', 'Mobile', 'City'), (1, 2))
    """
    places = {name: place for place, name in enumerate(_named_apart(headers))}
    found = [places.setdefault(name, len(places)) for name in _named_apart(others)]
    return tuple(header for header, _ in places), tuple(found)


def _named_apart(headers: Sequence[str]) -> list[tuple[str, int]]:
    """Give each header with how often it came before."""
    seen: Counter[str] = Counter()
    found = []
    for header in headers:
        found.append((header, seen[header]))
        seen[header] += 1
    return found


def laid_out(cells: Sequence[str], places: Sequence[int]) -> list[str]:
    """Put cells at their places, and nothing between them.

    >>> laid_out(["+4520304050", "Odense"], (1, 2))
    ['', '+4520304050', 'Odense']
    """
    found = [""] * (max(chain(places, [-1])) + 1)
    for place, cell in zip(places, cells, strict=True):
        found[place] = cell
    return found
