"""Settling by a person: what is unknown, since when, and what an operator orders to become of it.

Nothing here sends: at most a message is queued again, because an operator ordered it. What the gateway itself
can be asked is in ``asking``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select, update

from worker.errors import InputError
from worker.ledger import notices, outcomes
from worker.ledger.engine import now_ms
from worker.ledger.gone import is_gone
from worker.ledger.locks import lock_batch
from worker.ledger.models import BATCHES, LARGEST_ID, MESSAGES, SUBMISSIONS
from worker.ledger.orders import Counted
from worker.ledger.reports import stored_id
from worker.ledger.values import MessageOutcome, SubmissionResult
from worker.states import MessageState, SubmissionOutcome

SETTLED = "settled"
"""The code of a message that a person settled."""
RESENT = "resent"
"""The code of a request whose messages a person ordered to be sent again: they may arrive twice."""
_SETTLED_AT_ONCE = 500  # messages: SQLite's write lock is not to be held for longer than 50 ms


@dataclass(frozen=True, kw_only=True)
class UnknownMessage:
    """A message that waits to be settled. Instants are epoch milliseconds."""

    id: int
    campaign_id: int
    provider: str  # that it was sent through
    login: str | None  # at its gateway; None: nobody knows
    msisdn: str
    line: int
    since: int
    age_ms: int
    is_final: bool  # nobody but a person settles it any more
    reference: str
    code: str | None
    detail: str | None
    asked_at: int | None


def unknown(
    connection: Connection, *, campaign_id: int | None = None, limit: int, patience_ms: int
) -> list[UnknownMessage]:
    """Return messages that are unknown, oldest first."""
    age = (now_ms() - MESSAGES.c.changed_at).label("age_ms")
    names = ("id", "campaign_id", "msisdn", "line", "code", "detail")
    query = (
        select(
            *(MESSAGES.c[name] for name in names),
            MESSAGES.c.changed_at.label("since"),
            age,
            SUBMISSIONS.c.reference,
            SUBMISSIONS.c.provider,
            SUBMISSIONS.c.login,
            SUBMISSIONS.c.asked_at,
        )
        .select_from(BATCHES)
        .join(MESSAGES, MESSAGES.c.batch_id == BATCHES.c.id)
        .join(SUBMISSIONS, SUBMISSIONS.c.id == MESSAGES.c.submission_id)
        .where(*is_unknown(campaign_id))
        .order_by(MESSAGES.c.changed_at, MESSAGES.c.id)
        .limit(limit)
    )
    return [
        UnknownMessage(**row, is_final=row["age_ms"] >= patience_ms)
        for row in connection.execute(query).mappings()
    ]


def require_unknown(connection: Connection, message_ids: Sequence[int]) -> None:
    """Refuse to go on unless every one of the messages is unknown.

    Raises:
        InputError: the sentence names those that are not.
    """
    wanted = {min(each, LARGEST_ID) for each in message_ids}
    query = select(MESSAGES.c.id).where(MESSAGES.c.id.in_(wanted), MESSAGES.c.state == MessageState.UNKNOWN)
    others = sorted(wanted - set(connection.scalars(query)))
    if others:
        raise InputError(
            f"Not unknown, hence not to be settled: {', '.join(map(str, others[:10]))}; "
            "see `bulksend unknown list`",
            code="not_unknown",
        )


def n_gone(
    connection: Connection, *, campaign_id: int | None = None, message_ids: Sequence[int] | None = None
) -> int:
    """Count unknown messages whose numbers were removed: to be sent again, they are cancelled instead."""
    query = select(func.count()).join_from(BATCHES, MESSAGES, MESSAGES.c.batch_id == BATCHES.c.id)
    meant = [] if message_ids is None else [MESSAGES.c.id.in_(message_ids)]
    return int(connection.scalar(query.where(*is_unknown(campaign_id), *meant, is_gone())) or 0)


def settle(  # noqa: PLR0913 - three ways to say which are meant
    connection: Connection,
    target: MessageState,
    *,
    author: str,
    campaign_id: int | None = None,
    message_ids: Sequence[int] | None = None,
    until: int | None = None,
    order: Counted | None = None,
) -> int | None:
    """Settle unknown messages of one batch as a person orders; return how many, None when none is left.

    Args:
        connection: of an open transaction; one for each call, until it returns None.
        target: ACCEPTED, FAILED, or QUEUED to send them again, at the risk of sending them twice. In a
            cancelled campaign, or without a number, they are cancelled instead of queued.
        author: who orders it.
        campaign_id: all of this campaign.
        message_ids: only these.
        until: only what has not changed since this instant of the database's clock, in epoch milliseconds:
            what is sent again and becomes unknown once more is not what was ordered.
        order: whose line tells how many; one for all calls.
    """
    first = (
        select(func.min(BATCHES.c.id))
        .select_from(BATCHES)
        .join(MESSAGES, MESSAGES.c.batch_id == BATCHES.c.id)
    )
    meant: list[ColumnElement[bool]] = []
    if message_ids is not None:
        meant.append(MESSAGES.c.id.in_(message_ids))
    if until is not None:
        meant.append(MESSAGES.c.changed_at <= until)
    batch_id = connection.scalar(first.where(*is_unknown(campaign_id), *meant))
    if batch_id is None:
        return None
    is_resent = target is MessageState.QUEUED
    lock_batch(connection, batch_id, alone=is_resent)  # what the gateway has said meanwhile counts for more
    query = (
        select(MESSAGES.c.id, SUBMISSIONS.c.reference)
        .join(SUBMISSIONS, SUBMISSIONS.c.id == MESSAGES.c.submission_id)
        .where(MESSAGES.c.batch_id == batch_id, MESSAGES.c.state == MessageState.UNKNOWN, *meant)
        .order_by(MESSAGES.c.id)
        .limit(_SETTLED_AT_ONCE)
    )
    by_reference: dict[str, list[int]] = {}
    for message_id, reference in connection.execute(query):
        by_reference.setdefault(reference, []).append(message_id)
    results = [
        _said_of(reference, ids, target, code=SETTLED, detail=f"by {author}")
        for reference, ids in by_reference.items()
    ]
    n_settled = outcomes.record(connection, results) if results else 0
    if is_resent:
        resent = update(SUBMISSIONS).where(SUBMISSIONS.c.reference.in_(list(by_reference)))
        connection.execute(resent.values(code=RESENT))
        notices.want_of_queued(connection, [each for ids in by_reference.values() for each in ids])
    if order:
        order.add(connection, _campaign_of(connection, batch_id), n_settled)
    return n_settled


def _campaign_of(connection: Connection, batch_id: int) -> int:
    query = select(BATCHES.c.campaign_id).where(BATCHES.c.id == batch_id)
    return int(connection.execute(query).scalar_one())


def ages(connection: Connection) -> dict[str, tuple[int, int]]:
    """Return, by provider, how many messages are unknown and since when the oldest is, in milliseconds."""
    query = (
        select(SUBMISSIONS.c.provider, func.count(), func.min(MESSAGES.c.changed_at))
        .select_from(BATCHES)
        .join(MESSAGES, MESSAGES.c.batch_id == BATCHES.c.id)
        .join(SUBMISSIONS, SUBMISSIONS.c.id == MESSAGES.c.submission_id)
        .where(*is_unknown(None))
        .group_by(SUBMISSIONS.c.provider)
    )
    return {provider: (int(n), int(since)) for provider, n, since in connection.execute(query)}


def is_unknown(campaign_id: int | None) -> list[ColumnElement[bool]]:
    """Return the conditions of an unknown message, of one campaign or of all; BATCHES is joined."""
    found = [BATCHES.c.unknown > 0, MESSAGES.c.state == MessageState.UNKNOWN]
    if campaign_id is not None:
        found.append(BATCHES.c.campaign_id == stored_id(campaign_id))
    return found


def _said_of(
    reference: str, message_ids: Iterable[int], state: MessageState, *, code: str, detail: str | None = None
) -> SubmissionResult:
    """Say the same of messages of one request, which itself stays unknown."""
    return SubmissionResult(
        reference=reference,
        outcome=SubmissionOutcome.UNKNOWN,
        messages=tuple(
            MessageOutcome(
                message_id=each,
                state=state,
                keeps_attempt=state is not MessageState.QUEUED,
                code=code,
                detail=detail,
            )
            for each in message_ids
        ),
    )
