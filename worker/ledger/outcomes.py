"""Outcomes: what became of submissions. Valid from anybody at any time: a fence never discards the truth."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, Row, select, update

from worker.ledger import failover, optouts
from worker.ledger.changes import Before, Change, judged
from worker.ledger.counters import count
from worker.ledger.engine import control_lock, now_of
from worker.ledger.given import execute_given
from worker.ledger.gone import is_gone
from worker.ledger.locks import lock_batches_of
from worker.ledger.models import CAMPAIGNS, MESSAGES, SUBMISSIONS
from worker.ledger.scopes import ALL, of_sender
from worker.ledger.values import MessageOutcome, SubmissionResult
from worker.states import (
    PROVEN,
    CampaignState,
    MessageState,
    OptOutSource,
    SubmissionOutcome,
    Taking,
)
from worker.text.targets import kind_of

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
    said = [outcome for result in results for outcome in result.messages]
    ids = sorted({outcome.message_id for outcome in said})
    if any(outcome.stops for outcome in said):
        control_lock(connection, shared=False)  # the first of all locks
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
    count(connection, changes, batches={row.id: row.batch_id for row in requests}, now=now)
    failover.hop(connection, [change.before.id for change in changes if change.hops], now=now)
    _stop(connection, [change.outcome for change in changes if change.outcome.stops])
    return len(changes)


def _stop(connection: Connection, said: Sequence[MessageOutcome]) -> None:
    """Note who wants no more of what was sent, by the gateway's word."""
    if not said:
        return
    by_id = {outcome.message_id: outcome for outcome in said}
    query = (
        select(MESSAGES.c.id, MESSAGES.c.msisdn, CAMPAIGNS.c.sender, SUBMISSIONS.c.provider)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
        .join(SUBMISSIONS, SUBMISSIONS.c.id == MESSAGES.c.submission_id)
        .where(MESSAGES.c.id.in_(sorted(by_id)))
    )
    new = [
        optouts.NewOptOut(
            scope=of_sender(row.sender) if by_id[row.id].stops == "sender" else ALL,
            source=OptOutSource.GATEWAY,
            msisdn=row.msisdn,
            provider=row.provider,
        )
        for row in connection.execute(query)
        if not kind_of(row.msisdn)
    ]
    optouts.add(connection, new, keeps_numbers=all(outcome.keeps_number for outcome in said))


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
            columns.withdrawn,
            CAMPAIGNS.c.state.label("campaign"),
            is_gone().label("is_gone"),
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
            is_cancelled=row.campaign == CampaignState.CANCELLED or bool(row.is_gone),
            withdrawn=row.withdrawn,
        )
        for row in connection.execute(query)
    }


def _resolved(
    connection: Connection, changes: Sequence[Change], *, providers: Collection[str] | None
) -> list[Change]:
    """Decide for messages that are given up: to the fallback, or failed.

    What could go to the fallback, and is to leave at another time, stays queued for that.
    """
    ids = [change.before.id for change in changes if change.is_given_up and not change.has_doubts]
    may_hop = failover.may_hop(connection, ids, providers=providers) if ids else set()
    waits = failover.being_rescheduled(connection, may_hop) if may_hop else set()
    return [
        change.handed_over(is_possible=change.before.id in may_hop)
        if change.is_given_up and change.before.id not in waits
        else change
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
        change.code,
        outcome.detail,
        now,
    )
