"""Retrying on a person's order: what was rejected or failed is queued again, as if it had never been tried.

Not what a gateway may have accepted: that is a resend with its risk, and settled elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, case, false, func, literal, select, update

from worker.ledger import notices
from worker.ledger.batches import lock_some
from worker.ledger.control import pruned, refusal
from worker.ledger.counters import reopen
from worker.ledger.engine import now_ms, now_of
from worker.ledger.given import execute_given
from worker.ledger.gone import is_gone
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES
from worker.ledger.orders import Counted
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
        n_gone: their numbers or texts were removed.
        n_withdrawn: they remind of appointments that are not any more, or others went to corrected numbers.
    """

    n: int
    n_risky: int
    n_over: int = 0
    n_gone: int = 0
    n_withdrawn: int = 0


@dataclass(frozen=True, kw_only=True)
class Retried:
    """Some batches that were gone through: the last one, and how many messages are queued again."""

    last: int
    n: int


def retriable(connection: Connection, campaign_id: int, states: Collection[MessageState]) -> Retriable:
    """Count what a retry would concern.

    Raises:
        InputError: the campaign is not there, is being imported, or is over for good.
    """
    _require_going_on(connection, campaign_id)
    gone = func.count(case((is_gone(), 1)))
    risky = func.count(case((~is_gone() & _is_risky(), 1)))
    over = func.count(case((~is_gone() & ~_is_risky() & _is_over(), 1)))
    may = func.count(case((_may_be_queued(), 1)))
    query = select(func.count(), may, risky, over, gone).where(
        MESSAGES.c.campaign_id == stored_id(campaign_id), MESSAGES.c.state.in_(sorted(states))
    )
    n_all, n, n_risky, n_over, n_gone = connection.execute(query).one()
    n_withdrawn = n_all - n - n_risky - n_over - n_gone
    return Retriable(n=n, n_risky=n_risky, n_over=n_over, n_gone=n_gone, n_withdrawn=n_withdrawn)


def retry_some(
    connection: Connection,
    campaign_id: int,
    states: Collection[MessageState],
    *,
    after: int,
    order: Counted | None = None,
) -> Retried | None:
    """Queue the messages of the next batch, or of some small ones, again, due at once.

    Args:
        connection: of an open transaction; one for each call.
        campaign_id: whose messages.
        states: some of ``RETRIABLE``.
        after: the last batch of the last call, 0 at first: what fails again meanwhile stays so.
        order: whose line tells how many; one for all calls.

    Returns:
        what was done, None when there is no further batch.

    Raises:
        InputError: the campaign is not there, is being imported, or is over for good.
    """
    _require_going_on(connection, campaign_id, is_locked=True)  # it is not cancelled before we have committed
    concerned = sum((BATCHES.c[state.value] for state in sorted(states)), literal(0))
    ours = BATCHES.c.campaign_id == stored_id(campaign_id), BATCHES.c.id > after
    batch_ids = lock_some(connection, *ours, concerned > 0, n_rows=concerned)
    if not batch_ids:
        return None
    rows = select(MESSAGES.c.id, MESSAGES.c.batch_id, MESSAGES.c.state).where(
        MESSAGES.c.batch_id.in_(batch_ids), MESSAGES.c.state.in_(sorted(states)), _may_be_queued()
    )
    found = connection.execute(rows.order_by(MESSAGES.c.id).with_for_update()).all()
    if found:
        now = now_of(connection)
        _queue(connection, [row.id for row in found], now=now)
        _count(connection, Counter((row.batch_id, row.state) for row in found))
        reopen(connection, sorted({row.batch_id for row in found}), due_at=now)
        notices.want_again(connection, campaign_id)
    if found and order:
        order.add(connection, campaign_id, len(found))
    return Retried(last=batch_ids[-1], n=len(found))


def _require_going_on(connection: Connection, campaign_id: int, *, is_locked: bool = False) -> None:
    query = select(CAMPAIGNS.c.state, CAMPAIGNS.c.pruned_at).where(CAMPAIGNS.c.id == stored_id(campaign_id))
    found = connection.execute(query.with_for_update() if is_locked else query).one_or_none()
    if found is None or found.state not in _GOES_ON:
        raise refusal(connection, campaign_id, "retried")
    if found.pruned_at is not None:
        raise pruned(campaign_id, "retried")


def _may_be_queued() -> ColumnElement[bool]:
    return and_(~is_gone(), ~_is_risky(), ~_is_over(), MESSAGES.c.withdrawn.is_(None))


def _is_risky() -> ColumnElement[bool]:
    """Say, as SQL, that a request with the message may have been accepted, whatever a person made of it."""
    return MESSAGES.c.n_doubts > 0


def _is_over() -> ColumnElement[bool]:
    """Say, as SQL, that a message may not leave any more, so that it would only fail again."""
    return func.coalesce(MESSAGES.c.expires_at <= now_ms(), false())


def _queue(connection: Connection, message_ids: Sequence[int], *, now: int) -> None:
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


def _count(connection: Connection, moved: Mapping[tuple[int, str], int]) -> None:
    """Count in each batch what left which state for the queue."""
    for state in sorted({state for _, state in moved}):
        execute_given(
            connection,
            f"UPDATE batches SET queued = queued + given.n, {state} = {state} - given.n FROM given "  # noqa: S608 - a name of ours
            "WHERE batches.id = given.batch",
            columns={"batch": "bigint", "n": "int"},
            rows=[(batch_id, n) for (batch_id, each), n in sorted(moved.items()) if each == state],
        )
