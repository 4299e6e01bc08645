"""Queued messages are cancelled one by one, under the control lock: every mark obeys it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, update

from worker.ledger import batches
from worker.ledger.given import execute_given
from worker.ledger.models import BATCHES
from worker.states import BatchState


def withdraw(connection: Connection, rows: Sequence[tuple[int, str, int]]) -> None:
    """Cancel messages, which are locked and queued: id, the code that says why, and now in epoch ms."""
    execute_given(
        connection,
        "UPDATE messages SET state = 'cancelled', code = given.reason, detail = NULL, "
        "changed_at = given.instant FROM given WHERE messages.id = given.message",
        columns={"message": "bigint", "reason": "text", "instant": "bigint"},
        rows=rows,
    )


def recount(connection: Connection, gone: Mapping[int, int], *, withdrawn: Mapping[int, int]) -> None:
    """Count what is not queued in its batch any more, and what of that is cancelled; say when it is due."""
    for batch_id, n in sorted(gone.items()):
        n_withdrawn = withdrawn.get(batch_id, 0)
        counters = {"queued": BATCHES.c.queued - n, "cancelled": BATCHES.c.cancelled + n_withdrawn}
        connection.execute(update(BATCHES).where(BATCHES.c.id == batch_id).values(counters))
    _recompute(connection, gone)


def _recompute(connection: Connection, batch_ids: Mapping[int, int]) -> None:
    """Say anew when the batches are due; what is leased or held stays so."""
    reopened = batches.reopened()
    times = {name: reopened[name] for name in ("next_due_at", "leave_by")}
    ours = BATCHES.c.id.in_(list(batch_ids))
    connection.execute(update(BATCHES).where(ours, BATCHES.c.state != BatchState.OPEN).values(times))
    connection.execute(update(BATCHES).where(ours, BATCHES.c.state == BatchState.OPEN).values(reopened))
