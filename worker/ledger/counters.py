"""The counters of batches, which move with their rows, and batches that are open again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, Function, func, update

from worker.ledger.batches import first_leave_by
from worker.ledger.changes import Change
from worker.ledger.models import BATCHES
from worker.states import BatchState, MessageState

_FOLLOWED_SOON_MS = 120_000  # however rarely the rest of its batch is asked about


def count(connection: Connection, changes: Sequence[Change], *, batches: Mapping[int, int], now: int) -> None:
    """Move the counters of each batch by what its rows did, and reopen it for rows that are queued again.

    ``batches`` tells the batch of each request: whose gateway has accepted it is soon asked what arrived.
    """
    moves: dict[int, Counter[str]] = {}
    due: dict[int, int] = {}
    followed: set[int] = set()
    for change in changes:
        moved = moves.setdefault(change.before.batch_id, Counter())
        moved[change.before.state.value] -= 1
        moved[change.state.value] += 1
        if change.state is MessageState.QUEUED and not change.hops:
            instant = now + change.outcome.delay_ms
            due[change.before.batch_id] = min(instant, due.get(change.before.batch_id, 2**62))
        if change.state is MessageState.ACCEPTED and change.submission_id is not None:
            followed.add(batches[change.submission_id])
            moves.setdefault(batches[change.submission_id], Counter())
    for batch_id, moved in sorted(moves.items()):
        values = {name: BATCHES.c[name] + n for name, n in moved.items() if n}
        if batch_id in followed:
            next_at = func.coalesce(BATCHES.c.follow_at, now)
            values["follow_at"] = _earlier(connection)(next_at, now + _FOLLOWED_SOON_MS)
        connection.execute(update(BATCHES).where(BATCHES.c.id == batch_id).values(**values, lost_leases=0))
    for batch_id, instant in sorted(due.items()):
        reopen(connection, [batch_id], due_at=instant)


def reopen(connection: Connection, batch_ids: Sequence[int], *, due_at: int) -> None:
    """Make sure that batches which hold queued rows again are not done, and due no later than the rows."""
    ours = update(BATCHES).where(BATCHES.c.id.in_(batch_ids))
    earlier = _earlier(connection)(BATCHES.c.next_due_at, due_at)
    connection.execute(ours.values(next_due_at=earlier, leave_by=first_leave_by()))
    opened = {"state": BatchState.OPEN, "next_due_at": due_at, "n_hints": 0, "published_at": None}
    connection.execute(ours.where(BATCHES.c.state == BatchState.DONE).values(opened))


def _earlier(connection: Connection) -> Callable[..., Function[int]]:
    """Give the SQL function that returns the lesser of two numbers."""
    return func.min if connection.dialect.name == "sqlite" else func.least
