"""Locks of batches with their campaigns, taken first: the order is campaign, batch, submission, message."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, SelectBase, select, union

from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES, SUBMISSIONS


def lock_batches_of(
    connection: Connection, message_ids: Sequence[int], *, references: Sequence[str] = (), alone: bool = False
) -> None:
    """Lock the batches of messages, and of requests with them, with their campaigns.

    The batch of a request is another than that of its message where this went on to the fallback. ``alone``
    is for who changes the campaigns too: nobody who shares them could wait for that without a deadlock.
    """
    of_messages = select(MESSAGES.c.batch_id).where(MESSAGES.c.id.in_(message_ids))
    of_requests = select(SUBMISSIONS.c.batch_id).where(SUBMISSIONS.c.reference.in_(references))
    _lock(connection, union(of_messages, of_requests) if references else of_messages, alone=alone)


def lock_batch(connection: Connection, batch_id: int, *, alone: bool = False) -> None:
    """Lock one batch with its campaign, before its rows are read: nobody's word comes in between then."""
    _lock(connection, select(BATCHES.c.id).where(BATCHES.c.id == batch_id), alone=alone)


def _lock(connection: Connection, batch_ids: SelectBase, *, alone: bool) -> None:
    """Lock batches for us alone, and their campaigns shared, or alone as well.

    None of these may become cancelled between our look at it and our commit.
    """
    shared = CAMPAIGNS.c.id.in_(select(BATCHES.c.campaign_id).where(BATCHES.c.id.in_(batch_ids)))
    query = select(CAMPAIGNS.c.id).where(shared).order_by(CAMPAIGNS.c.id)
    connection.execute(query.with_for_update(read=not alone)).all()
    ours = select(BATCHES.c.id).where(BATCHES.c.id.in_(batch_ids)).order_by(BATCHES.c.id)
    connection.execute(ours.with_for_update()).all()
