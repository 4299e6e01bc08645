"""When what is queued of a campaign falls due, and how late it is; reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select

from worker.errors import ConfigError
from worker.ledger.engine import now_of
from worker.ledger.letting import is_let_in
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES
from worker.ledger.reports import stored_id
from worker.states import BatchState, MessageState
from worker.timing.windows import Opening, Windows

SHOWN_PARTS = 20
_MINUTE_MS = 60_000


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What is still to come of a campaign; instants in epoch milliseconds.

    Attributes:
        now: by the database's clock.
        next_due_at: when the next is due that is not yet; None: nothing is.
        oldest_due_at: when the oldest was due that still waits; None: nothing waits.
        parts: the first minutes in which something falls due, with how many messages.
        n_later: messages that fall due after those.
        opening: in which what is next may leave, or may now; None: it has no window.
    """

    now: int
    next_due_at: int | None = None
    oldest_due_at: int | None = None
    parts: Sequence[tuple[int, int]] = ()
    n_later: int = 0
    opening: Opening | None = None

    @property
    def lateness_ms(self) -> int:
        """How long the oldest waits beyond its time."""
        return 0 if self.oldest_due_at is None else max(0, self.now - self.oldest_due_at)


def schedule_of(connection: Connection, campaign_id: int) -> Schedule:
    """Return what is still to come of a campaign."""
    now = now_of(connection)
    waits = _waits(campaign_id)
    query = select(func.min(BATCHES.c.next_due_at)).where(*waits, BATCHES.c.next_due_at > now)
    parts, n_later = _parts(connection, campaign_id, now=now)
    oldest, opening = _oldest(connection, campaign_id, now=now)
    return Schedule(
        now=now,
        next_due_at=connection.scalar(query),
        oldest_due_at=oldest,
        parts=parts,
        n_later=n_later,
        opening=opening,
    )


def _waits(campaign_id: int) -> tuple[ColumnElement[bool], ...]:
    """Say, as SQL, that a batch of the campaign has messages that wait."""
    states = [BatchState.OPEN, BatchState.LEASED, BatchState.HELD]
    ours = BATCHES.c.campaign_id == stored_id(campaign_id), is_let_in()
    return *ours, BATCHES.c.state.in_(states), BATCHES.c.queued > 0


def _parts(connection: Connection, campaign_id: int, *, now: int) -> tuple[list[tuple[int, int]], int]:
    minute = (BATCHES.c.next_due_at - BATCHES.c.next_due_at % _MINUTE_MS).label("minute")
    first, n = func.min(BATCHES.c.next_due_at), func.sum(BATCHES.c.queued)
    is_later = (*_waits(campaign_id), BATCHES.c.next_due_at > now)
    query = select(first, n).where(*is_later).group_by(minute).order_by(minute).limit(SHOWN_PARTS)
    parts = [(int(at), int(queued)) for at, queued in connection.execute(query)]
    if len(parts) < SHOWN_PARTS:
        return parts, 0
    total = connection.scalar(select(n).where(*is_later))
    return parts, int(total or 0) - sum(queued for _, queued in parts)


def _oldest(connection: Connection, campaign_id: int, *, now: int) -> tuple[int | None, Opening | None]:
    """Return when the oldest message that waits was due, and the opening of what is next."""
    batch = select(BATCHES.c.id).where(*_waits(campaign_id)).order_by(BATCHES.c.next_due_at).limit(1)
    query = (
        select(MESSAGES.c.due_at, MESSAGES.c.zones, CAMPAIGNS.c.windows, CAMPAIGNS.c.zone)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
        .where(MESSAGES.c.batch_id == batch.scalar_subquery(), MESSAGES.c.state == MessageState.QUEUED)
    )
    row = connection.execute(query.order_by(MESSAGES.c.due_at).limit(1)).one_or_none()
    if row is None:
        return None, None
    oldest = row.due_at if row.due_at <= now else None
    if row.windows is None:
        return oldest, None
    try:
        zones = (row.zones or row.zone or "").split(",")
        return oldest, Windows.from_json(row.windows).opening(max(now, row.due_at), zones)
    except ConfigError:  # a zone that nobody knows any more: the worker says so
        return oldest, None
