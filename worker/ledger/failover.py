"""Failover: queued messages go to their campaign's fallback; one hop, and never what may have been accepted.

A campaign has a fallback only where that can carry every message of it, which was seen when it was created.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, Select, func, insert, select, update

from worker.ledger.accounts import account_is_open
from worker.ledger.engine import control_lock, now_ms
from worker.ledger.models import ACCOUNTS, BATCHES, CAMPAIGNS, MESSAGES
from worker.states import BatchState, CampaignState, MessageState


def may_hop(connection: Connection, message_ids: Sequence[int]) -> set[int]:
    """Return which of the messages may go to their fallback."""
    query = (
        select(MESSAGES.c.id)
        .join(BATCHES, BATCHES.c.id == MESSAGES.c.batch_id)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
        .where(MESSAGES.c.id.in_(message_ids), *_has_fallback(), _is_without_doubt())
    )
    return set(connection.scalars(query))


def hop(connection: Connection, message_ids: Sequence[int], *, now: int) -> None:
    """Move messages that were just queued again, and may hop, to their fallback; due at once."""
    if not message_ids:
        return
    query = select(MESSAGES.c.batch_id, MESSAGES.c.id).where(MESSAGES.c.id.in_(message_ids))
    by_batch: dict[int, list[int]] = {}
    for batch_id, message_id in connection.execute(query.order_by(MESSAGES.c.id)):
        by_batch.setdefault(batch_id, []).append(message_id)
    for batch_id, ids in sorted(by_batch.items()):
        _move(connection, batch_id, ids, now=now)


def waits_for_fallback(connection: Connection, provider: str, *, closed_ms: int) -> bool:
    """Say whether ``hand_over`` would find anything; a plain read."""
    return connection.execute(_candidates(provider, closed_ms=closed_ms)).one_or_none() is not None


def hand_over(connection: Connection, provider: str, *, closed_ms: int) -> int:
    """Move the due messages of one open batch to their fallback; return how many, 0 when there are none.

    Only where the gateway has taken nothing for so long, and the fallback is open. What an operator has
    paused is not handed over.
    """
    control_lock(connection, shared=False)
    found = _candidates(provider, closed_ms=closed_ms).with_for_update(of=BATCHES)
    batch_id = connection.scalars(found).one_or_none()
    if batch_id is None:
        return 0
    now = int(connection.execute(select(now_ms())).scalar_one())
    query = select(MESSAGES.c.id).where(MESSAGES.c.batch_id == batch_id, *_is_due(), _is_without_doubt())
    ids = list(connection.scalars(query.order_by(MESSAGES.c.id).with_for_update()))
    _move(connection, batch_id, ids, now=now)
    left = select(func.min(MESSAGES.c.due_at)).where(
        MESSAGES.c.batch_id == batch_id, MESSAGES.c.state == MessageState.QUEUED
    )
    next_due = connection.scalar(left)
    after = {"state": BatchState.DONE} if next_due is None else {"next_due_at": next_due}
    connection.execute(update(BATCHES).where(BATCHES.c.id == batch_id).values(after))
    return len(ids)


def _has_fallback() -> tuple[ColumnElement[bool], ...]:
    return CAMPAIGNS.c.fallback.is_not(None), BATCHES.c.provider == CAMPAIGNS.c.provider


def _is_due() -> tuple[ColumnElement[bool], ...]:
    return MESSAGES.c.state == MessageState.QUEUED, MESSAGES.c.due_at <= now_ms()


def _is_without_doubt() -> ColumnElement[bool]:
    """Say, as SQL, that no request with the message is one of which nobody knows."""
    return MESSAGES.c.n_doubts == 0


def _candidates(provider: str, *, closed_ms: int) -> Select[int]:
    closed = select(ACCOUNTS.c.provider).where(
        ACCOUNTS.c.provider == provider,
        ACCOUNTS.c.check_at.is_not(None),
        ACCOUNTS.c.paused_by.is_(None),
        ACCOUNTS.c.closed_since <= now_ms() - closed_ms,
    )
    movable = select(MESSAGES.c.id).where(
        MESSAGES.c.batch_id == BATCHES.c.id, *_is_due(), _is_without_doubt()
    )
    return (
        select(BATCHES.c.id)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == BATCHES.c.campaign_id)
        .where(
            BATCHES.c.provider == provider,
            BATCHES.c.state == BatchState.OPEN,
            BATCHES.c.next_due_at <= now_ms(),
            CAMPAIGNS.c.state == CampaignState.RUNNING,
            *_has_fallback(),
            closed.exists(),
            account_is_open(CAMPAIGNS.c.fallback),
            movable.exists(),
        )
        .order_by(BATCHES.c.id)
        .limit(1)
    )


def _move(connection: Connection, batch_id: int, message_ids: Sequence[int], *, now: int) -> None:
    """Put queued messages of a batch into a new one at the fallback, at its price, with fresh attempts."""
    query = select(BATCHES.c.campaign_id, CAMPAIGNS.c.fallback).join(
        CAMPAIGNS, CAMPAIGNS.c.id == BATCHES.c.campaign_id
    )
    campaign_id, fallback = connection.execute(query.where(BATCHES.c.id == batch_id)).one()
    made = insert(BATCHES).values(
        campaign_id=campaign_id, provider=fallback, next_due_at=now, queued=len(message_ids)
    )
    new_id = connection.execute(made.returning(BATCHES.c.id)).scalar_one()
    connection.execute(
        update(MESSAGES)
        .where(MESSAGES.c.id.in_(message_ids))
        .values(
            batch_id=new_id,
            due_at=now,
            attempts=0,
            group_limit=None,
            price_micros=MESSAGES.c.fallback_micros,
            currency=MESSAGES.c.fallback_currency,
        )
    )
    fewer = update(BATCHES).where(BATCHES.c.id == batch_id)
    connection.execute(fewer.values(queued=BATCHES.c.queued - len(message_ids)))
