"""What is about to become a campaign: frozen values, and the cutting of a stream of messages into batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from worker.states import Lane, Late

BATCH_ROWS = 1000
"""Most rows of a batch; also what one transaction changes, well within SQLite's 50 ms."""

_BATCHES_AT_ONCE = 200


@dataclass(frozen=True, kw_only=True)
class NewCampaign:
    """What is frozen when a campaign is created.

    ``fingerprint`` is of every message with its price, ``text`` None where rows change it, ``reading`` what
    it takes to read the source again in the same way, ``fallback`` a provider that can carry every message,
    ``leaves_at`` the time until which its gateway is to keep it, in epoch milliseconds; ``zone``,
    ``windows``, ``late``, ``series``, ``udh_bits`` and ``purpose`` as in the table;
    ``wants_notice`` says that its end is told; ``headers`` are the columns that ``cells`` of its messages
    have, None where none are kept.
    """

    name: str
    fingerprint: str
    provider: str
    sender: str
    template: str
    text: str | None
    options: Mapping[str, object]
    source: str
    reading: Mapping[str, object] = field(default_factory=dict)
    fallback: str | None = None
    lane: Lane = Lane.BULK
    leaves_at: int | None = None
    zone: str | None = None
    windows: str | None = None
    late: Late = Late.HOLD
    series: str | None = None
    wants_notice: bool = False
    udh_bits: int = 8
    purpose: str = "marketing"
    headers: Sequence[str] | None = None


@dataclass(kw_only=True)  # not frozen: a million are made in a row, and that would take three times as long
class NewMessage:
    """One recipient's row as it was composed; nobody changes it. ``text`` is None where it is the campaign's.

    Prices are of all parts, in millionths of their currency. ``due_at`` is when it may leave at the earliest
    (None: at once), ``leave_by`` at the latest for now, ``expires_at`` for good, all in epoch milliseconds.
    ``cells`` is its row as it was written, a JSON array of texts. ``repairs`` says what was repaired in the
    way its number was written, for a preview alone.
    """

    line: int
    msisdn: str
    region: str
    text: str | None
    encoding: str
    parts: int
    price_micros: int | None
    currency: str | None
    fallback_micros: int | None = None
    fallback_currency: str | None = None
    due_at: int | None = None
    leave_by: int | None = None
    expires_at: int | None = None
    zones: str | None = None
    cells: str | None = None
    repairs: str | None = None


@dataclass(frozen=True, kw_only=True)
class SourceCounts:
    """What became of the rows of a file: rows = messages + duplicates + refused + skipped."""

    rows: int
    duplicates: int
    refused: int
    skipped: int = 0


def batched(messages: Iterable[NewMessage]) -> Iterator[list[NewMessage]]:
    """Cut a stream of messages into what one batch holds: so many, due within the same minute."""
    for _, same_minute in itertools.groupby(messages, key=_minute):
        while chunk := list(itertools.islice(same_minute, BATCH_ROWS)):
            yield chunk


def together(
    batches: Iterable[list[NewMessage]], *, rows: int = BATCH_ROWS
) -> Iterator[list[list[NewMessage]]]:
    """Put batches together that one transaction writes, of so many rows at most."""
    waiting: list[list[NewMessage]] = []
    for batch in batches:
        if (waiting and sum(map(len, waiting)) + len(batch) > rows) or len(waiting) >= _BATCHES_AT_ONCE:
            yield waiting
            waiting = []
        waiting.append(batch)
    if waiting:
        yield waiting


def _minute(message: NewMessage) -> int | None:
    return None if message.due_at is None else message.due_at // 60_000
