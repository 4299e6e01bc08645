"""Plan: due rows become requests that a gateway allows; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, Protocol, TypeVar

from worker.errors import InputError
from worker.text.segments import Encoding, measure
from worker.text.targets import kind_of

Unit = Literal["parts", "messages", "requests"]
"""What a provider counts."""


class Sendable(Protocol):
    """What planning needs of a row."""

    @property
    def msisdn(self) -> str:
        """E.164 with plus, or the gateway's own group or contact."""

    @property
    def text(self) -> str:
        """The composed text."""

    @property
    def encoding(self) -> str:
        """How its text travels."""

    @property
    def parts(self) -> int:
        """Parts as previewed."""

    @property
    def group_limit(self) -> int | None:
        """Most recipients of its next request, after a split."""


Row = TypeVar("Row", bound=Sendable)


@dataclass
class _Group(Generic[Row]):
    """A request to be; ``grain`` is what it may cost, None for any."""

    room: int
    grain: int | None
    rows: list[Row] = field(default_factory=list)
    numbers: set[str] = field(default_factory=set)
    units: int = 0

    def takes(self, row: Row, *, units: int) -> bool:
        """Say whether a row may join those that are there."""
        return row.msisdn not in self.numbers and (self.grain is None or self.units + units <= self.grain)

    def add(self, row: Row, *, units: int) -> None:
        self.rows.append(row)
        self.numbers.add(row.msisdn)
        self.units += units

    @property
    def is_full(self) -> bool:
        return len(self.rows) == self.room or (self.grain is not None and self.units >= self.grain)


def group_rows(  # noqa: PLR0913 - each is one fact about the gateway
    rows: Iterable[Row],
    *,
    max_recipients: int,
    unit: Unit = "messages",
    grain: int | None = None,
    differs: bool = False,
    reserved: Collection[str] = (),
) -> Iterator[tuple[Row, ...]]:
    """Put rows together that one request may carry, in order, as many as it may.

    They have the same text, or the same encoding where each may have its own (``differs``) and holds none of
    the ``reserved`` marks. A request never carries a number twice, none has more recipients than the lowest
    ``group_limit`` of its rows, and none costs more than ``grain`` units, unless it is one message. A group
    or contact of the gateway's own is alone in its request. A request is given out as soon as it is full, the
    rest at the end.
    """
    groups: dict[tuple[bool, str, int], _Group[Row]] = {}
    for row in rows:
        room = 1 if kind_of(row.msisdn) else min(max_recipients, row.group_limit or max_recipients)
        is_free = differs and not any(mark in row.text for mark in reserved)
        key = (is_free, row.encoding if is_free else row.text, room)
        units = 0 if unit == "requests" else units_of([row], unit)
        group = groups.get(key)
        if group is not None and not group.takes(row, units=units):
            yield tuple(groups.pop(key).rows)
            group = None
        group = group or groups.setdefault(key, _Group(room, None if unit == "requests" else grain))
        group.add(row, units=units)
        if group.is_full:
            yield tuple(groups.pop(key).rows)
    yield from (tuple(group.rows) for group in groups.values())


def units_of(rows: Sequence[Sendable], unit: Unit) -> int:
    """Return what a request with these rows costs, as the provider counts."""
    if unit == "requests":
        return 1
    return len(rows) if unit == "messages" else sum(row.parts for row in rows)


def parts_differ(rows: Iterable[Sendable], *, udh_bits: int = 8) -> bool:
    """Say whether any row would now be cut into another number of parts than was previewed."""
    counted: dict[tuple[str, str], int | None] = {}
    for row in rows:
        key = row.text, row.encoding
        if key not in counted:
            counted[key] = _parts_of(row, udh_bits=udh_bits)
        if counted[key] != row.parts:
            return True
    return False


def _parts_of(row: Sendable, *, udh_bits: int) -> int | None:
    """Count the parts of a text in the encoding that was previewed; None: that does not hold it."""
    try:
        return measure(row.text, encoding=Encoding(row.encoding), udh_bits=udh_bits).n_parts
    except (InputError, ValueError):
        return None
