"""Missed starts: found by the tick, and decided as each campaign was told to when it was made.

Nothing of them is leased before that (``starts``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from worker.clock import instant
from worker.errors import ConfigError, InputError
from worker.ledger import accounts, control, orders, turns
from worker.ledger.batches import reopened
from worker.ledger.engine import control_lock, now_of
from worker.ledger.models import ACCOUNTS, BATCHES, CAMPAIGNS, MESSAGES, SUBMISSIONS
from worker.ledger.starts import first_missed, was_missed
from worker.states import Late, MessageState
from worker.timing.local import local_of

SKIPPED = "late"
"""The code of a message whose start was missed."""

SKIP = "skip"
"""The order that Bulksend gives then."""


@dataclass(frozen=True, kw_only=True)
class MissedStart:
    """A campaign of which batches were due for long, and nothing of them was begun.

    Attributes:
        campaign_id: whose start it was.
        late: what is to happen.
        due_at: of the first of the batches, epoch milliseconds.
        zone: in which people are told of it; None: nobody named one.
        is_behind: its account had others to send for all the while, so nothing went wrong.
    """

    campaign_id: int
    late: Late
    due_at: int
    zone: str | None
    is_behind: bool


def missed_starts(connection: Connection, *, late_ms: int) -> list[MissedStart]:
    """Return the campaigns about which is to be decided; a plain read."""
    columns = CAMPAIGNS.c.id, CAMPAIGNS.c.late, CAMPAIGNS.c.zone, CAMPAIGNS.c.provider
    query = (
        select(*columns, func.min(BATCHES.c.next_due_at).label("due_at"))
        .join(CAMPAIGNS, CAMPAIGNS.c.id == BATCHES.c.campaign_id)
        .where(was_missed(late_ms))
        .group_by(*columns)
    )
    return [
        MissedStart(
            campaign_id=row.id,
            late=Late(row.late),
            due_at=row.due_at,
            zone=row.zone,
            is_behind=_was_busy(connection, row.provider, since=row.due_at, late_ms=late_ms),
        )
        for row in connection.execute(query).all()
    ]


def _was_busy(connection: Connection, provider: str, *, since: int, late_ms: int) -> bool:
    """Say whether an account has sent ever since, or had its rate used up, without a pause of that length."""
    now = now_of(connection)
    providers = accounts.sharing(connection, provider)
    throttled = select(func.max(ACCOUNTS.c.throttled_until)).where(ACCOUNTS.c.provider.in_(providers))
    at = max(since, min(connection.scalar(throttled) or 0, now))
    while at + late_ms < now:
        last = [_last_in(connection, each, after=at, until=at + late_ms) for each in providers]
        at = max((each for each in last if each is not None), default=0)
        if not at:
            return False
    return True


def _last_in(connection: Connection, provider: str, *, after: int, until: int) -> int | None:
    query = select(func.max(SUBMISSIONS.c.started_at)).where(
        SUBMISSIONS.c.provider == provider,
        SUBMISSIONS.c.started_at > after,
        SUBMISSIONS.c.started_at <= until,
    )
    found: int | None = connection.scalar(query)
    return found


def let_go_on(connection: Connection, campaign_id: int) -> None:
    """Let a campaign go on that only waited for its turn."""
    turns.note_served(connection, campaign_id)


def hold(connection: Connection, start: MissedStart, *, late_ms: int) -> bool:
    """Pause a campaign whose start was missed; False when somebody has decided meanwhile."""
    control_lock(connection, shared=False)
    if first_missed(connection, start.campaign_id, late_ms=late_ms) is None:
        return False
    reason = f"what was due at {_told(start)} was missed"
    try:
        return control.pause(connection, start.campaign_id, reason=reason, author=orders.OURSELVES)
    except InputError:  # it is not running any more
        return False


def skip(connection: Connection, start: MissedStart, audit: orders.Counted, *, late_ms: int) -> int | None:
    """Give up the messages of one batch that are due for long; return how many, None when there is none.

    What is due later in the batch, such as after its window has opened, stays.
    """
    control_lock(connection, shared=False)
    batch_id = first_missed(connection, start.campaign_id, late_ms=late_ms, for_update=True)
    if batch_id is None:
        return None
    now = now_of(connection)
    late = update(MESSAGES).where(
        MESSAGES.c.batch_id == batch_id,
        MESSAGES.c.state == MessageState.QUEUED,
        MESSAGES.c.due_at < now - late_ms,
    )
    n = connection.execute(late.values(state=MessageState.FAILED, code=SKIPPED, changed_at=now)).rowcount
    batch = update(BATCHES).where(BATCHES.c.id == batch_id)
    connection.execute(batch.values(queued=BATCHES.c.queued - n, failed=BATCHES.c.failed + n))
    connection.execute(batch.values(reopened()))
    audit.add(connection, start.campaign_id, n)
    return n


def skip_audit(start: MissedStart) -> orders.Counted:
    """Begin the line that says what was given up."""
    return orders.Counted(
        what=SKIP, author=orders.OURSELVES, detail=f"since what was due at {_told(start)} was missed"
    )


def _told(start: MissedStart) -> str:
    """Write when it was due, as a person there reads it: ``2027-01-31 09:00 +01:00``."""
    local = _local(start)
    return f"{local:%Y-%m-%d %H:%M} {local.isoformat()[-6:]}"


def _local(start: MissedStart) -> datetime:
    for name in (start.zone or "").split(","):
        try:
            return local_of(start.due_at, name)
        except ConfigError:  # none was named, or it is the recipient's
            continue
    return instant(start.due_at)
