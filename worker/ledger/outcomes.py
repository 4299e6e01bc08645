"""Outcomes: what became of submissions. Valid from anybody at any time: a fence never discards the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, RowMapping, func, select, update

from worker.ledger.engine import now_ms
from worker.ledger.given import execute_given
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES
from worker.ledger.values import MessageOutcome, SubmissionResult
from worker.states import BatchState, CampaignState, MessageState, after_outcome


def record(connection: Connection, results: Sequence[SubmissionResult]) -> int:
    """Write the outcomes of submissions in one transaction; return how many messages changed.

    An acceptance counts from any submission of a message, everything else from the current one. A message
    that returns to QUEUED reopens or lowers its batch here and now.
    """
    ids = sorted({outcome.message_id for result in results for outcome in result.messages})
    _lock_batches(connection, ids)
    now = int(connection.execute(select(now_ms())).scalar_one())
    _end_submissions(connection, results, now=now)
    changes = _changes(_lock_messages(connection, ids), results)
    _write_messages(connection, changes, now=now)
    _count(connection, changes, now=now)
    return len(changes)


_Change = tuple[RowMapping, MessageOutcome, MessageState]


def _lock_batches(connection: Connection, message_ids: Sequence[int]) -> None:
    """Lock campaigns and batches first: the lock order is campaign, batch, submission, message.

    The campaigns are locked shared: none may become cancelled between our look at it and our commit.
    """
    concerned = MESSAGES.c.id.in_(message_ids)
    shared = CAMPAIGNS.c.id.in_(select(MESSAGES.c.campaign_id).where(concerned))
    query = select(CAMPAIGNS.c.id).where(shared).order_by(CAMPAIGNS.c.id)
    connection.execute(query.with_for_update(read=True)).all()
    ours = BATCHES.c.id.in_(select(MESSAGES.c.batch_id).where(concerned))
    connection.execute(select(BATCHES.c.id).where(ours).order_by(BATCHES.c.id).with_for_update()).all()


_ENDED = {"result": "text", "new_ref": "text", "new_code": "text", "new_detail": "text", "instant": "bigint"}


def _end_submissions(connection: Connection, results: Sequence[SubmissionResult], *, now: int) -> None:
    execute_given(
        connection,
        "UPDATE submissions SET outcome = given.result, provider_ref = given.new_ref, code = given.new_code, "
        "detail = given.new_detail, ended_at = given.instant FROM given "
        "WHERE submissions.id = given.submission AND submissions.outcome IN ('open', 'unknown')",
        columns={"submission": "bigint", **_ENDED},
        rows=[(r.submission_id, r.outcome.value, r.provider_ref, r.code, r.detail, now) for r in results],
    )


def _lock_messages(connection: Connection, ids: Sequence[int]) -> dict[int, RowMapping]:
    columns = MESSAGES.c
    query = (
        select(
            columns.id,
            columns.batch_id,
            columns.state,
            columns.submission_id,
            CAMPAIGNS.c.state.label("campaign"),
        )
        .join(CAMPAIGNS, CAMPAIGNS.c.id == columns.campaign_id)
        .where(columns.id.in_(ids))
        .order_by(columns.id)
        .with_for_update(of=MESSAGES)
    )
    return {row["id"]: row for row in connection.execute(query).mappings()}


def _changes(rows: Mapping[int, RowMapping], results: Sequence[SubmissionResult]) -> list[_Change]:
    """Judge outcome after outcome; where several concern one message, the last that changes it is written."""
    changes: dict[int, _Change] = {}
    for result in results:
        for outcome in result.messages:
            row = rows.get(outcome.message_id)
            if row is None:
                continue
            before = changes[row["id"]][2] if row["id"] in changes else MessageState(row["state"])
            state = _next_state(row, before, outcome, submission_id=result.submission_id)
            if state is not None:
                changes[row["id"]] = (row, outcome, state)
    return list(changes.values())


def _next_state(
    row: RowMapping, before: MessageState, outcome: MessageOutcome, *, submission_id: int
) -> MessageState | None:
    return after_outcome(
        before,
        outcome.state,
        is_current=row["submission_id"] == submission_id,
        is_cancelled=row["campaign"] == CampaignState.CANCELLED,
    )


_CHANGED = {
    "message": "bigint",
    "new_state": "text",
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


def _write_messages(connection: Connection, changes: Sequence[_Change], *, now: int) -> None:
    execute_given(
        connection,
        "UPDATE messages SET state = given.new_state, due_at = COALESCE(given.new_due, due_at), "
        "attempts = attempts - given.uncounted, group_limit = COALESCE(given.new_limit, group_limit), "
        "provider_ref = COALESCE(given.new_ref, provider_ref), "
        "billed_parts = COALESCE(given.new_parts, billed_parts), "
        "billed_cost = COALESCE(given.new_cost, billed_cost), "
        "code = given.new_code, detail = given.new_detail, changed_at = given.instant "
        "FROM given WHERE messages.id = given.message",
        columns=_CHANGED,
        rows=[_changed(row, outcome, state, now=now) for row, outcome, state in changes],
    )


def _changed(
    row: RowMapping, outcome: MessageOutcome, state: MessageState, *, now: int
) -> tuple[object, ...]:
    """Give the cells of one change in the order of ``_CHANGED``."""
    return (
        row["id"],
        state.value,
        now + outcome.delay_ms if state is MessageState.QUEUED else None,
        0 if outcome.keeps_attempt else 1,
        outcome.group_limit,
        outcome.provider_ref,
        outcome.billed_parts,
        None if outcome.billed_cost is None else str(outcome.billed_cost),
        outcome.code,
        outcome.detail,
        now,
    )


def _count(connection: Connection, changes: Sequence[_Change], *, now: int) -> None:
    """Move the counters of each batch by what its rows did, and reopen it for rows that are queued again."""
    moves: dict[int, Counter[str]] = {}
    due: dict[int, int] = {}
    for row, outcome, state in changes:
        moved = moves.setdefault(row["batch_id"], Counter())
        moved[row["state"]] -= 1
        moved[state.value] += 1
        if state is MessageState.QUEUED:
            due[row["batch_id"]] = min(now + outcome.delay_ms, due.get(row["batch_id"], 2**62))
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
