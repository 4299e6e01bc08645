"""Campaigns in the ledger: created while importing, filled batch by batch, released in one transition."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, update

from worker.errors import LedgerError
from worker.ledger.engine import now_ms
from worker.ledger.models import BATCHES, CAMPAIGNS
from worker.states import CampaignState, Lane, MessageState

BATCH_ROWS = 1000
"""Most rows of a batch; also what one import transaction writes, well within SQLite's 50 ms."""

IMPORT_LEASE_MS = 30_000
"""An importer that has written nothing for so long is taken for dead."""


@dataclass(frozen=True, kw_only=True)
class NewCampaign:
    """What is frozen when a campaign is created.

    ``fingerprint`` is of every message with its price, ``text`` None where rows change it, ``reading`` what
    it takes to read the source again in the same way, ``fallback`` a provider that can carry every message,
    ``leaves_at`` the time until which its gateway is to keep it, in epoch milliseconds.
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


@dataclass(frozen=True, kw_only=True)
class NewMessage:
    """One recipient's row as it was composed. ``text`` is None where it is the campaign's.

    Prices are of all parts, in millionths of their currency.
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


@dataclass(frozen=True, kw_only=True)
class SourceCounts:
    """What became of the rows of a file: rows = messages + duplicates + refused + skipped."""

    rows: int
    duplicates: int
    refused: int
    skipped: int = 0


@dataclass(frozen=True, kw_only=True)
class Importer:
    """The right to fill a campaign, until somebody takes the place of a program that seems dead.

    ``until`` is the end of its lease as it was last written, in epoch milliseconds. Who takes over writes a
    later one, so it also tells the two apart: the one that was frozen and wakes up adds nothing.
    """

    campaign_id: int
    until: int


def create(connection: Connection, campaign: NewCampaign) -> Importer:
    """Begin a campaign in state importing."""
    values = {
        "name": campaign.name,
        "fingerprint": campaign.fingerprint,
        "state": CampaignState.IMPORTING,
        "provider": campaign.provider,
        "sender": campaign.sender,
        "template": campaign.template,
        "text": campaign.text,
        "options": json.dumps(dict(campaign.options), sort_keys=True),
        "source": campaign.source,
        "reading": json.dumps(dict(campaign.reading), sort_keys=True),
        "fallback": campaign.fallback,
        "lane": campaign.lane,
        "leaves_at": campaign.leaves_at,
        "created_at": now_ms(),
        "importing_until": now_ms() + IMPORT_LEASE_MS,
    }
    created = insert(CAMPAIGNS).values(values).returning(CAMPAIGNS.c.id, CAMPAIGNS.c.importing_until)
    number, until = connection.execute(created).one()
    return Importer(campaign_id=number, until=until)


def add_batch(connection: Connection, importer: Importer, messages: Sequence[NewMessage]) -> Importer:
    """Write one batch of at most ``BATCH_ROWS`` messages, due at once; return the importer's longer lease.

    Raises:
        LedgerError: another program put the campaign away, or goes on with it.
    """
    kept = connection.execute(
        update(CAMPAIGNS)
        .where(*_is_held(importer))
        .values(importing_until=now_ms() + IMPORT_LEASE_MS)
        .returning(
            CAMPAIGNS.c.importing_until,
            CAMPAIGNS.c.provider,
            CAMPAIGNS.c.fallback,
            CAMPAIGNS.c.lane,
            now_ms(),
        )
    ).one_or_none()
    if kept is None:
        raise _lost(importer)
    until, provider, fallback, lane, now = kept
    number = importer.campaign_id
    batch = insert(BATCHES).values(
        campaign_id=number, provider=provider, lane=lane, next_due_at=now, queued=len(messages)
    )
    batch_id = int(connection.execute(batch.returning(BATCHES.c.id)).scalar_one())
    may_hop = fallback is not None
    _insert(connection, (_row(number, batch_id, now, message, may_hop=may_hop) for message in messages))
    return Importer(campaign_id=number, until=until)


