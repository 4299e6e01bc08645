"""Campaigns in the ledger: created while importing, filled batch by batch, released in one transition."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, ScalarSelect, case, func, insert, select, update

from worker.errors import LedgerError
from worker.ledger.cells import written
from worker.ledger.drafts import BATCH_ROWS, NewCampaign, NewMessage, SourceCounts
from worker.ledger.engine import now_ms
from worker.ledger.filling import nothing, write_batches
from worker.ledger.models import BATCHES, CAMPAIGNS
from worker.states import CampaignState

IMPORT_LEASE_MS = 30_000
"""An importer that has written nothing for so long is taken for dead."""


def rows_at_once(engine: Engine) -> int:
    """Return how many rows an import writes in one transaction.

    On Postgres nobody waits for what it locks, its own campaign, and each transaction waits for the disk; on
    SQLite all who write wait for each other.
    """
    return 5 * BATCH_ROWS if engine.dialect.name == "postgresql" else BATCH_ROWS


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
        **columns_of(campaign),
        "state": CampaignState.IMPORTING,
        "notice_at": now_ms() if campaign.wants_notice else None,
        "created_at": now_ms(),
        "importing_until": now_ms() + IMPORT_LEASE_MS,
    }
    created = insert(CAMPAIGNS).values(values).returning(CAMPAIGNS.c.id, CAMPAIGNS.c.importing_until)
    number, until = connection.execute(created).one()
    return Importer(campaign_id=number, until=until)


def columns_of(campaign: NewCampaign) -> dict[str, Any]:
    """Give what is frozen of a campaign as its row has it."""
    return {
        "name": campaign.name,
        "fingerprint": campaign.fingerprint,
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
        "zone": campaign.zone,
        "windows": campaign.windows,
        "late": campaign.late,
        "series": campaign.series,
        "udh_bits": campaign.udh_bits,
        "purpose": campaign.purpose,
        "headers": written(campaign.headers),
    }


def add_batch(connection: Connection, importer: Importer, messages: Sequence[NewMessage]) -> Importer:
    """Write one batch of at most ``BATCH_ROWS`` messages; return the importer's longer lease.

    Raises:
        LedgerError: another program put the campaign away, or goes on with it.
    """
    return add_batches(connection, importer, [messages])


def add_batches(
    connection: Connection,
    importer: Importer,
    batches: Sequence[Sequence[NewMessage]],
    *,
    meanwhile: Callable[[], None] = nothing,
) -> Importer:
    """Write batches of at most ``BATCH_ROWS`` messages together; return the importer's longer lease.

    Args:
        connection: of an open transaction.
        importer: who writes.
        batches: what is written.
        meanwhile: as in ``filling.write_batches``.

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
    shared = {"campaign_id": importer.campaign_id, "provider": provider, "lane": lane}
    may_hop = fallback is not None
    write_batches(connection, batches, shared, may_hop=may_hop, now=now, meanwhile=meanwhile)
    return Importer(campaign_id=importer.campaign_id, until=until)


def renew(connection: Connection, importer: Importer) -> Importer:
    """Return the importer's longer lease.

    Raises:
        LedgerError: another program put the campaign away, or goes on with it.
    """
    kept = update(CAMPAIGNS).where(*_is_held(importer)).values(importing_until=now_ms() + IMPORT_LEASE_MS)
    until = connection.execute(kept.returning(CAMPAIGNS.c.importing_until)).scalar_one_or_none()
    if until is None:
        raise _lost(importer)
    return Importer(campaign_id=importer.campaign_id, until=until)


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


def release(connection: Connection, importer: Importer, counts: SourceCounts) -> None:
    """Let a wholly imported campaign go: the one transition that makes its batches due.

    Raises:
        LedgerError: another program put the campaign away, or goes on with it.
    """
    first_due = _first_due(importer.campaign_id)
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
            due_at=case((first_due > now_ms(), first_due), else_=now_ms()),
        )
    )
    if released.rowcount != 1:
        raise _lost(importer)


def _first_due(campaign_id: int) -> ScalarSelect[int]:
    first = select(func.min(BATCHES.c.next_due_at)).where(BATCHES.c.campaign_id == campaign_id)
    return first.scalar_subquery()


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
