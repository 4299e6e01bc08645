"""Outcomes: what became of submissions. Valid from anybody at any time: a fence never discards the truth."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from sqlalchemy import Connection, Function, Row, func, select, update

from worker.ledger import failover
from worker.ledger.batches import first_leave_by
from worker.ledger.changes import Before, Change, judged
from worker.ledger.engine import now_of
from worker.ledger.given import execute_given
from worker.ledger.locks import lock_batches_of
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES, SUBMISSIONS
from worker.ledger.values import MessageOutcome, SubmissionResult
from worker.states import PROVEN, BatchState, CampaignState, MessageState, SubmissionOutcome, Taking

_log = logging.getLogger(__name__)
_FOLLOWED_SOON_MS = 120_000  # however rarely the rest of its batch is asked about


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
    lock_batches_of(connection, ids, references=[result.reference for result in results])
    now = now_of(connection)
    _end_submissions(connection, results, now=now)
    requests = _requests(connection, results)
    submissions = {row.reference: int(row.id) for row in requests}
    given_back = {row.id for row in requests if row.taken == Taking.BACK}
    found = _lock_messages(connection, ids)
    changes, doubled = judged(found, results, submissions, given_back=given_back)
    changes = _resolved(connection, changes, providers=providers)
    _write_messages(connection, changes, now=now)
    _complete(connection, results, submissions, changed={change.before.id for change in changes})
    _raise_alarm(connection, doubled)
    _keep_earlier(connection, changes)
    _count(connection, changes, batches={row.id: row.batch_id for row in requests}, now=now)
    failover.hop(connection, [change.before.id for change in changes if change.hops], now=now)
    return len(changes)


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
        rows=[
            (r.reference, r.outcome.value, r.provider_ref, r.code, r.detail, now)
            for r in results
            if r.outcome is not SubmissionOutcome.OPEN
        ],
    )


def _requests(
    connection: Connection, results: Sequence[SubmissionResult]
) -> Sequence[Row[str, int, int, str | None]]:
    columns = [SUBMISSIONS.c[name] for name in ("reference", "id", "batch_id", "taken")]
    query = select(*columns).where(SUBMISSIONS.c.reference.in_([result.reference for result in results]))
    return connection.execute(query).all()


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


def _complete(
    connection: Connection,
    results: Sequence[SubmissionResult],
    submissions: Mapping[str, int],
    *,
    changed: Collection[int],
) -> None:
    """Write what an acceptance says of the price where a delivery report was quicker than the answer."""
    rows = [
        (each.message_id, submissions[result.reference], each.provider_ref, each.billed_parts, _exact(each))
        for result in results
        if result.reference in submissions
        for each in result.messages
        if each.message_id not in changed and _tells_price(each)
    ]
    if rows:
        execute_given(
            connection,
            "UPDATE messages SET provider_ref = COALESCE(provider_ref, given.new_ref), "
            "billed_parts = COALESCE(billed_parts, given.new_parts), "
            "billed_cost = COALESCE(billed_cost, given.new_cost) "
            "FROM given WHERE messages.id = given.message AND messages.submission_id = given.carrier",
            columns={
                "message": "bigint",
                "carrier": "bigint",
                "new_ref": "text",
                "new_parts": "int",
                "new_cost": "text",
            },
            rows=rows,
        )


def _tells_price(outcome: MessageOutcome) -> bool:
    facts = (outcome.provider_ref, outcome.billed_parts, outcome.billed_cost)
    return outcome.state in PROVEN and any(fact is not None for fact in facts)


def _exact(outcome: MessageOutcome) -> str | None:
    return None if outcome.billed_cost is None else str(outcome.billed_cost)


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
        _exact(outcome),
        outcome.code,
        outcome.detail,
        now,
    )


def _count(
    connection: Connection, changes: Sequence[Change], *, batches: Mapping[int, int], now: int
) -> None:
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
        reopen(connection, batch_id, due_at=instant)


def reopen(connection: Connection, batch_id: int, *, due_at: int) -> None:
    """Make sure that a batch which holds a queued row again is not done, and is due no later than the row."""
    connection.execute(
        update(BATCHES)
        .where(BATCHES.c.id == batch_id)
        .values(next_due_at=_earlier(connection)(BATCHES.c.next_due_at, due_at), leave_by=first_leave_by())
    )
    connection.execute(
        update(BATCHES)
        .where(BATCHES.c.id == batch_id, BATCHES.c.state == BatchState.DONE)
        .values(state=BatchState.OPEN, next_due_at=due_at, n_hints=0, published_at=None)
    )


def _earlier(connection: Connection) -> Callable[..., Function[int]]:
    """Give the SQL function that returns the lesser of two numbers."""
    return func.min if connection.dialect.name == "sqlite" else func.least