def _is_held(importer: Importer) -> tuple[ColumnElement[bool], ...]:
    """Say, as SQL, that nobody has taken the importer's place."""
    return (
        CAMPAIGNS.c.id == importer.campaign_id,
        CAMPAIGNS.c.state == CampaignState.IMPORTING,
        CAMPAIGNS.c.importing_until == importer.until,
    )


def _lost(importer: Importer) -> LedgerError:
    number = importer.campaign_id
    return LedgerError(
        f"Campaign {number} was put away, or taken over, by another program while it was imported: "
        f"see `bulksend campaign show {number}`"
    )


_COLUMNS = (
    "campaign_id",
    "batch_id",
    "line",
    "msisdn",
    "region",
    "text",
    "encoding",
    "parts",
    "price_micros",
    "currency",
    "fallback_micros",
    "fallback_currency",
    "state",
    "due_at",
    "changed_at",
    "attempts",
)


def _row(
    campaign_id: int, batch_id: int, now: int, message: NewMessage, *, may_hop: bool
) -> tuple[object, ...]:
    return (
        campaign_id,
        batch_id,
        message.line,
        message.msisdn,
        message.region,
        message.text,
        message.encoding,
        message.parts,
        message.price_micros,
        message.currency,
        message.fallback_micros if may_hop else None,
        message.fallback_currency if may_hop else None,
        MessageState.QUEUED.value,
        now,
        now,
        0,
    )


def _insert(connection: Connection, rows: Iterable[tuple[object, ...]]) -> None:
    """Write many messages: COPY on Postgres, executemany on SQLite; ten times the rate of the ORM."""
    names = ", ".join(_COLUMNS)
    if connection.dialect.name == "postgresql":
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY messages ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    else:
        marks = ", ".join("?" * len(_COLUMNS))
        connection.exec_driver_sql(f"INSERT INTO messages ({names}) VALUES ({marks})", list(rows))  # noqa: S608 - constants


def release(connection: Connection, importer: Importer, counts: SourceCounts) -> None:
    """Let a wholly imported campaign go: the one transition that makes its batches due.

    Raises:
        LedgerError: another program put the campaign away, or goes on with it.
    """
    released = connection.execute(
        update(CAMPAIGNS)
        .where(*_is_held(importer))
        .values(
            state=CampaignState.RUNNING,
            n_rows=counts.rows,
            n_duplicates=counts.duplicates,
            n_refused=counts.refused,
            n_skipped=counts.skipped,
            importing_until=None,
            due_at=now_ms(),
        )
    )
    if released.rowcount != 1:
        raise _lost(importer)


def abandon(connection: Connection, importer: Importer) -> bool:
    """Put away what the importer itself has begun; False when it is not the importer's any more."""
    left = update(CAMPAIGNS).where(*_may_be_held(importer))
    return connection.execute(left.values(state=CampaignState.DISCARDED)).rowcount == 1


def let_go(connection: Connection, importer: Importer) -> bool:
    """End the importer's lease at once, so that anybody may finish the import; False when it has none."""
    left = update(CAMPAIGNS).where(*_may_be_held(importer))
    return connection.execute(left.values(importing_until=now_ms())).rowcount == 1


def _may_be_held(importer: Importer) -> tuple[ColumnElement[bool], ...]:
    """Say, as SQL, that nobody has taken the importer's place, though its last commit may be news to it.

    While its lease as it knows it lasts, nobody can have done so.
    """
    return (
        CAMPAIGNS.c.id == importer.campaign_id,
        CAMPAIGNS.c.state == CampaignState.IMPORTING,
        (CAMPAIGNS.c.importing_until == importer.until) | (now_ms() < importer.until),
    )


def batched(messages: Iterable[NewMessage]) -> Iterator[list[NewMessage]]:
    """Cut a stream of messages into what one batch holds."""
    stream = iter(messages)
    while chunk := list(itertools.islice(stream, BATCH_ROWS)):
        yield chunk
