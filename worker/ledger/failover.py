"""Failover: queued messages go to their campaign's fallback; one hop, and never what may have been accepted.

A campaign has a fallback only where that can carry every message of it, which was seen when it was created.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Connection, Select, case, insert, literal, select, update

from worker.ledger import orders
from worker.ledger.accounts import account_is_held
from worker.ledger.batches import first_leave_by, reopened
from worker.ledger.drafts import BATCH_ROWS
from worker.ledger.engine import control_lock, now_ms, now_of, now_once
from worker.ledger.models import ACCOUNTS, BATCHES, CAMPAIGNS, MESSAGES
from worker.states import BatchState, CampaignState, MessageState


def may_hop(
    connection: Connection, message_ids: Sequence[int], *, providers: Collection[str] | None
) -> set[int]:
    """Return which of the messages may go to their fallback, if it is one of ``providers`` (None: of any).

    No request with any of them may be one of which nobody knows: whoever asks has seen to that.
    """
    query = (
        select(MESSAGES.c.id)
        .join(BATCHES, BATCHES.c.id == MESSAGES.c.batch_id)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
        .where(MESSAGES.c.id.in_(message_ids), *_has_fallback(providers))
    )
    return set(connection.scalars(query))


def being_rescheduled(connection: Connection, message_ids: Collection[int]) -> set[int]:
    """Return which of the messages are of campaigns that are moved to another time at this moment.

    They stay where they will be found: at their provider, which has another try then, before the fallback.
    """
    moving = CAMPAIGNS.c.state == CampaignState.PAUSED, CAMPAIGNS.c.reading.contains(orders.HALF_MOVED)
    query = select(MESSAGES.c.id).join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
    return set(connection.scalars(query.where(MESSAGES.c.id.in_(message_ids), *moving)))


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


def waits_for_fallback(
    connection: Connection, provider: str, *, closed_ms: int, providers: Collection[str]
) -> bool:
    """Say whether ``hand_over`` would find anything; a plain read."""
    candidates = _candidates(provider, closed_ms=closed_ms, providers=providers)
    return connection.execute(candidates).one_or_none() is not None


def hand_over(connection: Connection, provider: str, *, closed_ms: int, providers: Collection[str]) -> int:
    """Move the due messages of one open batch to their fallback; return how many, 0 when there are none.

    Only where the gateway has taken nothing for so long, and the fallback is one of ``providers``, which
    somebody serves, and held back by nothing but its rate. What an operator has paused is not handed over.
    """
    control_lock(connection, shared=False)
    candidates = _candidates(provider, closed_ms=closed_ms, providers=providers)
    found = candidates.with_for_update(of=BATCHES)
    batch_id = connection.scalars(found).one_or_none()
    if batch_id is None:
        return 0
    now = now_of(connection)
    query = select(MESSAGES.c.id).where(MESSAGES.c.batch_id == batch_id, *_is_due(), _is_without_doubt())
    ids = list(connection.scalars(query.order_by(MESSAGES.c.id).with_for_update()))
    _move(connection, batch_id, ids, now=now)
    connection.execute(update(BATCHES).where(BATCHES.c.id == batch_id).values(reopened()))
    return len(ids)


def _has_fallback(providers: Collection[str] | None) -> tuple[ColumnElement[bool], ...]:
    fallback = CAMPAIGNS.c.fallback
    is_there = fallback.is_not(None) if providers is None else fallback.in_(sorted(providers))
    return is_there, BATCHES.c.provider == CAMPAIGNS.c.provider


def _is_due() -> tuple[ColumnElement[bool], ...]:
    return MESSAGES.c.state == MessageState.QUEUED, MESSAGES.c.due_at <= now_ms()


def _is_without_doubt() -> ColumnElement[bool]:
    """Say, as SQL, that no request with the message is one of which nobody knows."""
    return MESSAGES.c.n_doubts == 0


def _candidates(provider: str, *, closed_ms: int, providers: Collection[str]) -> Select[int]:
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
            BATCHES.c.next_due_at <= now_once(),
            CAMPAIGNS.c.state == CampaignState.RUNNING,
            *_has_fallback(providers),
            closed.exists(),
            ~account_is_held(CAMPAIGNS.c.fallback),
            movable.exists(),
        )
        .order_by(BATCHES.c.next_due_at, BATCHES.c.id)  # as an index has them: most may be due much later
        .limit(1)
    )


def _move(connection: Connection, batch_id: int, message_ids: Sequence[int], *, now: int) -> None:
    """Put queued messages of a batch into one at the fallback, at its price, with fresh attempts."""
    query = select(BATCHES.c.campaign_id, CAMPAIGNS.c.fallback, BATCHES.c.lane).join(
        CAMPAIGNS, CAMPAIGNS.c.id == BATCHES.c.campaign_id
    )
    campaign_id, fallback, lane = connection.execute(query.where(BATCHES.c.id == batch_id)).one()
    new_id = _joined(connection, campaign_id, fallback, n=len(message_ids), now=now)
    if new_id is None:
        made = insert(BATCHES).values(
            campaign_id=campaign_id, provider=fallback, lane=lane, next_due_at=now, queued=len(message_ids)
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
    connection.execute(update(BATCHES).where(BATCHES.c.id == new_id).values(leave_by=first_leave_by()))
    fewer = update(BATCHES).where(BATCHES.c.id == batch_id)
    connection.execute(fewer.values(queued=BATCHES.c.queued - len(message_ids)))


def _joined(connection: Connection, campaign_id: int, fallback: str, *, n: int, now: int) -> int | None:
    """Make so many messages due now in an open batch of the fallback that has room; None when there is none.

    One that somebody has locked is passed over: our own batches are locked already, and nobody is to wait.
    """
    n_rows = sum((BATCHES.c[state.value] for state in MessageState), literal(n))
    roomy = (
        select(BATCHES.c.id)
        .where(BATCHES.c.campaign_id == campaign_id, BATCHES.c.provider == fallback)
        .where(BATCHES.c.state == BatchState.OPEN, n_rows <= BATCH_ROWS)
        .order_by(BATCHES.c.id.desc())
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    batch_id: int | None = connection.scalar(roomy)
    if batch_id is None:
        return None
    is_later = BATCHES.c.next_due_at > now  # so its hint, if one is out, is for later too
    connection.execute(
        update(BATCHES)
        .where(BATCHES.c.id == batch_id)
        .values(
            queued=BATCHES.c.queued + n,
            next_due_at=case((is_later, now), else_=BATCHES.c.next_due_at),
            published_at=case((is_later, None), else_=BATCHES.c.published_at),
            n_hints=case((is_later, 0), else_=BATCHES.c.n_hints),
        )
    )
    return batch_id
