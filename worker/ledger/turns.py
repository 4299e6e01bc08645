"""Turns: which batch of a provider is worked next, campaign by campaign, and who else waits (DESIGN 4.9)."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, Subquery, func, select, update

from worker.ledger.accounts import account_is_open
from worker.ledger.batches import campaign_is_running
from worker.ledger.engine import now_ms, now_once
from worker.ledger.models import ACCOUNTS, BATCHES, CAMPAIGNS
from worker.ledger.starts import was_missed
from worker.states import BatchState, CampaignState, Lane


def next_batch(connection: Connection, provider: str, *, lane: Lane, late_ms: int) -> int | None:
    """Return the batch of a provider that is to be worked next; None when none can be.

    It is of the campaign of which the fewest batches are worked now, and of these the one that was served
    longest ago: campaigns take turns, whatever their size.
    """
    worked = _worked_now(provider, lane)
    query = (
        select(BATCHES.c.id)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == BATCHES.c.campaign_id)
        .join(worked, worked.c.campaign_id == BATCHES.c.campaign_id, isouter=True)
        .where(
            BATCHES.c.provider == provider,
            BATCHES.c.lane == lane,
            BATCHES.c.state == BatchState.OPEN,
            BATCHES.c.next_due_at <= now_once(),
            CAMPAIGNS.c.state == CampaignState.RUNNING,
            ~was_missed(late_ms),
            account_is_open(BATCHES.c.provider),
        )
        .order_by(func.coalesce(worked.c.n, 0), CAMPAIGNS.c.served_at, BATCHES.c.next_due_at, BATCHES.c.id)
    )
    found: int | None = connection.scalar(query.limit(1))
    return found


def soon_due(connection: Connection, provider: str, *, lane: Lane, within_ms: int) -> int | None:
    """Return the batch of a provider that is due first, where that is so soon that one may wait for it."""
    query = select(BATCHES.c.id).where(
        BATCHES.c.provider == provider,
        BATCHES.c.lane == lane,
        BATCHES.c.state == BatchState.OPEN,
        BATCHES.c.next_due_at <= now_once() + within_ms,
        campaign_is_running(BATCHES.c.campaign_id),
        account_is_open(BATCHES.c.provider),
    )
    found: int | None = connection.scalar(query.order_by(BATCHES.c.next_due_at, BATCHES.c.id).limit(1))
    return found


def _worked_now(provider: str, lane: Lane) -> Subquery:
    query = select(BATCHES.c.campaign_id, func.count().label("n")).where(
        BATCHES.c.provider == provider, BATCHES.c.lane == lane, BATCHES.c.state == BatchState.LEASED
    )
    return query.group_by(BATCHES.c.campaign_id).subquery()


def note_served(connection: Connection, campaign_id: int) -> None:
    """Remember that it was this campaign's turn."""
    connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id).values(served_at=now_ms()))


def urgent_waits(connection: Connection, account_key: str, *, served: Collection[str]) -> bool:
    """Say whether urgent messages are due that leave through this account and that nobody works on yet.

    Who works on them speaks for them at the throttle himself, for as long as he lives and needs departures.

    Args:
        connection: of an open transaction.
        account_key: the account.
        served: the providers that are configured: what waits for another is worked by nobody.
    """
    providers = select(ACCOUNTS.c.provider).where(
        ACCOUNTS.c.account_key == account_key, ACCOUNTS.c.provider.in_(served)
    )
    query = select(BATCHES.c.id).where(
        BATCHES.c.provider.in_(providers),
        BATCHES.c.lane == Lane.URGENT,
        BATCHES.c.state == BatchState.OPEN,
        BATCHES.c.next_due_at <= now_once(),
        account_is_open(BATCHES.c.provider),
        campaign_is_running(BATCHES.c.campaign_id),
    )
    return connection.execute(query.limit(1)).one_or_none() is not None
