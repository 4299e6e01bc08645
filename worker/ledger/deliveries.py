"""Delivery reports that gateways push: kept as they came, then matched with messages, as often as it takes.

What a report says is recorded as any outcome is: valid from anybody at any time, in any order. A report of no
message that is known changes nothing and is kept; it is looked at again for a while, since it may be of a
request whose answer is still on its way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, func, insert, select, union_all, update

from worker.ledger import outcomes
from worker.ledger.engine import now_ms, now_of
from worker.ledger.given import execute_given
from worker.ledger.matching import Kept, Match, Pushed, Read
from worker.ledger.models import LEDGER_KEYS, PUSHED_REPORTS, SUBMISSIONS
from worker.ledger.values import MessageOutcome, SubmissionResult
from worker.states import PushOutcome, SubmissionOutcome

PATIENCE_MS = 259_200_000
"""For 72 h a report of no known message is looked at again; gateways tell no longer than that either."""

_SOONEST_MS = 1000
_REPORTED = "reported"  # the code of a message of which the report gives no code


def receipts_key(connection: Connection) -> bytes:
    """Return the secret from which the addresses for delivery reports are derived."""
    query = select(LEDGER_KEYS.c.secret).where(LEDGER_KEYS.c.name == "receipts")
    return bytes.fromhex(connection.execute(query).scalar_one())


def append(connection: Connection, pushed: Sequence[Pushed]) -> None:
    """Keep calls as they came; they are read later."""
    now = now_of(connection)
    rows = [{**vars(each), "received_at": now, "due_at": now} for each in pushed]
    connection.execute(insert(PUSHED_REPORTS), rows)


def to_read(connection: Connection, providers: Collection[str], *, limit: int) -> list[Kept]:
    """Return calls of these providers that are to be read now, or again; those of others cost nothing."""
    if not providers:
        return []
    names = ("provider", "reference", "method", "query", "content_type", "body")
    columns = [PUSHED_REPORTS.c[name] for name in names]
    age_ms = (now_ms() - PUSHED_REPORTS.c.received_at).label("age_ms")
    now = now_of(connection)
    first = PUSHED_REPORTS.c.due_at, PUSHED_REPORTS.c.id
    due = select(PUSHED_REPORTS.c.id).where(PUSHED_REPORTS.c.due_at <= now).order_by(*first).limit(limit)
    of_each = [due.where(PUSHED_REPORTS.c.provider == name).subquery() for name in sorted(providers)]
    query = (
        select(PUSHED_REPORTS.c.id, age_ms, *columns)
        .where(PUSHED_REPORTS.c.id.in_(union_all(*map(select, of_each))))
        .order_by(*first)
        .limit(limit)
    )
    return [
        Kept(id=row["id"], age_ms=row["age_ms"], pushed=Pushed(**{name: row[name] for name in names}))
        for row in connection.execute(query).mappings()
    ]


def unread(connection: Connection, *, older_than_ms: int) -> int:
    """Count the calls that nobody has read for so long."""
    query = select(func.count()).where(
        PUSHED_REPORTS.c.due_at <= now_of(connection) - older_than_ms, PUSHED_REPORTS.c.outcome.is_(None)
    )
    return int(connection.execute(query).scalar_one())


def conclude(connection: Connection, read: Sequence[Read], found: Sequence[Match]) -> Counter[PushOutcome]:
    """Record what calls say, and what became of each call, in one transaction; return how many of each.

    Doing so again changes nothing.
    """
    if found:
        outcomes.record(connection, [_result(each) for each in found])
        _answer(connection, {each.reference for each in found})
        _note_messages(connection, found)
    matched = Counter(each.push_id for each in found)
    verdicts = [(each.kept, _verdict(each, n_matched=matched[each.kept.id])) for each in read]
    _note_pushes(connection, verdicts)
    return Counter(verdict for _, verdict in verdicts)


def _result(match: Match) -> SubmissionResult:
    """Say what became of the message, and nothing of the request: its answer may still be on its way."""
    outcome = MessageOutcome(
        message_id=match.message_id,
        state=match.told.state,
        code=match.told.code or _REPORTED,
        detail=match.told.detail,
        stops=match.told.stops,
        keeps_number=match.told.keeps_number,
    )
    return SubmissionResult(reference=match.reference, outcome=SubmissionOutcome.OPEN, messages=(outcome,))


def _answer(connection: Connection, references: Collection[str]) -> None:
    """Note of requests of which nobody knew that the gateway has told something."""
    unknown = update(SUBMISSIONS).where(
        SUBMISSIONS.c.reference.in_(sorted(references)), SUBMISSIONS.c.outcome == SubmissionOutcome.UNKNOWN
    )
    connection.execute(unknown.values(outcome=SubmissionOutcome.ANSWERED))


def _note_messages(connection: Connection, found: Sequence[Match]) -> None:
    rows = [
        (each.message_id, each.push_id, told.state.value, told.code, told.detail, told.told_at)
        for each in found
        for told in (each.told,)
    ]
    execute_given(
        connection,
        "INSERT INTO reported_messages (message_id, push_id, state, code, detail, told_at) "
        "SELECT given.message, given.push, given.said, given.new_code, given.new_detail, given.instant "
        "FROM given WHERE true ON CONFLICT DO NOTHING",
        columns={
            "message": "bigint",
            "push": "bigint",
            "said": "text",
            "new_code": "text",
            "new_detail": "text",
            "instant": "bigint",
        },
        rows=rows,
    )


def _verdict(read: Read, *, n_matched: int) -> PushOutcome:
    if not read.told:
        return PushOutcome.UNREADABLE
    return PushOutcome.MATCHED if n_matched == len(set(read.told)) else PushOutcome.UNKNOWN


def _note_pushes(connection: Connection, verdicts: Sequence[tuple[Kept, PushOutcome]]) -> None:
    now = now_of(connection)
    execute_given(
        connection,
        "UPDATE pushed_reports SET outcome = given.verdict, due_at = given.again, read_at = given.instant "
        "FROM given WHERE pushed_reports.id = given.push",
        columns={"push": "bigint", "verdict": "text", "again": "bigint", "instant": "bigint"},
        rows=[(kept.id, verdict.value, _again(kept, verdict, now=now), now) for kept, verdict in verdicts],
    )


def _again(kept: Kept, verdict: PushOutcome, *, now: int) -> int | None:
    """Return when to look again: after as long as it has waited so far."""
    if verdict is not PushOutcome.UNKNOWN or kept.age_ms >= PATIENCE_MS:
        return None
    return now + max(kept.age_ms, _SOONEST_MS)
