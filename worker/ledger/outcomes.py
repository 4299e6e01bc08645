"""Outcomes: what became of submissions. Valid from anybody at any time: a fence never discards the truth."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, Select, func, select, update

from worker.ledger import failover
from worker.ledger.changes import Before, Change, judged
from worker.ledger.engine import now_of
from worker.ledger.given import execute_given
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES, SUBMISSIONS
from worker.ledger.values import SubmissionResult
from worker.states import BatchState, CampaignState, MessageState

_log = logging.getLogger(__name__)


def record(
    connection: Connection, results: Sequence[SubmissionResult], *, providers: Collection[str] | None = None
) -> int:
    """Write the outcomes of submissions in one transaction; return how many messages changed.

    An acceptance counts from any submission of a message, everything else from the current one. A message
    that returns to QUEUED reopens or lowers its batch here and now, and one that is given up goes to the
    fallback of its campaign, if that is one of ``providers`` (None: of any), or fails. A reference that the
    ledger does not know changes nothing: its mark was never committed.
    """
    ids = sorted({outcome.message_id for result in results for outcome in result.messages})
    lock_batches_of(connection, ids)
    now = now_of(connection)
    _end_submissions(connection, results, now=now)
    submissions = _submissions(connection, results)
    changes, doubled = judged(_lock_messages(connection, ids), results, submissions)
    changes = _resolved(connection, changes, providers=providers)
    _write_messages(connection, changes, now=now)
    _raise_alarm(connection, doubled)
    _keep_earlier(connection, changes)
    _count(connection, changes, now=now)
    failover.hop(connection, [change.before.id for change in changes if change.hops], now=now)
    return len(changes)


def lock_batches_of(connection: Connection, message_ids: Sequence[int]) -> None:
    """Lock campaigns and batches first: the lock order is campaign, batch, submission, message."""
    _lock(connection, select(MESSAGES.c.batch_id).where(MESSAGES.c.id.in_(message_ids)))


def lock_batch(connection: Connection, batch_id: int) -> None:
    """Lock one batch with its campaign, before its rows are read: nobody's word comes in between then."""
    _lock(connection, select(BATCHES.c.id).where(BATCHES.c.id == batch_id))


def _lock(connection: Connection, batch_ids: Select[int]) -> None:
    """Lock batches for us alone, and their campaigns shared.

    None of these may become cancelled between our look at it and our commit.
    """
    shared = CAMPAIGNS.c.id.in_(select(BATCHES.c.campaign_id).where(BATCHES.c.id.in_(batch_ids)))
    query = select(CAMPAIGNS.c.id).where(shared).order_by(CAMPAIGNS.c.id)
    connection.execute(query.with_for_update(read=True)).all()
    ours = select(BATCHES.c.id).where(BATCHES.c.id.in_(batch_ids)).order_by(BATCHES.c.id)
    connection.execute(ours.with_for_update()).all()


_ENDED = {"result": "text", "new_ref": "text", "new_code": "text", "new_detail": "text", "instant": "bigint"}


def _end_submissions(connection: Connection, results: Sequence[SubmissionResult], *, now: int) -> None:
    execute_given(
        connection,
        "UPDATE submissions SET outcome = given.result, ended_at = given.instant, "
        "provider_ref = COALESCE(given.new_ref, provider_ref), "
        "code = CASE WHEN code = 'resent' THEN code "
        "ELSE COALESCE(given.new_code, CASE given.result WHEN 'unknown' THEN code END) END, "
        "detail = COALESCE(given.new_detail, CASE given.result WHEN 'unknown' THEN detail END) FROM given "
        "WHERE submissions.reference = given.ours AND submissions.outcome IN ('open', 'unknown')",
        columns={"ours": "text", **_ENDED},
        rows=[(r.reference, r.outcome.value, r.provider_ref, r.code, r.detail, now) for r in results],
    )


def _submissions(connection: Connection, results: Sequence[SubmissionResult]) -> dict[str, int]:
    query = select(SUBMISSIONS.c.reference, SUBMISSIONS.c.id)
    query = query.where(SUBMISSIONS.c.reference.in_([result.reference for result in results]))
    return {reference: int(number) for reference, number in connection.execute(query)}


def _lock_messages(connection: Connection, ids: Sequence[int]) -> dict[int, Before]:
    columns = MESSAGES.c
    query = (
        select(
            columns.id,
            columns.batch_id,
            columns.state,
            columns.submission_id,
            columns.n_doubts,
            CAMPAIGNS.c.state.label("campaign"),
        )
        .join(CAMPAIGNS, CAMPAIGNS.c.id == columns.campaign_id)
        .where(columns.id.in_(ids))
        .order_by(columns.id)
        .with_for_update(of=MESSAGES)
    )
    return {
        row.id: Before(
            id=row.id,
            batch_id=row.batch_id,
            state=MessageState(row.state),
            submission_id=row.submission_id,
            n_doubts=row.n_doubts,
            is_cancelled=row.campaign == CampaignState.CANCELLED,
        )
        for row in connection.execute(query)
    }


