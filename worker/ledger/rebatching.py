"""Queued messages leave their batches for new ones, which are due at another time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, RowMapping, case, func, insert, select, update

from worker.errors import LedgerError
from worker.ledger.batches import reopened
from worker.ledger.engine import now_of
from worker.ledger.given import execute_given
from worker.ledger.models import BATCHES, MESSAGES
from worker.states import BatchState, MessageState

ROWS_AT_ONCE = 400
"""Most rows that one transaction moves: SQLite's write lock is not to be held for longer than 50 ms."""

_MINUTE_MS = 60_000


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A queued message, and which of those to be moved it is, from 0 on; instants in epoch milliseconds."""

    msisdn: str
    due_at: int
    leave_by: int | None
    expires_at: int | None
    zones: str | None
    place: int


@dataclass(frozen=True, kw_only=True)
class NewTimes:
    """When a message may leave from now on, as the ledger keeps it."""

    due_at: int
    leave_by: int | None
    expires_at: int | None
    zones: str | None


def rebatch(
    connection: Connection,
    campaign_id: int,
    batch_ids: Sequence[int],
    times: Callable[[Placed], NewTimes],
    *,
    first: int,
) -> int:
    """Move the first queued messages of some batches, so many as one transaction takes; return how many.

    Args:
        connection: of an open transaction, in which the batches are locked.
        campaign_id: theirs.
        batch_ids: of the batches; what is left in them is for the next call.
        times: gives a message its new times.
        first: the place of the first message.

    Raises:
        LedgerError: a batch counts its messages wrong.
    """
    rows = _queued(connection, batch_ids)
    counted = connection.scalar(select(func.sum(BATCHES.c.queued)).where(BATCHES.c.id.in_(batch_ids)))
    if len(rows) != min(counted or 0, ROWS_AT_ONCE):
        raise LedgerError(f"Batch {batch_ids[0]}, or one after it, counts wrong: see `bulksend doctor`")
    groups: dict[Like, list[tuple[int, NewTimes]]] = {}
    for n, row in enumerate(rows):
        new = times(Placed(**{name: row[name] for name in _PLACED}, place=first + n))
        groups.setdefault(like(row, new), []).append((row["id"], new))
    put(connection, campaign_id, groups)
    left = select(func.count()).where(
        MESSAGES.c.batch_id == BATCHES.c.id, MESSAGES.c.state == MessageState.QUEUED
    )
    fewer = update(BATCHES).where(BATCHES.c.id.in_(batch_ids))
    connection.execute(fewer.values(queued=left.scalar_subquery()))
    is_over = BATCHES.c.queued == 0, BATCHES.c.state != BatchState.LEASED  # who has it gives it back
    connection.execute(fewer.where(*is_over).values(reopened()))
    return len(rows)


_PLACED = ("msisdn", "due_at", "leave_by", "expires_at", "zones")


class Like(NamedTuple):
    """What the messages of a new batch share."""

    provider: str
    lane: str
    state: BatchState
    reason: str | None
    minute: int


def _queued(connection: Connection, batch_ids: Sequence[int]) -> Sequence[RowMapping]:
    shared = [BATCHES.c[name] for name in ("provider", "lane", "reason")]
    state = case((BATCHES.c.is_added, BatchState.OPEN.value), else_=BATCHES.c.state).label("batch_state")
    query = (
        select(MESSAGES.c.id, *(MESSAGES.c[name] for name in _PLACED), *shared, state)
        .join(BATCHES, BATCHES.c.id == MESSAGES.c.batch_id)
        .where(MESSAGES.c.batch_id.in_(batch_ids), MESSAGES.c.state == MessageState.QUEUED)
        .order_by(MESSAGES.c.batch_id, MESSAGES.c.due_at, MESSAGES.c.id)
    )
    return connection.execute(query.limit(ROWS_AT_ONCE).with_for_update(of=MESSAGES)).mappings().all()


def like(row: RowMapping, new: NewTimes) -> Like:
    """Say what a message shares with others: what is held stays held.

    The row has provider, lane, ``batch_state`` and reason of the batch that the message leaves.
    """
    is_held = row["batch_state"] == BatchState.HELD
    return Like(
        provider=row["provider"],
        lane=row["lane"],
        state=BatchState.HELD if is_held else BatchState.OPEN,
        reason=row["reason"] if is_held else None,
        minute=new.due_at // _MINUTE_MS,
    )


def put(
    connection: Connection, campaign_id: int, groups: Mapping[Like, Sequence[tuple[int, NewTimes]]]
) -> None:
    """Put messages of a campaign, given by id, into new batches; those that they leave are the caller's."""
    made = insert(BATCHES).returning(BATCHES.c.id, sort_by_parameter_order=True)
    ids = connection.scalars(made, [_batch(campaign_id, *each) for each in groups.items()]).all()
    now = now_of(connection)
    execute_given(
        connection,
        "UPDATE messages SET batch_id = given.new_batch, due_at = given.due, leave_by = given.leaves_by, "
        "expires_at = given.expires, zones = given.places, changed_at = given.instant "
        "FROM given WHERE messages.id = given.message",
        columns={
            **dict.fromkeys(("message", "new_batch", "due", "leaves_by", "expires"), "bigint"),
            "places": "text",
            "instant": "bigint",
        },
        rows=[
            (message_id, batch_id, each.due_at, each.leave_by, each.expires_at, each.zones, now)
            for batch_id, group in zip(ids, groups.values(), strict=True)
            for message_id, each in group
        ],
    )


def _batch(campaign_id: int, like: Like, group: Sequence[tuple[int, NewTimes]]) -> dict[str, object]:
    ends = (each.leave_by for _, each in group if each.leave_by is not None)
    return {
        "campaign_id": campaign_id,
        "provider": like.provider,
        "lane": like.lane,
        "state": like.state,
        "reason": like.reason,
        "next_due_at": min(each.due_at for _, each in group),
        "leave_by": min(ends, default=None),
        "queued": len(group),
    }
