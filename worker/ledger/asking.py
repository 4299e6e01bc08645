"""Asking the gateway what became of requests of which nobody knows whether it has them, by our reference.

Nothing here sends: at most a message is queued again, after the quarantine and on proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Row, RowMapping, Select, case, func, or_, select, update

from worker.ledger import notices, orders, outcomes
from worker.ledger.accounts import make_sure_of, sharing
from worker.ledger.engine import now_ms
from worker.ledger.locks import lock_batches_of
from worker.ledger.models import ACCOUNTS, BATCHES, CAMPAIGNS, MESSAGES, SUBMISSIONS
from worker.ledger.orders import Counted
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


def to_ask(  # noqa: PLR0913 - whom, and the three times
    connection: Connection, provider: str, *, login: str, settle_ms: int, interval_ms: int, patience_ms: int
) -> list[Asked]:
    """Return requests of a provider that are unknown, oldest first, if any of them is to be asked about now.

    What another login than the provider's present one has sent is for a person. A request is due
    ``settle_ms`` after it became unknown, then every ``interval_ms``, in time less often, and after
    ``patience_ms`` no more. Each is whole, with all of its messages that are unknown; there are no more than
    go into one transaction.
    """
    is_young = now_ms() - MESSAGES.c.changed_at < patience_ms
    unknown = requests_of(provider).where(*is_unknown(None), is_young, may_be_of(login))
    due = unknown.where(_is_due(settle_ms=settle_ms, interval_ms=interval_ms))
    if connection.execute(due.limit(1)).one_or_none() is None:
        return []
    longest_asked = func.coalesce(SUBMISSIONS.c.asked_at, 0), SUBMISSIONS.c.id
    sizes = unknown.with_only_columns(SUBMISSIONS.c.id, func.count()).group_by(SUBMISSIONS.c.id)
    chosen = _first_whole(connection.execute(sizes.order_by(*longest_asked).limit(_ASKED_AT_ONCE)))
    found = unknown.where(SUBMISSIONS.c.id.in_(chosen)).order_by(*longest_asked, MESSAGES.c.id)
    return grouped(connection.execute(found).mappings())


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


def known_control(connection: Connection, provider: str, *, login: str, after: int) -> list[Asked]:
    """Return the next request after one that the gateway itself said it accepted, for comparison; or nothing.

    It is a younger one of the same login, to numbers: where it can be seen, what is as old or older can be
    seen too, and is not forgotten yet. No index knows whose a request is, so only some are looked through.
    """
    is_said = MESSAGES.c.state.in_(sorted(PROVEN)) & (func.coalesce(MESSAGES.c.code, "") != SETTLED)
    said_so = is_said & MESSAGES.c.msisdn.startswith("+")
    ours = select(MESSAGES.c.id).where(MESSAGES.c.submission_id == SUBMISSIONS.c.id, said_so)
    next_one = (
        select(SUBMISSIONS.c.id)
        .where(SUBMISSIONS.c.id > after, SUBMISSIONS.c.id <= after + _LOOKED_THROUGH)
        .where(SUBMISSIONS.c.provider == provider, SUBMISSIONS.c.login == login)
        .where(SUBMISSIONS.c.outcome == SubmissionOutcome.ANSWERED, ours.exists())
        .order_by(SUBMISSIONS.c.id)
        .limit(1)
    )
    query = requests_of(provider).where(SUBMISSIONS.c.id == next_one.scalar_subquery(), said_so)
    return grouped(connection.execute(query).mappings())


def requests_of(provider: str) -> Select[int, str, int, str, int]:
    """Select the requests of a provider with their messages, a row for each of these."""
    return requests().where(SUBMISSIONS.c.provider == provider)


def requests() -> Select[int, str, int, str, int]:
    """Select requests with their messages, a row for each of these.

    What a gateway was to keep until its time counts as sent then.
    """
    is_kept = CAMPAIGNS.c.leaves_at > SUBMISSIONS.c.started_at
    return (
        select(
            SUBMISSIONS.c.id.label("submission_id"),
            SUBMISSIONS.c.reference,
            case((is_kept, CAMPAIGNS.c.leaves_at), else_=SUBMISSIONS.c.started_at).label("sent_at"),
            MESSAGES.c.msisdn,
            MESSAGES.c.id.label("message_id"),
        )
        .select_from(BATCHES)
        .join(MESSAGES, MESSAGES.c.batch_id == BATCHES.c.id)
        .join(SUBMISSIONS, SUBMISSIONS.c.id == MESSAGES.c.submission_id)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
    )


def may_be_of(login: str) -> ColumnElement[bool]:
    """Say, as SQL, that a request is not known to have gone to another login."""
    return or_(SUBMISSIONS.c.login == login, SUBMISSIONS.c.login.is_(None))


def _is_due(*, settle_ms: int, interval_ms: int) -> ColumnElement[bool]:
    age = now_ms() - MESSAGES.c.changed_at
    since_asked = now_ms() - SUBMISSIONS.c.asked_at
    again = (since_asked >= interval_ms) & (since_asked * _SLOWER >= age)
    return (age >= settle_ms) & or_(SUBMISSIONS.c.asked_at.is_(None), again)


def grouped(rows: Iterable[RowMapping]) -> list[Asked]:
    """Put the rows of a selection of requests together, in its order."""
    heads: dict[int, tuple[str, int]] = {}
    messages: dict[int, dict[str, int]] = {}
    for row in rows:
        heads[row["submission_id"]] = (row["reference"], row["sent_at"])
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


def is_look_up_due(connection: Connection, provider: str, *, interval_ms: int) -> bool:
    """Say whether ``claim_look_up`` would let anybody ask; a plain read."""
    early = select(ACCOUNTS.c.provider).where(
        ACCOUNTS.c.provider == sharing(connection, provider)[0], ACCOUNTS.c.asked_at > now_ms() - interval_ms
    )
    return connection.execute(early).one_or_none() is None


def note_look_up(connection: Connection, provider: str) -> None:
    """Let the interval count from now, the end of a call: the gateway counts from when it got it."""
    ours = update(ACCOUNTS).where(ACCOUNTS.c.provider == sharing(connection, provider)[0])
    connection.execute(ours.values(asked_at=now_ms()))


def note_asked(connection: Connection, submission_ids: Sequence[int]) -> None:
    """Remember when requests were asked about, whatever the answer."""
    asked = update(SUBMISSIONS).where(SUBMISSIONS.c.id.in_(submission_ids))
    connection.execute(asked.values(asked_at=now_ms()))


def note_known(connection: Connection, submission_ids: Sequence[int]) -> None:
    """Remember that the gateway knows requests, whatever it says of their messages: it received them."""
    known = update(SUBMISSIONS).where(SUBMISSIONS.c.id.in_(submission_ids))
    own_id = func.coalesce(SUBMISSIONS.c.provider_ref, SUBMISSIONS.c.reference)
    connection.execute(known.values(provider_ref=own_id, n_missing=0))


def note_missing(
    connection: Connection,
    missing: Sequence[Asked],
    *,
    seen: Sequence[Asked],
    login: str,
    quarantine_ms: int,
) -> int:
    """Count an answer that proves requests were never received; return how many messages are queued again.

    It counts when the messages have been unknown for the quarantine, and the second one a minute or more
    after the first. Only for a gateway whose answer is proof, in a call in which younger requests were
    ``seen`` that it is known to have; for a request that is known to have gone to this login, and of which no
    gateway has ever said a word. What is queued again is in no doubt any more, as far as this request goes.
    """
    youngest = max((each.submission_id for each in seen), default=0)
    missing = [each for each in missing if each.submission_id < youngest]
    ids_of = [number for each in missing for number in each.messages.values()]
    lock_batches_of(connection, ids_of, alone=True)
    ids = [each.submission_id for each in missing]
    young = select(MESSAGES.c.id).where(
        MESSAGES.c.submission_id == SUBMISSIONS.c.id,
        MESSAGES.c.state == MessageState.UNKNOWN,
        MESSAGES.c.changed_at > now_ms() - quarantine_ms,
    )
    apart = or_(SUBMISSIONS.c.missing_at.is_(None), SUBMISSIONS.c.missing_at <= now_ms() - _APART_MS)
    never_heard_of = (SUBMISSIONS.c.id.in_(ids), SUBMISSIONS.c.login == login, *_is_silent())
    counted = update(SUBMISSIONS).where(*never_heard_of, ~young.exists(), apart)
    connection.execute(counted.values(missing_at=now_ms(), n_missing=SUBMISSIONS.c.n_missing + 1))
    enough = SUBMISSIONS.c.n_missing >= _NEVER_RECEIVED_TO_QUEUE
    never = set(connection.scalars(select(SUBMISSIONS.c.id).where(*never_heard_of, enough)))
    results = [_never_received(each) for each in missing if each.submission_id in never]
    if not results:
        return 0
    n_queued = outcomes.record(connection, results)
    for campaign_id, n in notices.want_of_queued(connection, ids_of).items():
        order = Counted(what=orders.RESEND, author=orders.OURSELVES, detail="which the gateway never had")
        order.add(connection, campaign_id, n)
    return n_queued


def _is_silent() -> tuple[ColumnElement[bool], ...]:
    """Say, as SQL, that the gateway has never said a word of a request: no answer, id, look-up or report."""
    said_of = select(MESSAGES.c.id).where(
        MESSAGES.c.submission_id == SUBMISSIONS.c.id, MESSAGES.c.state.in_(sorted(PROVEN))
    )
    return (
        SUBMISSIONS.c.outcome == SubmissionOutcome.UNKNOWN,
        SUBMISSIONS.c.provider_ref.is_(None),
        ~said_of.exists(),
    )


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
