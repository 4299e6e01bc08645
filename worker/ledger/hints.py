"""Hints: which batches a worker should be told of, and which it was told of; Redis itself is elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, case, func, select, update

from worker.ledger.accounts import account_is_open
from worker.ledger.batches import campaign_is_running, lock_batches
from worker.ledger.engine import now_ms, now_once
from worker.ledger.models import BATCHES
from worker.ledger.starts import may_begin
from worker.states import BatchState, Lane


@dataclass(frozen=True, kw_only=True)
class DueBatch:
    """A batch that a hint should be published for."""

    id: int
    due_in_ms: int = 0  # 0 when it is due by the database's clock: no other clock is asked then


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How far publishing looks, in milliseconds.

    Attributes:
        horizon_ms: what is due within it gets its hint.
        repeat_ms: a hint that nobody took is repeated after it; the interval doubles, up to thirty times.
        late_ms: a start that is late by more was missed: no hints before that is decided.
    """

    horizon_ms: int
    repeat_ms: int
    late_ms: int


def due_for_hints(
    connection: Connection, provider: str, *, lane: Lane, reach: Reach, limit: int
) -> list[DueBatch]:
    """Return batches whose last hint is old enough to be repeated: what is due, then what will be.

    The first of each campaign comes before the second of any. At most ``limit`` hints of either kind are out
    and not yet leased: what is due later takes no room from what is due now, nor a worker's memory.
    """
    is_due = BATCHES.c.next_due_at <= now_once()
    is_near = (BATCHES.c.next_due_at > now_once()) & (BATCHES.c.next_due_at <= now_once() + reach.horizon_ms)
    return [
        *_without_hint(connection, provider, is_due, lane=lane, reach=reach, limit=limit),
        *_without_hint(connection, provider, is_near, lane=lane, reach=reach, limit=limit),
    ]


def _without_hint(  # noqa: PLR0913 - each is one bound
    connection: Connection,
    provider: str,
    when: ColumnElement[bool],
    *,
    lane: Lane,
    reach: Reach,
    limit: int,
) -> list[DueBatch]:
    soonest = (BATCHES.c.next_due_at, BATCHES.c.id)
    turn = func.row_number().over(partition_by=BATCHES.c.campaign_id, order_by=soonest)
    query = (
        select(BATCHES.c.id, BATCHES.c.next_due_at - now_ms())
        .where(
            BATCHES.c.provider == provider,
            BATCHES.c.lane == lane,
            BATCHES.c.state == BatchState.OPEN,
            when,
            may_begin(BATCHES.c.campaign_id, late_ms=reach.late_ms),
            account_is_open(BATCHES.c.provider),
            (BATCHES.c.published_at.is_(None)) | ~_is_fresh(reach.repeat_ms),
        )
        .order_by(turn, *soonest)
        .limit(limit)
    )
    found = [DueBatch(id=number, due_in_ms=max(0, left)) for number, left in connection.execute(query)]
    if not found:
        return []
    room = limit - _n_out(connection, provider, when, lane=lane, repeat_ms=reach.repeat_ms)
    return found[: max(0, room)]


def _is_fresh(repeat_ms: int) -> ColumnElement[bool]:
    """Say, as SQL, that the last hint of a batch is not to be repeated yet."""
    interval = case(
        *((BATCHES.c.n_hints <= n, repeat_ms * 2 ** (n - 1)) for n in range(1, 6)), else_=repeat_ms * 30
    )
    return now_ms() - BATCHES.c.published_at <= interval


def hints_out(connection: Connection, provider: str, *, lane: Lane, repeat_ms: int) -> int:
    """Count the due batches of a provider whose hint is out and may still be leased by it."""
    is_due = BATCHES.c.next_due_at <= now_once()
    return _n_out(connection, provider, is_due, lane=lane, repeat_ms=repeat_ms)


def _n_out(
    connection: Connection, provider: str, when: ColumnElement[bool], *, lane: Lane, repeat_ms: int
) -> int:
    query = select(func.count()).where(
        BATCHES.c.provider == provider,
        BATCHES.c.lane == lane,
        BATCHES.c.state == BatchState.OPEN,
        when,
        BATCHES.c.published_at.is_not(None),
        campaign_is_running(BATCHES.c.campaign_id),
        _is_fresh(repeat_ms),
    )
    return int(connection.execute(query).scalar_one())


def still_out(connection: Connection, provider: str, *, lane: Lane, older_than_ms: int) -> list[int]:
    """Return the batches that are due and published for so long, and that nobody has leased."""
    query = select(BATCHES.c.id).where(
        BATCHES.c.provider == provider,
        BATCHES.c.lane == lane,
        BATCHES.c.state == BatchState.OPEN,
        BATCHES.c.next_due_at <= now_once() - older_than_ms,
        BATCHES.c.published_at <= now_ms() - older_than_ms,
        campaign_is_running(BATCHES.c.campaign_id),
        account_is_open(BATCHES.c.provider),
    )
    return list(connection.scalars(query.order_by(BATCHES.c.id)))


def note_published(connection: Connection, batch_ids: Sequence[int]) -> None:
    """Remember that hints went out, before they do: a hint lost in between is repeated."""
    lock_batches(connection, batch_ids)
    connection.execute(
        update(BATCHES)
        .where(BATCHES.c.id.in_(batch_ids))
        .values(published_at=now_ms(), n_hints=BATCHES.c.n_hints + 1)
    )


def forget_published(connection: Connection, batch_ids: Sequence[int]) -> None:
    """Take back that hints went out, since Redis did not take them."""
    lock_batches(connection, batch_ids)
    taken_back = update(BATCHES).where(BATCHES.c.id.in_(batch_ids), BATCHES.c.n_hints > 0)
    connection.execute(taken_back.values(published_at=None, n_hints=BATCHES.c.n_hints - 1))
