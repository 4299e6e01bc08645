"""Intent: what a worker is about to send, checked under the control lock, written before any byte leaves."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from worker.ledger import optouts
from worker.ledger.accounts import account_takes
from worker.ledger.batches import Lease, campaign_is_running
from worker.ledger.engine import control_lock, now_ms, now_of
from worker.ledger.given import execute_given
from worker.ledger.models import BATCHES, EARLIER_SUBMISSIONS, MESSAGES, SUBMISSIONS
from worker.ledger.values import LEAVES_WITHIN_MS, PLANNED_WITHIN_MS, DueRow, Intention, Marked, Stop
from worker.states import BatchState, MessageState


def next_due(connection: Connection, held: Lease, *, limit: int) -> list[DueRow]:
    """Read the next rows of a leased batch that are queued and due; marks nothing."""
    names = ("id", "msisdn", "text", "encoding", "parts", "attempts", "group_limit")
    ends_at: ColumnElement[int] = MESSAGES.c.expires_at  # what misses its opening has another
    if not held.has_windows:
        ends_at = func.coalesce(ends_at, MESSAGES.c.leave_by)
    leave_in_ms = (ends_at - now_ms()).label("leave_in_ms")
    over_in_ms = (MESSAGES.c.leave_by - now_ms() - PLANNED_WITHIN_MS).label("over_in_ms")
    columns = *(MESSAGES.c[name] for name in names), leave_in_ms, over_in_ms
    query = select(*columns).where(*_may_leave(held, within_ms=PLANNED_WITHIN_MS))
    found = connection.execute(query.order_by(MESSAGES.c.due_at, MESSAGES.c.id).limit(limit))
    return [
        DueRow(
            id=row.id,
            msisdn=row.msisdn,
            text=row.text if row.text is not None else held.text or "",
            encoding=row.encoding,
            parts=row.parts,
            attempts=row.attempts,
            group_limit=row.group_limit,
            leave_in_ms=row.leave_in_ms,
            over_in_ms=row.over_in_ms,
        )
        for row in found
    ]


def next_due_in_ms(connection: Connection, held: Lease) -> int | None:
    """Return how long it is until a row of a leased batch is due that was never tried; None: none is."""
    fresh = MESSAGES.c.batch_id == held.batch_id, MESSAGES.c.submission_id.is_(None)
    later = MESSAGES.c.state == MessageState.QUEUED, MESSAGES.c.due_at > now_ms()
    query = select(func.min(MESSAGES.c.due_at) - now_ms()).where(*fresh, *later)
    found: int | None = connection.scalar(query)
    return found


def mark(
    connection: Connection, held: Lease, intentions: Sequence[Intention], *, lease_ms: int, login: str
) -> list[Marked] | Stop:
    """Turn rows SUBMITTING with their submissions, where everything that was relied on still holds.

    Runs under the shared control lock, so that a pause, cancel, hold or sweep that has returned holds for
    every later mark. Renews the lease. Rows that are no longer queued or due are left out of their request,
    those whose number wants none any more are suppressed, and a request without rows is dropped. Only what is
    returned may be written, after the commit, and only by that ``login``: no other gateway can say later what
    became of it.
    """
    control_lock(connection, shared=True)
    if not _renew(connection, held, lease_ms=lease_ms):
        return _reason(connection, held)
    asked = [row for each in intentions for row in each.rows]
    granted = _lock_rows(connection, held, [row.id for row in asked])
    _suppress(connection, held, asked, granted)
    kept = [
        Intention(reference=each.reference, rows=rows)
        for each in intentions
        if (rows := tuple(row for row in each.rows if row.id in granted))
    ]
    if not kept:
        return []
    now = now_of(connection)
    numbers = _insert_submissions(connection, held, kept, login=login, now=now)
    _keep_earlier(connection, granted)
    pairs = [(row.id, numbers[each.reference]) for each in kept for row in each.rows]
    _submit(connection, held, pairs, now=now)
    return [Marked(reference=each.reference, rows=each.rows) for each in kept]


def _renew(connection: Connection, held: Lease, *, lease_ms: int) -> bool:
    renewed = connection.execute(
        update(BATCHES)
        .where(
            *is_ours(held),
            campaign_is_running(BATCHES.c.campaign_id),
            account_takes(BATCHES.c.provider, BATCHES.c.id),
        )
        .values(lease_until=now_ms() + lease_ms)
    )
    return renewed.rowcount == 1


def is_ours(held: Lease) -> tuple[ColumnElement[bool], ...]:
    """Say, as SQL, that the lease still holds."""
    return (
        BATCHES.c.id == held.batch_id,
        BATCHES.c.fence == held.fence,
        BATCHES.c.state == BatchState.LEASED,
        BATCHES.c.lease_until > now_ms(),
    )


def _may_leave(held: Lease, *, within_ms: int) -> tuple[ColumnElement[bool], ...]:
    """Say, as SQL, that a row of the batch is due, and may still leave after so long."""
    return (
        MESSAGES.c.batch_id == held.batch_id,
        MESSAGES.c.state == MessageState.QUEUED,
        MESSAGES.c.due_at <= now_ms(),
        (MESSAGES.c.leave_by.is_(None)) | (MESSAGES.c.leave_by > now_ms() + within_ms),
    )


def _reason(connection: Connection, held: Lease) -> Stop:
    mine = select(BATCHES.c.id).where(*is_ours(held))
    return Stop.LEASE_LOST if connection.execute(mine).one_or_none() is None else Stop.CONTROL


def _lock_rows(connection: Connection, held: Lease, ids: Sequence[int]) -> dict[int, int | None]:
    """Lock what may still leave, by id; return message to its submission so far."""
    may_leave = _may_leave(held, within_ms=LEAVES_WITHIN_MS)
    query = select(MESSAGES.c.id, MESSAGES.c.submission_id).where(MESSAGES.c.id.in_(ids), *may_leave)
    found = connection.execute(query.order_by(MESSAGES.c.id).with_for_update())
    return {row.id: row.submission_id for row in found}


def _suppress(
    connection: Connection, held: Lease, rows: Sequence[DueRow], granted: dict[int, int | None]
) -> None:
    """Take what would go to somebody who wants none out of what is granted, and say so of it."""
    numbers = {row.msisdn for row in rows if row.id in granted}
    stopped = optouts.stopped(connection, held.stops_key, numbers, held.stops)
    ids = sorted(row.id for row in rows if row.id in granted and row.msisdn in stopped)
    if not ids:
        return
    for each in ids:
        del granted[each]
    suppressed = {"state": MessageState.SUPPRESSED, "code": optouts.CODE, "detail": None}
    ours = update(MESSAGES).where(MESSAGES.c.id.in_(ids))
    connection.execute(ours.values(**suppressed, changed_at=now_ms()))
    moved = {"queued": BATCHES.c.queued - len(ids), "suppressed": BATCHES.c.suppressed + len(ids)}
    connection.execute(update(BATCHES).where(BATCHES.c.id == held.batch_id).values(**moved))


def _insert_submissions(
    connection: Connection, held: Lease, kept: Sequence[Intention], *, login: str, now: int
) -> dict[str, int]:
    rows = [
        {
            "reference": each.reference,
            "provider": held.provider,
            "login": login,
            "batch_id": held.batch_id,
            "fence": held.fence,
            "attempt": 1 + max(row.attempts for row in each.rows),
            "n_messages": len(each.rows),
            "cost": sum(row.parts for row in each.rows),
            "started_at": now,
        }
        for each in kept
    ]
    made = connection.execute(insert(SUBMISSIONS).returning(SUBMISSIONS.c.reference, SUBMISSIONS.c.id), rows)
    return {reference: int(number) for reference, number in made}


def _keep_earlier(connection: Connection, granted: dict[int, int | None]) -> None:
    links = [{"message_id": mid, "submission_id": sid} for mid, sid in granted.items() if sid is not None]
    if links:
        connection.execute(insert(EARLIER_SUBMISSIONS), links)


def _submit(connection: Connection, held: Lease, pairs: Sequence[tuple[int, int]], *, now: int) -> None:
    execute_given(
        connection,
        "UPDATE messages SET state = 'submitting', submission_id = given.new_submission, "
        "attempts = attempts + 1, changed_at = given.instant, code = NULL, detail = NULL "
        "FROM given WHERE messages.id = given.message",
        columns={"message": "bigint", "new_submission": "bigint", "instant": "bigint"},
        rows=[(message, submission, now) for message, submission in pairs],
    )
    connection.execute(
        update(BATCHES)
        .where(BATCHES.c.id == held.batch_id)
        .values(queued=BATCHES.c.queued - len(pairs), submitting=BATCHES.c.submitting + len(pairs))
    )
