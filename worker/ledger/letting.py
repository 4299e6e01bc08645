"""Which batches count: those of a further file do from the moment on at which it is let in.

That is one change of the campaign's row, however many batches there are; they are opened some at a time after
it. Until then they are held and marked ``is_added``: nothing of them is due, counted or given an order.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, case, select, update

from worker.ledger.batches import lock_some
from worker.ledger.models import BATCHES, CAMPAIGNS
from worker.states import BatchState

LET_IN = 0
"""In the place of an importer's lease: what was added is let in, and perhaps not all of it opened yet."""

_OWN = CAMPAIGNS.alias("own")


def is_let_in() -> ColumnElement[bool]:
    """Say, as SQL, that a batch is not of a file that is still being added."""
    own = _OWN.c.id == BATCHES.c.campaign_id, _OWN.c.importing_until == LET_IN
    return ~BATCHES.c.is_added | select(_OWN.c.id).where(*own).correlate(BATCHES).exists()


def half_open(connection: Connection) -> int | None:
    """Return a campaign that was let in, and of which not every batch is open; a plain read."""
    query = select(BATCHES.c.campaign_id).where(
        BATCHES.c.state == BatchState.HELD, BATCHES.c.is_added, is_let_in()
    )
    found: int | None = connection.scalar(query.limit(1))
    return found


def open_some(connection: Connection, campaign_id: int) -> int | None:
    """Open some batches of what was let in; return how many, None at the end.

    Two may do so at once. The second waits for the campaign: a batch that the first one opened may be leased
    by now, and a campaign of which all was open may have been added to again.
    """
    locked = select(CAMPAIGNS.c.id).where(CAMPAIGNS.c.id == campaign_id)
    connection.execute(locked.with_for_update()).all()
    batch_ids = lock_some(connection, BATCHES.c.campaign_id == campaign_id, BATCHES.c.is_added, is_let_in())
    if not batch_ids:
        ended = CAMPAIGNS.c.id == campaign_id, CAMPAIGNS.c.importing_until == LET_IN
        connection.execute(update(CAMPAIGNS).where(*ended).values(importing_until=None))
        return None
    is_over = (BATCHES.c.state == BatchState.DONE) | (BATCHES.c.queued == 0)
    state = case((is_over, BatchState.DONE.value), else_=BatchState.OPEN.value)
    opened = update(BATCHES).where(BATCHES.c.id.in_(batch_ids))
    connection.execute(opened.values(state=state, is_added=False))
    return len(batch_ids)
