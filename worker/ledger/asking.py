"""Asking the gateway what became of requests of which nobody knows whether it has them, by our reference.

Nothing here sends: at most a message is queued again, after the quarantine and on proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Row, RowMapping, Select, func, or_, select, update

from worker.ledger import outcomes
from worker.ledger.accounts import make_sure_of, sharing
from worker.ledger.engine import now_ms
from worker.ledger.models import ACCOUNTS, BATCHES, MESSAGES, SUBMISSIONS
from worker.ledger.settling import SETTLED, is_unknown
from worker.ledger.values import MessageOutcome, SubmissionResult
from worker.states import PROVEN, MessageState, SubmissionOutcome

_NEVER_RECEIVED_TO_QUEUE = 2
_APART_MS = 60_000  # between two answers that a request was never received
_ASKED_AT_ONCE = 500  # messages: SQLite's write lock is not to be held for longer than 50 ms
_LOOKED_THROUGH = 500_000  # requests: a twentieth of a second
_SLOWER = 8  # what has been unknown for 8 hours is asked about every hour


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request that may have been accepted: its reference, when it left, and its messages by number."""

    submission_id: int
    reference: str
    sent_at: int  # epoch milliseconds
    messages: Mapping[str, int]


def to_ask(
    connection: Connection, provider: str, *, settle_ms: int, interval_ms: int, patience_ms: int
) -> list[Asked]:
    """Return requests of a provider that are unknown, oldest first, if any of them is to be asked about now.

    A request is due ``settle_ms`` after it became unknown, then every ``interval_ms``, in time less often,
    and after ``patience_ms`` no more. Each is whole, with all of its messages that are unknown; there are no
    more than go into one transaction.
    """
    is_young = now_ms() - MESSAGES.c.changed_at < patience_ms
    unknown = _requests(provider).where(*is_unknown(None), is_young)
    due = unknown.where(_is_due(settle_ms=settle_ms, interval_ms=interval_ms))
    if connection.execute(due.limit(1)).one_or_none() is None:
        return []
    longest_asked = func.coalesce(SUBMISSIONS.c.asked_at, 0), SUBMISSIONS.c.id
    sizes = unknown.with_only_columns(SUBMISSIONS.c.id, func.count()).group_by(SUBMISSIONS.c.id)
    chosen = _first_whole(connection.execute(sizes.order_by(*longest_asked).limit(_ASKED_AT_ONCE)))
    found = unknown.where(SUBMISSIONS.c.id.in_(chosen)).order_by(*longest_asked, MESSAGES.c.id)
    return _grouped(connection.execute(found).mappings())


def _first_whole(sizes: Iterable[Row[int, int]]) -> list[int]:
    """Return the first requests, at least one, that have no more messages together than go at once."""
    chosen: list[int] = []
    n_messages = 0
    for submission_id, size in sizes:
        n_messages += size
        if chosen and n_messages > _ASKED_AT_ONCE:
            break
        chosen.append(submission_id)
    return chosen


def known_control(connection: Connection, provider: str) -> list[Asked]:
    """Return the newest request that the gateway itself said it accepted, for comparison; or nothing.

    It is looked for among the newest of all: no index knows whose a request is.
    """
    said_so = MESSAGES.c.state.in_(sorted(PROVEN)) & (func.coalesce(MESSAGES.c.code, "") != SETTLED)
    ours = select(MESSAGES.c.id).where(MESSAGES.c.submission_id == SUBMISSIONS.c.id, said_so)
    every = SUBMISSIONS.alias()
    last = select(func.max(every.c.id)).scalar_subquery()
    newest = (
        select(SUBMISSIONS.c.id)
        .where(SUBMISSIONS.c.id > last - _LOOKED_THROUGH, SUBMISSIONS.c.provider == provider)
        .where(SUBMISSIONS.c.outcome == SubmissionOutcome.ANSWERED, ours.exists())
        .order_by(SUBMISSIONS.c.id.desc())
        .limit(1)
    )
    query = _requests(provider).where(SUBMISSIONS.c.id == newest.scalar_subquery(), said_so)
    return _grouped(connection.execute(query).mappings())


