"""Following: which accepted messages a gateway is to be asked about, to learn whether they arrived.

Asked about in rounds, batch by batch: a while after they were accepted, then later and rarer with age, and
after 72 h no more. What a gateway keeps until its time counts from that time. A message belongs to the batch
of the request that was accepted, even if it had gone on to the fallback by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, case, func, or_, select, update

from worker.ledger.asking import Asked, grouped, may_be_of, requests
from worker.ledger.batches import lock_batches
from worker.ledger.engine import now_ms, now_of
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES, SUBMISSIONS
from worker.states import MessageState

PATIENCE_MS = 259_200_000
"""After 72 h no gateway tells any more what arrived."""

_BATCHES = BATCHES.alias("of_request")


@dataclass(frozen=True, kw_only=True)
class Round:
    """What is to be asked about, what was not for longest first; and the batches of which all was asked."""

    asked: list[Asked]
    over: list[int]


def to_follow(
    connection: Connection, provider: str, *, login: str, first_ms: int, most_batches: int
) -> Round:
    """Return requests of batches that are due, each with all of its messages whose end is not known.

    What another login than the provider's present one has sent is left out.
    """
    due = (
        select(BATCHES.c.id)
        .where(BATCHES.c.provider == provider, BATCHES.c.follow_at <= now_of(connection))
        .order_by(BATCHES.c.follow_at, BATCHES.c.id)
        .limit(most_batches)
    )
    batch_ids = list(connection.scalars(due))
    if not batch_ids:
        return Round(asked=[], over=[])
    is_asked_in_time = SUBMISSIONS.c.asked_at >= _BATCHES.c.follow_at
    longest_asked = func.coalesce(SUBMISSIONS.c.asked_at, 0), SUBMISSIONS.c.id
    query = (
        _followed(batch_ids)
        .where(age() >= first_ms, or_(SUBMISSIONS.c.asked_at.is_(None), ~is_asked_in_time))
        .where(may_be_of(login))
        .order_by(*longest_asked, MESSAGES.c.id)
    )
    rows = connection.execute(query.add_columns(_BATCHES.c.id.label("batch_id"))).mappings().all()
    busy = {row["batch_id"] for row in rows}
    return Round(asked=grouped(rows), over=[number for number in batch_ids if number not in busy])


def plan_next(connection: Connection, batch_ids: Sequence[int], *, first_ms: int) -> None:
    """Say when batches are due again: as soon as any message is, or never."""
    lock_batches(connection, batch_ids)  # else what is accepted after this look could be forgotten
    wait_ms = case((age() < first_ms, first_ms - age()), else_=age() / 2)
    query = _followed(batch_ids).with_only_columns(_BATCHES.c.id, func.min(wait_ms)).group_by(_BATCHES.c.id)
    waits = {number: int(wait) for number, wait in connection.execute(query)}
    now = now_of(connection)
    for number in sorted(batch_ids):
        next_at = now + max(first_ms, waits[number]) if number in waits else None
        connection.execute(update(BATCHES).where(BATCHES.c.id == number).values(follow_at=next_at))


def _followed(batch_ids: Sequence[int]) -> Select[int, str, int, str, int]:
    return (
        requests()
        .join(_BATCHES, _BATCHES.c.id == SUBMISSIONS.c.batch_id)
        .where(_BATCHES.c.id.in_(batch_ids), MESSAGES.c.state == MessageState.ACCEPTED, age() < PATIENCE_MS)
    )


def age() -> ColumnElement[int]:
    """Say, as SQL, how long ago a message was accepted, or left the gateway's own schedule."""
    is_kept = CAMPAIGNS.c.leaves_at > MESSAGES.c.changed_at
    return now_ms() - case((is_kept, CAMPAIGNS.c.leaves_at), else_=MESSAGES.c.changed_at)
