"""Plan: due rows become requests that a gateway allows; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, Protocol, TypeVar

from worker.text.segments import segment

Unit = Literal["parts", "messages", "requests"]
"""What a provider counts."""


class Sendable(Protocol):
    """What planning needs of a row."""

    @property
    def msisdn(self) -> str:
        """E.164 with plus."""

    @property
    def text(self) -> str:
        """The composed text."""

    @property
    def parts(self) -> int:
        """Parts as previewed."""

    @property
    def group_limit(self) -> int | None:
        """Most recipients of its next request, after a split."""


Row = TypeVar("Row", bound=Sendable)


@dataclass
class _Group(Generic[Row]):
    room: int
    rows: list[Row] = field(default_factory=list)
    numbers: set[str] = field(default_factory=set)


def group_rows(
    rows: Iterable[Row], *, max_recipients: int, unit: Unit = "messages", grain: int | None = None
) -> Iterator[tuple[Row, ...]]:
    """Put rows of the same text together, in order, as many as one request may carry.

    A request never carries a number twice, none has more recipients than the lowest ``group_limit`` of its
    rows, and none costs more than ``grain`` units, unless it is one message. A group is given out as soon as
    it is full, the rest at the end.
    """
    groups: dict[tuple[str, int], _Group[Row]] = {}
    for row in rows:
        room = min(max_recipients, row.group_limit or max_recipients)
        if grain is not None and unit != "requests":
            room = min(room, max(1, grain // units_of([row], unit)))
        group = groups.setdefault((row.text, room), _Group(room))
        if row.msisdn in group.numbers:
            yield tuple(group.rows)
            group = groups[row.text, room] = _Group(room)
        group.rows.append(row)
        group.numbers.add(row.msisdn)
        if len(group.rows) == room:
            yield tuple(groups.pop((row.text, room)).rows)
    yield from (tuple(group.rows) for group in groups.values())


def units_of(rows: Sequence[Sendable], unit: Unit) -> int:
    """Return what a request with these rows costs, as the provider counts."""
    if unit == "requests":
        return 1
    return len(rows) if unit == "messages" else sum(row.parts for row in rows)


def parts_differ(rows: Iterable[Sendable]) -> bool:
    """Say whether any row would now be cut into another number of parts than was previewed."""
    counted: dict[str, int] = {}
    for row in rows:
        if row.text not in counted:
            counted[row.text] = len(segment(row.text).parts)
        if counted[row.text] != row.parts:
            return True
    return False
