"""What of a campaign has not left yet, by when it may leave, and how much left lately; reads only."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from worker.ledger.letting import is_let_in
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES, SUBMISSIONS
from worker.states import OPEN_STATES
from worker.timing.windows import Windows

_MINUTE_MS = 60_000
_MOST_STEPS = 2000


@dataclass(frozen=True, kw_only=True)
class Remaining:
    """Messages that fall due at nearly one time, with the same windows; instants in epoch milliseconds.

    Attributes:
        due_at: of the first of them; ``last_due_at`` of the last.
        leave_by: the end of the window or of the validity of the first; None: neither ends.
        expires_at: the end of its validity; None: it has none.
        zones: of the recipients, with commas; None: they are no matter.
        parts: of all of them together.
    """

    due_at: int
    last_due_at: int
    leave_by: int | None
    expires_at: int | None
    zones: str | None
    n: int
    parts: int


@dataclass(frozen=True, kw_only=True)
class Departed:
    """What left since some time; ``since`` is when the first of it did, epoch ms."""

    since: int
    messages: int
    parts: int


def remaining(connection: Connection, campaign_id: int) -> list[Remaining]:
    """Return what is queued or on its way, in the order in which it falls due; a row each minute or more."""
    ours = (
        MESSAGES.c.campaign_id == campaign_id,
        MESSAGES.c.state.in_(sorted(OPEN_STATES)),
        MESSAGES.c.batch_id.not_in(
            select(BATCHES.c.id).where(BATCHES.c.campaign_id == campaign_id, ~is_let_in())
        ),
    )
    first, last = connection.execute(
        select(func.min(MESSAGES.c.due_at), func.max(MESSAGES.c.due_at)).where(*ours)
    ).one()
    if first is None:
        return []
    step_ms = max(_MINUTE_MS, (last - first) // _MOST_STEPS)
    due = (MESSAGES.c.due_at - MESSAGES.c.due_at % step_ms).label("due")
    until = (MESSAGES.c.leave_by - MESSAGES.c.leave_by % step_ms).label("until")
    found = select(
        func.min(MESSAGES.c.due_at).label("due_at"),
        func.max(MESSAGES.c.due_at).label("last_due_at"),
        func.min(MESSAGES.c.leave_by).label("leave_by"),
        func.min(MESSAGES.c.expires_at).label("expires_at"),
        func.coalesce(MESSAGES.c.zones, CAMPAIGNS.c.zone).label("zones"),
        func.count().label("n"),
        func.sum(MESSAGES.c.parts).label("parts"),
    ).join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
    zones = func.coalesce(MESSAGES.c.zones, CAMPAIGNS.c.zone)
    query = found.where(*ours).group_by(due, until, zones).order_by(func.min(MESSAGES.c.due_at))
    rows = connection.execute(query).mappings()
    return [Remaining(**{**row, "parts": int(row["parts"]), "n": int(row["n"])}) for row in rows]


def windows_of(connection: Connection, campaign_id: int) -> Windows:
    """Return when a campaign may leave.

    Raises:
        ConfigError: nobody can read it (any more).
    """
    written = connection.scalar(select(CAMPAIGNS.c.windows).where(CAMPAIGNS.c.id == campaign_id))
    return Windows() if written is None else Windows.from_json(written)


def departed(connection: Connection, campaign_id: int, *, since: int) -> Departed | None:
    """Return what of a campaign left since a time; None: nothing did."""
    sums = func.sum(SUBMISSIONS.c.n_messages), func.sum(SUBMISSIONS.c.cost)
    query = (
        select(func.min(SUBMISSIONS.c.started_at), *sums)
        .join(BATCHES, BATCHES.c.id == SUBMISSIONS.c.batch_id)
        .where(BATCHES.c.campaign_id == campaign_id, SUBMISSIONS.c.started_at >= since)
    )
    first, messages, parts = connection.execute(query).one()
    return None if first is None else Departed(since=first, messages=int(messages), parts=int(parts))
