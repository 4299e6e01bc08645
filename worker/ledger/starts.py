"""Starts: whether what is due may begin at all, or was missed and waits for a decision (DESIGN 4.9).

A start was missed when nothing of a batch was ever worked, it is due for long, and so is its campaign, which
was not served since. One that waits in its campaign's own backlog is none: the campaign was served meanwhile.
"""

from __future__ import annotations

from sqlalchemy import Column, ColumnElement, Connection, and_, func, select

from worker.ledger.engine import now_ms, now_once
from worker.ledger.models import BATCHES, CAMPAIGNS
from worker.states import BatchState, CampaignState, Late


def was_missed(late_ms: int) -> ColumnElement[bool]:
    """Say, as SQL about a batch and its campaign, that its start was missed and nobody has decided.

    Args:
        late_ms: a start that is late by more was missed.
    """
    long_ago = now_once() - late_ms
    return and_(
        BATCHES.c.state == BatchState.OPEN,
        BATCHES.c.next_due_at < long_ago,
        BATCHES.c.next_due_at > CAMPAIGNS.c.served_at,
        BATCHES.c.fence == 0,
        _can_be_missed(long_ago),
    )


def _can_be_missed(long_ago: ColumnElement[int]) -> ColumnElement[bool]:
    """Say, as SQL, that starts of a campaign can have been missed before then."""
    return and_(
        CAMPAIGNS.c.state == CampaignState.RUNNING,
        CAMPAIGNS.c.late != Late.SEND,
        func.coalesce(CAMPAIGNS.c.due_at, 0) < long_ago,
    )


def may_begin(campaign_id: Column[int], *, late_ms: int) -> ColumnElement[bool]:
    """Say, as SQL about a batch, that its campaign is running and its start was not missed."""
    campaign = CAMPAIGNS.c.id == campaign_id, CAMPAIGNS.c.state == CampaignState.RUNNING
    return select(CAMPAIGNS.c.id).where(*campaign, ~was_missed(late_ms)).correlate(BATCHES).exists()


def waits_for_decision(connection: Connection, batch_id: int, *, late_ms: int) -> bool:
    """Say whether a start of the batch's campaign was missed, its own or another.

    What is due now waits for that as well: its turn would make the campaign look as if it had begun in time.
    """
    query = select(BATCHES.c.campaign_id).where(BATCHES.c.id == batch_id)
    campaign_id = connection.scalar(query)
    return campaign_id is not None and first_missed(connection, campaign_id, late_ms=late_ms) is not None


def first_missed(
    connection: Connection, campaign_id: int, *, late_ms: int, for_update: bool = False
) -> int | None:
    """Return the first batch of a campaign whose start was missed; None when there is none.

    Most campaigns were served a moment ago, and nothing more is asked of them. Of the others so many batches
    may be there that the bounds are to be numbers: only so does Postgres know how few it will look at.
    """
    long_ago = now_ms() - late_ms
    campaign = CAMPAIGNS.c.id == campaign_id, CAMPAIGNS.c.served_at < long_ago, _can_be_missed(long_ago)
    bounds = connection.execute(select(CAMPAIGNS.c.served_at, long_ago).where(*campaign)).one_or_none()
    if bounds is None:
        return None
    served_at, until = bounds
    is_open = BATCHES.c.campaign_id == campaign_id, BATCHES.c.state == BatchState.OPEN
    is_due = BATCHES.c.next_due_at > served_at, BATCHES.c.next_due_at < until, BATCHES.c.fence == 0
    first = select(BATCHES.c.id).where(*is_open, *is_due).order_by(BATCHES.c.next_due_at).limit(1)
    found: int | None = connection.scalar(first.with_for_update() if for_update else first)
    return found
