"""Campaigns in the ledger: created while importing, filled batch by batch, released in one transition."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from worker.errors import InputError, LedgerError
from worker.ledger.engine import now_ms
from worker.ledger.models import BATCHES, CAMPAIGNS
from worker.states import CAMPAIGN_TRANSITIONS, CampaignState, MessageState

BATCH_ROWS = 1000
"""Most rows of a batch; also what one import transaction writes, well within SQLite's 50 ms."""

IMPORT_LEASE_MS = 30_000
"""An importer that has written nothing for so long is taken for dead."""


@dataclass(frozen=True, kw_only=True)
class NewCampaign:
    """What is frozen when a campaign is created. ``text`` is None where rows change it."""

    name: str
    fingerprint: str
    provider: str
    sender: str
    template: str
    text: str | None
    options: Mapping[str, object]
    source: str


@dataclass(frozen=True, kw_only=True)
class NewMessage:
    """One recipient's row as it was composed. ``text`` is None where it is the campaign's."""

    line: int
    msisdn: str
    region: str
    text: str | None
    encoding: str
    parts: int
    price_micros: int | None
    currency: str | None


@dataclass(frozen=True, kw_only=True)
class SourceCounts:
    """What became of the rows of a file: rows = messages + duplicates + refused + skipped."""

    rows: int
    duplicates: int
    refused: int
    skipped: int = 0


def create(connection: Connection, campaign: NewCampaign) -> int:
    """Begin a campaign in state importing and return its id.

    A campaign of the same fingerprint whose importer died is discarded first.

    Raises:
        InputError: the same file, text, provider and name were sent before, or are being imported now.
    """
    _give_way(connection, campaign)
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
        "created_at": now_ms(),
        "importing_until": now_ms() + IMPORT_LEASE_MS,
    }
    try:
        created = connection.execute(insert(CAMPAIGNS).values(values).returning(CAMPAIGNS.c.id))
    except IntegrityError:  # another program was quicker by a moment
        raise InputError("The same campaign was sent at this very moment", code="repeated_send") from None
    return int(created.scalar_one())


def _give_way(connection: Connection, campaign: NewCampaign) -> None:
    query = select(
        CAMPAIGNS.c.id, CAMPAIGNS.c.name, CAMPAIGNS.c.state, (CAMPAIGNS.c.importing_until > now_ms())
    )
    query = query.where(
        CAMPAIGNS.c.fingerprint == campaign.fingerprint, CAMPAIGNS.c.state != CampaignState.DISCARDED
    )
    found = connection.execute(query.with_for_update()).one_or_none()
    if found is None:
        return
    number, name, state, importer_lives = found
    if state != CampaignState.IMPORTING:
        raise InputError(
            f"This was sent before, as campaign {number} ({name}): see `bulksend campaign show {number}`, or "
            "give the new one its own --name",
            code="repeated_send",
        )
    if importer_lives:
        raise InputError(
            f"The same campaign is being imported at this moment, as campaign {number}", code="repeated_send"
        )
    _move(connection, number, CampaignState.DISCARDED)


def add_batch(connection: Connection, campaign_id: int, messages: Sequence[NewMessage]) -> int:
    """Write one batch of at most ``BATCH_ROWS`` messages, due at once, and return its id.

    Raises:
        LedgerError: the campaign is not importing any more (another program took it for dead).
    """
    keep = update(CAMPAIGNS).where(
        CAMPAIGNS.c.id == campaign_id, CAMPAIGNS.c.state == CampaignState.IMPORTING
    )
    kept = connection.execute(
        keep.values(importing_until=now_ms() + IMPORT_LEASE_MS).returning(CAMPAIGNS.c.provider, now_ms())
    ).one_or_none()
    if kept is None:
        raise LedgerError(f"Campaign {campaign_id} was discarded while it was imported; send it again")
    provider, now = kept
    batch = insert(BATCHES).values(
        campaign_id=campaign_id, provider=provider, next_due_at=now, queued=len(messages)
    )
    batch_id = int(connection.execute(batch.returning(BATCHES.c.id)).scalar_one())
    _insert(connection, (_row(campaign_id, batch_id, now, message) for message in messages))
    return batch_id


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
    "state",
    "due_at",
    "changed_at",
    "attempts",
)


def _row(campaign_id: int, batch_id: int, now: int, message: NewMessage) -> tuple[object, ...]:
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


def release(connection: Connection, campaign_id: int, counts: SourceCounts) -> None:
    """Let a wholly imported campaign go: the one transition that makes its batches due."""
    _move(connection, campaign_id, CampaignState.RUNNING)
    connection.execute(
        update(CAMPAIGNS)
        .where(CAMPAIGNS.c.id == campaign_id)
        .values(
            n_rows=counts.rows,
            n_duplicates=counts.duplicates,
            n_refused=counts.refused,
            n_skipped=counts.skipped,
            importing_until=None,
            due_at=now_ms(),
        )
    )


def discard(connection: Connection, campaign_id: int) -> None:
    """Put away a campaign of which nothing was ever due."""
    _move(connection, campaign_id, CampaignState.DISCARDED)


def _move(connection: Connection, campaign_id: int, target: CampaignState) -> None:
    sources = [state for state, targets in CAMPAIGN_TRANSITIONS.items() if target in targets]
    moved = connection.execute(
        update(CAMPAIGNS)
        .where(CAMPAIGNS.c.id == campaign_id, CAMPAIGNS.c.state.in_(sources))
        .values(state=target)
    )
    if moved.rowcount != 1:
        raise LedgerError(f"Campaign {campaign_id} cannot become {target}: see `bulksend campaign list`")


def batched(messages: Iterable[NewMessage]) -> Iterator[list[NewMessage]]:
    """Cut a stream of messages into what one batch holds."""
    stream = iter(messages)
    while chunk := list(itertools.islice(stream, BATCH_ROWS)):
        yield chunk
