"""What a reader takes for one character: grapheme clusters (Unicode Standard Annex 29, extended clusters)."""

from typing import Final

import regex

_cluster: Final = regex.compile(r"\X")
#: Two characters that never join what is beside them.
_alone: Final = regex.compile(
    r"(?V1)[[\p{ASCII}\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Hebrew}\p{Script=Han}"
    r"\p{Script=Hiragana}\p{Script=Katakana}]&&\p{Grapheme_Cluster_Break=Other}"
    r"--\p{Extended_Pictographic}]{2}"
).fullmatch


def begins(text: str) -> list[int]:
    r"""Return for each position, and for the end, where the cluster begins that this position is in.

    >>> begins("a\r\n")
    [0, 1, 1, 3]
    """
    found = []
    for match in _cluster.finditer(text):
        found += [match.start()] * (match.end() - match.start())
    return [*found, len(text)]


def ends_before(text: str, position: int) -> bool:
    """Say whether a cluster certainly ends before a position within a text, at a glance.

    >>> ends_before("ab", 1), ends_before("e\N{COMBINING ACUTE ACCENT}", 1)
    (True, False)
    """
    return _alone(text, position - 1, position + 1) is not None
