"""The recipients that a campaign has already, and the lines of those that came again."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple


class Double(NamedTuple):
    """A row that was dropped, and the line where its recipient came first; None: in another file."""

    line: int
    first: int | None

    @property
    def code(self) -> str:
        """Why it was dropped."""
        return "duplicate"


_ELSEWHERE = 0  # in the place of a number; a target has its place in the list, counted down from -1


class Seen:
    """Remembers recipients: a number in a set for each, its digits and its line in two arrays.

    A table that gives the line of each number would take twice the memory; the lines of those that came again
    are looked for in the end, by one walk through the arrays.
    """

    def __init__(self) -> None:
        self._kept: set[int] = set()
        self._numbers, self._lines = array("q"), array("Q")  # of what came first
        self._again, self._again_lines = array("q"), array("Q")
        self._targets: dict[str, int] = {}

    def is_new(self, msisdn: str, line: int) -> bool:
        """Say whether a number (E.164 with plus), or a group, comes for the first time, and remember it."""
        number = (
            int(msisdn) if msisdn[0] == "+" else self._targets.setdefault(msisdn, -1 - len(self._targets))
        )
        before = len(self._kept)
        self._kept.add(number)
        if len(self._kept) == before:
            self._again.append(number)
            self._again_lines.append(line)
            return False
        self._numbers.append(number)
        self._lines.append(line)
        return True

    def note_elsewhere(self, *, line: int) -> None:
        """Remember a row that was dropped because another file has its recipient."""
        self._again.append(_ELSEWHERE)
        self._again_lines.append(line)

    def __len__(self) -> int:
        """Count the rows that were dropped."""
        return len(self._again)

    def __iter__(self) -> Iterator[Double]:
        """Yield every row that was dropped, in their order."""
        first: dict[int, int | None] = dict.fromkeys(self._again)
        for number, line in zip(self._numbers, self._lines, strict=True):
            if number in first:
                first[number] = line
        for line, number in zip(self._again_lines, self._again, strict=True):
            yield Double(line, first[number])