def _requests(provider: str) -> Select[tuple[int, str, int, str, int]]:
    return (
        select(
            SUBMISSIONS.c.id.label("submission_id"),
            SUBMISSIONS.c.reference,
            SUBMISSIONS.c.started_at,
            MESSAGES.c.msisdn,
            MESSAGES.c.id.label("message_id"),
        )
        .select_from(BATCHES)
        .join(MESSAGES, MESSAGES.c.batch_id == BATCHES.c.id)
        .join(SUBMISSIONS, SUBMISSIONS.c.id == MESSAGES.c.submission_id)
        .where(SUBMISSIONS.c.provider == provider)
    )


def _is_due(*, settle_ms: int, interval_ms: int) -> ColumnElement[bool]:
    age = now_ms() - MESSAGES.c.changed_at
    since_asked = now_ms() - SUBMISSIONS.c.asked_at
    again = (since_asked >= interval_ms) & (since_asked * _SLOWER >= age)
    return (age >= settle_ms) & or_(SUBMISSIONS.c.asked_at.is_(None), again)


def _grouped(rows: Iterable[RowMapping]) -> list[Asked]:
    heads: dict[int, tuple[str, int]] = {}
    messages: dict[int, dict[str, int]] = {}
    for row in rows:
        heads[row["submission_id"]] = (row["reference"], row["started_at"])
        messages.setdefault(row["submission_id"], {})[row["msisdn"]] = row["message_id"]
    return [
        Asked(submission_id=each, reference=reference, sent_at=sent_at, messages=messages[each])
        for each, (reference, sent_at) in heads.items()
    ]


def claim_look_up(connection: Connection, provider: str, *, interval_ms: int) -> bool:
    """Say whether the gateway may be asked now, and by us: once in an interval in the whole system.

    The gateway counts by login, so the first of the providers that share it stands for all of them.
    """
    make_sure_of(connection, provider)
    first = sharing(connection, provider)[0]
    due = update(ACCOUNTS).where(ACCOUNTS.c.provider == first, ACCOUNTS.c.asked_at <= now_ms() - interval_ms)
    return connection.execute(due.values(asked_at=now_ms())).rowcount == 1


def note_asked(connection: Connection, submission_ids: Sequence[int]) -> None:
    """Remember when requests were asked about, whatever the answer."""
    asked = update(SUBMISSIONS).where(SUBMISSIONS.c.id.in_(submission_ids))
    connection.execute(asked.values(asked_at=now_ms()))


def note_missing(connection: Connection, missing: Sequence[Asked], *, quarantine_ms: int) -> int:
    """Count an answer that proves requests were never received; return how many messages are queued again.

    It counts when the messages have been unknown for the quarantine, and the second one a minute or more
    after the first. Only for a gateway whose answer is proof, in a call that found what it is known to have.
    What is queued again is in no doubt any more, as far as this request goes.
    """
    outcomes.lock_batches_of(connection, [number for each in missing for number in each.messages.values()])
    ids = [each.submission_id for each in missing]
    young = select(MESSAGES.c.id).where(
        MESSAGES.c.submission_id == SUBMISSIONS.c.id,
        MESSAGES.c.state == MessageState.UNKNOWN,
        MESSAGES.c.changed_at > now_ms() - quarantine_ms,
    )
    apart = or_(SUBMISSIONS.c.missing_at.is_(None), SUBMISSIONS.c.missing_at <= now_ms() - _APART_MS)
    counted = update(SUBMISSIONS).where(SUBMISSIONS.c.id.in_(ids), ~young.exists(), apart)
    connection.execute(counted.values(missing_at=now_ms(), n_missing=SUBMISSIONS.c.n_missing + 1))
    proven = select(SUBMISSIONS.c.id).where(
        SUBMISSIONS.c.id.in_(ids), SUBMISSIONS.c.n_missing >= _NEVER_RECEIVED_TO_QUEUE
    )
    never = set(connection.scalars(proven))
    results = [_never_received(each) for each in missing if each.submission_id in never]
    return outcomes.record(connection, results) if results else 0


def _never_received(asked: Asked) -> SubmissionResult:
    messages = tuple(
        MessageOutcome(
            message_id=each,
            state=MessageState.QUEUED,
            keeps_attempt=False,
            ends_doubt=True,
            code="never_received",
        )
        for each in asked.messages.values()
    )
    return SubmissionResult(reference=asked.reference, outcome=SubmissionOutcome.UNKNOWN, messages=messages)