def _resolved(
    connection: Connection, changes: Sequence[Change], *, providers: Collection[str] | None
) -> list[Change]:
    """Decide for messages that are given up: to the fallback, or failed."""
    ids = [change.before.id for change in changes if change.is_given_up and not change.has_doubts]
    may_hop = failover.may_hop(connection, ids, providers=providers) if ids else set()
    return [
        change.handed_over(is_possible=change.before.id in may_hop) if change.is_given_up else change
        for change in changes
    ]


_CHANGED = {
    "message": "bigint",
    "new_state": "text",
    "proof": "bigint",
    "doubts": "int",
    "new_due": "bigint",
    "uncounted": "int",
    "new_limit": "int",
    "new_ref": "text",
    "new_parts": "int",
    "new_cost": "text",
    "new_code": "text",
    "new_detail": "text",
    "instant": "bigint",
}


def _write_messages(connection: Connection, changes: Sequence[Change], *, now: int) -> None:
    execute_given(
        connection,
        "UPDATE messages SET state = given.new_state, due_at = COALESCE(given.new_due, due_at), "
        "submission_id = given.proof, n_doubts = n_doubts + given.doubts, "
        "attempts = attempts - given.uncounted, group_limit = COALESCE(given.new_limit, group_limit), "
        "provider_ref = COALESCE(given.new_ref, provider_ref), "
        "billed_parts = COALESCE(given.new_parts, billed_parts), "
        "billed_cost = COALESCE(given.new_cost, billed_cost), "
        "code = given.new_code, detail = given.new_detail, changed_at = given.instant "
        "FROM given WHERE messages.id = given.message",
        columns=_CHANGED,
        rows=[_changed(change, now=now) for change in changes],
    )


def _raise_alarm(connection: Connection, doubled: Collection[int]) -> None:
    """Mark messages that may have been sent twice, and say so once."""
    if not doubled:
        return
    news = update(MESSAGES).where(MESSAGES.c.id.in_(doubled), MESSAGES.c.is_doubled.is_(False))
    found = connection.scalars(news.values(is_doubled=True).returning(MESSAGES.c.id))
    for message_id in sorted(found):
        _log.error("message doubled", extra={"message_id": message_id})


def _keep_earlier(connection: Connection, changes: Sequence[Change]) -> None:
    """Keep the submission that was current before another one was proven to be accepted."""
    links = [
        (change.before.id, change.before.submission_id)
        for change in changes
        if change.before.submission_id not in {None, change.submission_id}
    ]
    if links:
        execute_given(
            connection,
            "INSERT INTO earlier_submissions (message_id, submission_id) "
            "SELECT given.message, given.former FROM given WHERE true ON CONFLICT DO NOTHING",
            columns={"message": "bigint", "former": "bigint"},
            rows=links,
        )


def _changed(change: Change, *, now: int) -> tuple[object, ...]:
    """Give the cells of one change in the order of ``_CHANGED``."""
    outcome = change.outcome
    return (
        change.before.id,
        change.state.value,
        change.submission_id,
        change.doubts,
        now + outcome.delay_ms if change.state is MessageState.QUEUED else None,
        0 if outcome.keeps_attempt else 1,
        outcome.group_limit,
        outcome.provider_ref,
        outcome.billed_parts,
        None if outcome.billed_cost is None else str(outcome.billed_cost),
        outcome.code,
        outcome.detail,
        now,
    )


def _count(connection: Connection, changes: Sequence[Change], *, now: int) -> None:
    """Move the counters of each batch by what its rows did, and reopen it for rows that are queued again."""
    moves: dict[int, Counter[str]] = {}
    due: dict[int, int] = {}
    for change in changes:
        moved = moves.setdefault(change.before.batch_id, Counter())
        moved[change.before.state.value] -= 1
        moved[change.state.value] += 1
        if change.state is MessageState.QUEUED and not change.hops:
            instant = now + change.outcome.delay_ms
            due[change.before.batch_id] = min(instant, due.get(change.before.batch_id, 2**62))
    for batch_id, moved in sorted(moves.items()):
        values = {name: BATCHES.c[name] + n for name, n in moved.items() if n}
        connection.execute(update(BATCHES).where(BATCHES.c.id == batch_id).values(**values, lost_leases=0))
    for batch_id, instant in sorted(due.items()):
        reopen(connection, batch_id, due_at=instant)


def reopen(connection: Connection, batch_id: int, *, due_at: int) -> None:
    """Make sure that a batch which holds a queued row again is not done, and is due no later than the row."""
    earlier = func.min if connection.dialect.name == "sqlite" else func.least
    connection.execute(
        update(BATCHES)
        .where(BATCHES.c.id == batch_id)
        .values(next_due_at=earlier(BATCHES.c.next_due_at, due_at))
    )
    connection.execute(
        update(BATCHES)
        .where(BATCHES.c.id == batch_id, BATCHES.c.state == BatchState.DONE)
        .values(state=BatchState.OPEN, next_due_at=due_at, n_hints=0, published_at=None)
    )
