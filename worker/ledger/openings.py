"""Openings: messages whose time to leave is over go to the next opening of their windows, or are given up.

``leave_by`` of a message is the end of its present opening, or of its validity. The mark refuses what is past
it, so that nothing leaves outside; here it is decided what becomes of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Row, select, update

from worker.errors import InputError
from worker.ledger import control, orders
from worker.ledger.batches import Lease, campaign_is_running, reopened
from worker.ledger.engine import control_lock, now_of, now_once
from worker.ledger.given import execute_given
from worker.ledger.intent import is_ours
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES
from worker.ledger.values import PLANNED_WITHIN_MS
from worker.states import BatchState, MessageState
from worker.timing.windows import Windows

TOO_LATE = "validity"
"""The code of a message that could not leave in time."""


@dataclass(frozen=True, kw_only=True)
class Overdue:
    """How many messages of a batch could not leave in their time: moved to a later opening, and given up."""

    moved: int = 0
    failed: int = 0


@dataclass(frozen=True, kw_only=True)
class _Next:
    """Where a message goes: NULL for both is nowhere."""

    message_id: int
    due_at: int | None = None
    leave_by: int | None = None


def overdue_batches(connection: Connection, *, limit: int) -> list[int]:
    """Return batches on which nobody works and which may hold messages that cannot leave in time any more.

    Not of campaigns that are paused: there a person decides.
    """
    query = select(BATCHES.c.id).where(
        BATCHES.c.state == BatchState.OPEN,
        BATCHES.c.leave_by.is_not(None),
        BATCHES.c.leave_by <= now_once() + PLANNED_WITHIN_MS,
        campaign_is_running(BATCHES.c.campaign_id),
    )
    return list(connection.scalars(query.order_by(BATCHES.c.leave_by).limit(limit)))


def tidy(connection: Connection, batch_id: int) -> Overdue:
    """Decide about the overdue messages of a batch on which nobody works, unless somebody has it."""
    control_lock(connection, shared=True)  # a pause that comes first is seen
    mine = BATCHES.c.id == batch_id, BATCHES.c.state == BatchState.OPEN
    free = select(BATCHES.c.id).where(*mine, campaign_is_running(BATCHES.c.campaign_id))
    if connection.execute(free.with_for_update(of=BATCHES, skip_locked=True)).one_or_none() is None:
        return Overdue()
    done = move_on(connection, batch_id)
    connection.execute(update(BATCHES).where(BATCHES.c.id == batch_id).values(reopened()))
    return done


def tidy_held(connection: Connection, held: Lease) -> Overdue:
    """Decide about the overdue messages of a batch while it is worked, unless it was lost or is to rest."""
    control_lock(connection, shared=True)
    ours = select(BATCHES.c.id).where(*is_ours(held), campaign_is_running(BATCHES.c.campaign_id))
    if connection.execute(ours.with_for_update(of=BATCHES)).one_or_none() is None:
        return Overdue()
    return move_on(connection, held.batch_id)


def hold_unread(connection: Connection, batch_id: int, *, reason: str) -> bool:
    """Pause the campaign of a batch whose windows cannot be read: it waits for a person, and no other for it.

    False when somebody has ended or paused it meanwhile.
    """
    control_lock(connection, shared=False)
    campaign_id = connection.scalar(select(BATCHES.c.campaign_id).where(BATCHES.c.id == batch_id))
    try:
        return control.pause(connection, campaign_id or 0, reason=reason, author=orders.OURSELVES)
    except InputError:  # it is not running any more
        return False


def move_on(connection: Connection, batch_id: int) -> Overdue:
    """Decide about the overdue messages of a batch that is locked, or leased, by the caller.

    A message goes to the next opening of its windows, where its validity lasts until then; else it fails.
    Whoever locked the batch recomputes it when the work on it ends.

    Raises:
        ConfigError: nobody knows a zone any more, or another release wrote the windows.
    """
    now = now_of(connection)
    late = _late_rows(connection, batch_id, now=now)
    if not late:
        return Overdue()
    query = select(CAMPAIGNS.c.windows, CAMPAIGNS.c.zone).join(
        BATCHES, BATCHES.c.campaign_id == CAMPAIGNS.c.id
    )
    written, zone = connection.execute(query.where(BATCHES.c.id == batch_id)).one()
    windows = None if written is None else Windows.from_json(written)
    found = [_next(row, windows, row.zones or zone, now=now) for row in late]
    moved = [each for each in found if each.due_at is not None]
    _move(connection, moved)
    _fail(connection, batch_id, [each.message_id for each in found if each.due_at is None], now=now)
    return Overdue(moved=len(moved), failed=len(found) - len(moved))


def _late_rows(
    connection: Connection, batch_id: int, *, now: int
) -> Sequence[Row[int, int, int, int | None, str | None]]:
    columns = [MESSAGES.c[name] for name in ("id", "due_at", "leave_by", "expires_at", "zones")]
    query = select(*columns).where(
        MESSAGES.c.batch_id == batch_id,
        MESSAGES.c.state == MessageState.QUEUED,
        MESSAGES.c.leave_by <= now + PLANNED_WITHIN_MS,
    )
    return connection.execute(query.order_by(MESSAGES.c.id).with_for_update()).all()


def _next(
    row: Row[int, int, int, int | None, str | None], windows: Windows | None, zones: str | None, *, now: int
) -> _Next:
    """Find the next opening of a message; a retry that is due after its present one is not made earlier."""
    if windows is None:
        return _Next(message_id=row.id)
    names = tuple(filter(None, (zones or "").split(",")))
    opening = windows.opening(max(now, row.due_at, row.leave_by), names)
    if opening is None or (row.expires_at is not None and opening.opens_at >= row.expires_at):
        return _Next(message_id=row.id)
    ends = [at for at in (opening.closes_at, row.expires_at) if at is not None]
    return _Next(message_id=row.id, due_at=opening.opens_at, leave_by=min(ends, default=None))


def _move(connection: Connection, moved: Sequence[_Next]) -> None:
    if moved:
        execute_given(
            connection,
            "UPDATE messages SET due_at = given.new_due, leave_by = given.new_end FROM given "
            "WHERE messages.id = given.message",
            columns={"message": "bigint", "new_due": "bigint", "new_end": "bigint"},
            rows=[(each.message_id, each.due_at, each.leave_by) for each in moved],
        )


def _fail(connection: Connection, batch_id: int, message_ids: Sequence[int], *, now: int) -> None:
    if not message_ids:
        return
    failed = update(MESSAGES).where(MESSAGES.c.id.in_(message_ids))
    connection.execute(failed.values(state=MessageState.FAILED, code=TOO_LATE, changed_at=now))
    n = len(message_ids)
    counters = {"queued": BATCHES.c.queued - n, "failed": BATCHES.c.failed + n}
    connection.execute(update(BATCHES).where(BATCHES.c.id == batch_id).values(counters))
