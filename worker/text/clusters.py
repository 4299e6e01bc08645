"""What a reader takes for one character: grapheme clusters (Unicode Standard Annex 29, extended clusters)."""

from typing import Final

import regex

_cluster: Final = regex.compile(r"\X")


def begins(text: str) -> list[int]:
    r"""Return for each position, and for the end, where the cluster begins that this position is in.

    >>> begins("a\r\n")
    [0, 1, 1, 3]
    """
    found = []
    for match in _cluster.finditer(text):
        found += [match.start()] * (match.end() - match.start())
    return [*found, len(text)]
