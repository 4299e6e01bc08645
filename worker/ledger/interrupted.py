"""Campaigns whose import was interrupted: finished, or put away. Nothing of them was ever due."""

from __future__ import annotations

import json

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, select, update

from worker.errors import InputError
from worker.ledger import orders, put_by
from worker.ledger.batches import lock_some
from worker.ledger.campaigns import IMPORT_LEASE_MS, Importer
from worker.ledger.cells import read
from worker.ledger.control import refusal, state_of
from worker.ledger.drafts import NewCampaign
from worker.ledger.engine import now_ms
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES
from worker.ledger.reports import stored_id
from worker.states import CampaignState, Lane, Late


def find(connection: Connection, campaign_id: int) -> NewCampaign:
    """Return what was frozen of an interrupted campaign, to read its source again.

    Raises:
        InputError: there is none, its importer lives, or its import is over.
    """
    found = connection.execute(select(CAMPAIGNS).where(*_is_interrupted(campaign_id))).mappings()
    row = found.one_or_none()
    if row is None:
        raise _refusal(connection, campaign_id, "finished")
    return frozen(row)


def frozen(row: RowMapping) -> NewCampaign:
    """Return what was frozen of a campaign, given its row."""
    names = ["name", "fingerprint", "provider", "sender", "template", "text", "source", "fallback"]
    names += ["leaves_at", "zone", "windows", "series", "udh_bits", "purpose"]
    kept = {name: row[name] for name in names}
    return NewCampaign(
        **kept,
        options=json.loads(row["options"]),
        reading=json.loads(row["reading"]),
        lane=Lane(row["lane"]),
        headers=read(row["headers"]),
        late=Late(row["late"]),
    )


def take_over(connection: Connection, campaign_id: int) -> tuple[Importer, int]:
    """Take a dead importer's place; return ours, and how many messages are in the ledger already.

    Raises:
        InputError: there is no such campaign, its importer lives, or its import is over.
    """
    taken = connection.execute(
        update(CAMPAIGNS)
        .where(*_is_interrupted(campaign_id))
        .values(importing_until=now_ms() + IMPORT_LEASE_MS)
        .returning(CAMPAIGNS.c.importing_until)
    ).scalar_one_or_none()
    if taken is None:
        raise _refusal(connection, campaign_id, "finished")
    query = select(func.coalesce(func.sum(BATCHES.c.queued), 0)).where(BATCHES.c.campaign_id == campaign_id)
    return Importer(campaign_id=campaign_id, until=taken), int(connection.execute(query).scalar_one())


def discard(connection: Connection, campaign_id: int, *, author: str = orders.OURSELVES) -> None:
    """Put an interrupted campaign away; its rows are then removed with ``clear``.

    One that is discarded already stays so: what was interrupted is finished by repeating it.

    Raises:
        InputError: there is no such campaign, its importer lives, or its import is over.
    """
    moved = update(CAMPAIGNS).where(*_is_interrupted(campaign_id)).values(state=CampaignState.DISCARDED)
    if connection.execute(moved).rowcount == 1:
        orders.note(connection, orders.DISCARD, author=author, campaign_id=campaign_id)
        return
    if state_of(connection, campaign_id) != CampaignState.DISCARDED:
        raise _refusal(connection, campaign_id, "discarded")


def clear(connection: Connection, campaign_id: int) -> int | None:
    """Remove some batches of a discarded campaign with their messages; return how many, None at the end.

    None of them has a submission: no worker leases a batch of a campaign that was never released.
    """
    if state_of(connection, campaign_id) != CampaignState.DISCARDED:
        return None
    batch_ids = lock_some(connection, BATCHES.c.campaign_id == stored_id(campaign_id))
    if not batch_ids:
        return None
    ours = MESSAGES.c.batch_id.in_(batch_ids)
    gone = select(MESSAGES.c.id).where(ours)
    put_by.take_back(connection, gone)
    n_removed = connection.execute(delete(MESSAGES).where(ours)).rowcount
    connection.execute(delete(BATCHES).where(BATCHES.c.id.in_(batch_ids)))
    return n_removed


def _is_interrupted(campaign_id: int) -> tuple[ColumnElement[bool], ...]:
    """Say, as SQL, that a campaign is importing and nobody imports it."""
    return (
        CAMPAIGNS.c.id == stored_id(campaign_id),
        CAMPAIGNS.c.state == CampaignState.IMPORTING,
        CAMPAIGNS.c.importing_until <= now_ms(),
    )


def _refusal(connection: Connection, campaign_id: int, wish: str) -> InputError:
    if state_of(connection, campaign_id) != CampaignState.IMPORTING:
        return refusal(connection, campaign_id, wish)
    return InputError(
        f"Campaign {campaign_id} is being imported at this moment; if that program was killed, give the same "
        "command again in half a minute",
        code="importing",
    )
