"""Retrying on a person's order: what was rejected or failed is queued again, as if it had never been tried.

Not what a gateway may have accepted: that is a resend with its risk, and settled elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, case, false, func, or_, select, update

from worker.ledger.control import refusal
from worker.ledger.engine import now_ms, now_of
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES
from worker.ledger.orders import Counted
from worker.ledger.outcomes import reopen
from worker.ledger.reports import stored_id
from worker.states import CampaignState, MessageState

RETRIABLE = frozenset({MessageState.REJECTED, MessageState.FAILED})

_GOES_ON = (CampaignState.RUNNING, CampaignState.PAUSED)


@dataclass(frozen=True, kw_only=True)
class Retriable:
    """How many messages of a campaign can be tried again, and how many are left out.

    Attributes:
        n: can be.
        n_risky: a gateway may have accepted them.
        n_over: the time in which they were worth sending is over.
    """

    n: int
    n_risky: int
    n_over: int = 0


@dataclass(frozen=True, kw_only=True)
class Retried:
    """One batch that was gone through, and how many of its messages are queued again."""

    batch_id: int
    n: int


def retriable(connection: Connection, campaign_id: int, states: Collection[MessageState]) -> Retriable:
    """Count what a retry would concern.

    Raises:
        InputError: the campaign is not there, is being imported, or is over for good.
    """
    _require_going_on(connection, campaign_id)
    risky = func.count(case((_is_risky(), 1)))
    over = func.count(case((~_is_risky() & _is_over(), 1)))
    query = select(func.count(), risky, over).where(
        MESSAGES.c.campaign_id == stored_id(campaign_id), MESSAGES.c.state.in_(sorted(states))
    )
    n_all, n_risky, n_over = connection.execute(query).one()
    return Retriable(n=n_all - n_risky - n_over, n_risky=n_risky, n_over=n_over)


def retry_batch(
    connection: Connection,
    campaign_id: int,
    states: Collection[MessageState],
    *,
    after: int,
    order: Counted | None = None,
) -> Retried | None:
    """Queue the messages of the next batch again, due at once; one transaction for each call.

    Args:
        connection: of an open transaction.
        campaign_id: whose messages.
        states: some of ``RETRIABLE``.
        after: the batch that the last call went through, 0 at first: what fails again meanwhile stays so.
        order: whose line tells how many; one for all calls.

    Returns:
        what was done, None when there is no further batch.

    Raises:
        InputError: the campaign is not there, is being imported, or is over for good.
    """
    _require_going_on(connection, campaign_id)  # locked: it cannot be cancelled before we have committed
    batch = (
        select(BATCHES.c.id)
        .where(BATCHES.c.campaign_id == stored_id(campaign_id), BATCHES.c.id > after)
        .where(or_(*(BATCHES.c[state.value] > 0 for state in sorted(states))))
    )
    batch_id = connection.scalar(batch.order_by(BATCHES.c.id).limit(1).with_for_update())
    if batch_id is None:
        return None
    rows = select(MESSAGES.c.id, MESSAGES.c.state).where(
        MESSAGES.c.batch_id == batch_id, MESSAGES.c.state.in_(sorted(states)), ~_is_risky(), ~_is_over()
    )
    found = connection.execute(rows.order_by(MESSAGES.c.id).with_for_update()).all()
    if found:
        _queue(connection, batch_id, [row.id for row in found])
        _count(connection, batch_id, Counter(row.state for row in found))
    if found and order:
        order.add(connection, campaign_id, len(found))
    return Retried(batch_id=batch_id, n=len(found))


def _require_going_on(connection: Connection, campaign_id: int) -> None:
    query = select(CAMPAIGNS.c.state).where(CAMPAIGNS.c.id == stored_id(campaign_id))
    if connection.scalar(query.with_for_update(read=True)) not in _GOES_ON:
        raise refusal(connection, campaign_id, "retried")


def _is_risky() -> ColumnElement[bool]:
    """Say, as SQL, that a request with the message may have been accepted, whatever a person made of it."""
    return MESSAGES.c.n_doubts > 0


def _is_over() -> ColumnElement[bool]:
    """Say, as SQL, that a message may not leave any more, so that it would only fail again."""
    return func.coalesce(MESSAGES.c.expires_at <= now_ms(), false())


def _queue(connection: Connection, batch_id: int, message_ids: list[int]) -> None:
    now = now_of(connection)
    connection.execute(
        update(MESSAGES)
        .where(MESSAGES.c.id.in_(message_ids))
        .values(
            state=MessageState.QUEUED,
            due_at=now,
            changed_at=now,
            attempts=0,
            group_limit=None,
            code=None,
            detail=None,
        )
    )
    reopen(connection, batch_id, due_at=now)


def _count(connection: Connection, batch_id: int, moved: Counter[str]) -> None:
    fewer = {state: BATCHES.c[state] - n for state, n in moved.items()}
    values = {**fewer, "queued": BATCHES.c.queued + moved.total()}
    connection.execute(update(BATCHES).where(BATCHES.c.id == batch_id).values(values))
