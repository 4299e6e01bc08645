"""Campaigns, leases and outcomes for tests of the ledger, and what must hold in it at any moment."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Select, case, func, literal, select, update

from worker.ledger import accounts, batches, campaigns, control, hints, intent, outcomes, values
from worker.ledger.drafts import NewCampaign, NewMessage, SourceCounts, batched, together
from worker.ledger.engine import now_ms, now_of, reading, writing
from worker.ledger.models import ACCOUNTS, BATCHES, EARLIER_SUBMISSIONS, MESSAGES, SUBMISSIONS
from worker.states import BatchState, MessageState, SubmissionOutcome

PROVIDER = "acme"
FALLBACK = "other"
LOGIN = "0123456789abcdef"  # of the provider at its gateway
TEXT = "Hello"
LEASE_MS = 30_000
LATE_MS = 3_600_000
SHORT_MS = 200  # a lease that a test lets run out

_references = itertools.count()

P = ParamSpec("P")
T = TypeVar("T")


def do(engine: Engine, call: Callable[Concatenate[Connection, P], T], *given: P.args, **named: P.kwargs) -> T:
    """Call something of the ledger in a transaction of its own."""
    with writing(engine) as connection:
        return call(connection, *given, **named)


def a_campaign(name: str = "spring", *, text: str | None = TEXT, fallback: str | None = None) -> NewCampaign:
    """Make a campaign whose fingerprint is its name."""
    return NewCampaign(
        name=name,
        fingerprint=name,
        provider=PROVIDER,
        sender="ACME",
        template=text or "{{ text }}",
        text=text,
        options={},
        source="recipients.csv",
        fallback=fallback,
    )


def some_messages(n: int, *, text: str | None = None) -> list[NewMessage]:
    """Make messages to numbers of their own; without a text they carry the campaign's."""
    return [
        NewMessage(
            line=index + 2,
            msisdn=f"+45203040{index:02}",
            region="DK",
            text=text,
            encoding="gsm7",
            parts=1,
            price_micros=350_000,
            currency="DKK",
            fallback_micros=400_000,
            fallback_currency="EUR",
        )
        for index in range(n)
    ]


def import_campaign(
    engine: Engine,
    n: int = 2,
    *,
    name: str = "spring",
    messages: Sequence[NewMessage] = (),
    fallback: str | None = None,
) -> int:
    """Write a campaign of one batch that is not released yet; return its id."""
    return importer_of(engine, n, name=name, messages=messages, fallback=fallback).campaign_id


def importer_of(
    engine: Engine,
    n: int = 2,
    *,
    name: str = "spring",
    messages: Sequence[NewMessage] = (),
    fallback: str | None = None,
) -> campaigns.Importer:
    """Write a campaign of one batch that is not released yet; return its importer."""
    with writing(engine) as connection:
        importer = campaigns.create(connection, a_campaign(name, fallback=fallback))
        return campaigns.add_batch(connection, importer, messages or some_messages(n))


def run_campaign(
    engine: Engine,
    n: int = 2,
    *,
    name: str = "spring",
    messages: Sequence[NewMessage] = (),
    fallback: str | None = None,
) -> int:
    """Write and release a campaign of one batch; return the batch's id."""
    importer = importer_of(engine, n, name=name, messages=messages, fallback=fallback)
    counts = SourceCounts(rows=n, duplicates=0, refused=0)
    with writing(engine) as connection:
        campaigns.release(connection, importer, counts)
        return only_batch(connection, importer.campaign_id)


def schedule(engine: Engine, due: Sequence[int], *, name: str = "due", first_number: int = 20_000_000) -> int:
    """Write and release a campaign of as many messages as there are times; return its id.

    The numbers follow each other from ``+45`` and the first one on.
    """
    (message,) = some_messages(1)
    messages = (
        replace(message, line=n + 2, msisdn=f"+45{first_number + n}", due_at=at) for n, at in enumerate(due)
    )
    importer = do(engine, campaigns.create, a_campaign(name))
    for chunks in together(batched(messages)):
        importer = do(engine, campaigns.add_batches, importer, chunks)
    do(engine, campaigns.release, importer, SourceCounts(rows=len(due), duplicates=0, refused=0))
    return importer.campaign_id


def only_batch(connection: Connection, campaign_id: int) -> int:
    """Return the one batch of a campaign."""
    query = select(BATCHES.c.id).where(BATCHES.c.campaign_id == campaign_id)
    return int(connection.execute(query).scalar_one())


def try_lease(
    engine: Engine, batch_id: int, *, owner: str = "one", lease_ms: int = LEASE_MS
) -> batches.Lease | None:
    """Lease a batch if it is to be had."""
    with writing(engine) as connection:
        return batches.lease(connection, batch_id, owner=owner, lease_ms=lease_ms, late_ms=LATE_MS)


def lease(engine: Engine, batch_id: int, *, owner: str = "one", lease_ms: int = LEASE_MS) -> batches.Lease:
    """Lease a batch that is to be had."""
    held = try_lease(engine, batch_id, owner=owner, lease_ms=lease_ms)
    assert held is not None
    return held


def reach(*, horizon_ms: int = 0, repeat_ms: int = 10_000, late_ms: int = LATE_MS) -> hints.Reach:
    """Say how far publishing is to look."""
    return hints.Reach(horizon_ms=horizon_ms, repeat_ms=repeat_ms, late_ms=late_ms)


def due_rows(engine: Engine, held: batches.Lease) -> list[values.DueRow]:
    """Return the rows of a leased batch that may leave now."""
    with reading(engine) as connection:
        return intent.next_due(connection, held, limit=1000)


def reference() -> str:
    """Return a reference that no other submission of this test run has."""
    return f"{next(_references):020}"


def intentions(*requests: Sequence[values.DueRow]) -> list[values.Intention]:
    """Make one request to be of each group of rows."""
    return [values.Intention(reference=reference(), rows=tuple(rows)) for rows in requests]


def try_mark(
    engine: Engine, held: batches.Lease, *requests: Sequence[values.DueRow], lease_ms: int = LEASE_MS
) -> list[values.Marked] | values.Stop:
    """Mark each group of rows as one request, if the ledger lets us."""
    with writing(engine) as connection:
        return intent.mark(connection, held, intentions(*requests), lease_ms=lease_ms, login=LOGIN)


def mark(
    engine: Engine, held: batches.Lease, *requests: Sequence[values.DueRow], lease_ms: int = LEASE_MS
) -> list[values.Marked]:
    """Mark each group of rows as one request; by default all that is due in one."""
    marked = try_mark(engine, held, *(requests or [due_rows(engine, held)]), lease_ms=lease_ms)
    assert not isinstance(marked, values.Stop)
    return marked


def result(
    marked: values.Marked,
    state: MessageState,
    **facts: Any,  # noqa: ANN401 - of several types
) -> values.SubmissionResult:
    """Make the end of a request which is the same for all of its messages; facts of ``MessageOutcome``."""
    messages = tuple(values.MessageOutcome(message_id=row.id, state=state, **facts) for row in marked.rows)
    return values.SubmissionResult(
        reference=marked.reference, outcome=SubmissionOutcome.ANSWERED, messages=messages
    )


def unclear(marked: values.Marked) -> values.SubmissionResult:
    """Make the end of a request of which nobody knows."""
    return _ended(marked, MessageState.UNKNOWN, SubmissionOutcome.UNKNOWN)


def not_sent(marked: values.Marked) -> values.SubmissionResult:
    """Make the end of a request of which no byte was written."""
    return _ended(marked, MessageState.QUEUED, SubmissionOutcome.NOT_SENT, keeps_attempt=False)


def _ended(
    marked: values.Marked,
    state: MessageState,
    outcome: SubmissionOutcome,
    **facts: Any,  # noqa: ANN401 - of several types
) -> values.SubmissionResult:
    return replace(result(marked, state, code=outcome, **facts), outcome=outcome, code=outcome)


def half_answered(marked: values.Marked) -> values.SubmissionResult:
    """Say that the gateway accepted the last message of a request and named no other."""
    *others, last = marked.rows
    messages = (
        *result(replace(marked, rows=tuple(others)), MessageState.UNKNOWN).messages,
        *result(replace(marked, rows=(last,)), MessageState.ACCEPTED).messages,
    )
    return values.SubmissionResult(
        reference=marked.reference, outcome=SubmissionOutcome.ANSWERED, messages=messages
    )


def record(engine: Engine, *results: values.SubmissionResult) -> int:
    """Record ends of requests; return how many messages changed."""
    with writing(engine) as connection:
        return outcomes.record(connection, results)


def release(engine: Engine, held: batches.Lease) -> bool:
    """Give a batch back."""
    with writing(engine) as connection:
        return batches.release(connection, held)


def lose(engine: Engine, *sizes: int, name: str = "spring") -> list[values.Marked]:
    """Send a campaign in requests of these sizes, of none of which anybody knows; give the batch back."""
    held = lease(engine, run_campaign(engine, sum(sizes), name=name))
    found = iter(due_rows(engine, held))
    marked = mark(engine, held, *([next(found) for _ in range(size)] for size in sizes))
    record(engine, *map(unclear, marked))
    release(engine, held)
    return marked


def sweep(engine: Engine) -> int:
    """Open what was abandoned."""
    with writing(engine) as connection:
        return batches.sweep(connection)


def has_expired(engine: Engine) -> bool:
    """Say whether there is anything to sweep."""
    with reading(engine) as connection:
        return batches.has_expired(connection)


def hold(engine: Engine, *, pause_ms: int, reason: str = "out of credit") -> None:
    """Hold the account."""
    with writing(engine) as connection:
        accounts.hold_account(connection, PROVIDER, pause_ms=pause_ms, reason=reason)


def pause(engine: Engine, campaign_id: int) -> None:
    """Pause a campaign as an operator does."""
    with writing(engine) as connection:
        control.pause(connection, campaign_id, reason="wrong text", author="operator")


def cancel(engine: Engine, campaign_id: int) -> None:
    """Cancel a campaign whose rows are all out."""
    with writing(engine) as connection:
        control.cancel(connection, campaign_id, author="operator")


def ago(ms: int) -> ColumnElement[int]:
    """Say, as SQL, a moment of the past; a negative number means the future."""
    return now_ms() - literal(ms)


def database_now(engine: Engine) -> int:
    """Return the time of the database."""
    with reading(engine) as connection:
        return now_of(connection)


def change_account(engine: Engine, provider: str = PROVIDER, **values: object) -> None:
    """Change an account behind the ledger's back."""
    with writing(engine) as connection:
        accounts.make_sure_of(connection, provider)
        connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.provider == provider).values(**values))


def account_closed(engine: Engine, provider: str = PROVIDER) -> None:
    """Have the gateway refuse the account."""
    change_account(engine, provider, check_at=2**60, closed_since=ago(0), reason="no credit")


def account(engine: Engine, provider: str = PROVIDER) -> dict[str, Any]:
    """Return an account of which something is noted, with the database's time as `now`."""
    query = select(ACCOUNTS, now_ms().label("now")).where(ACCOUNTS.c.provider == provider)
    with reading(engine) as connection:
        return dict(connection.execute(query).mappings().one())


def change_messages(engine: Engine, *, wait_ms: int | None = None, **values: object) -> None:
    """Change all messages behind the ledger's back; ``wait_ms`` makes them due so long from now."""
    with writing(engine) as connection:
        if wait_ms is not None:
            values["due_at"] = now_ms() + literal(wait_ms)
        connection.execute(update(MESSAGES).values(**values))
        if "leave_by" in values:
            connection.execute(update(BATCHES).values(leave_by=values["leave_by"]))


def change_submissions(engine: Engine, **values: object) -> None:
    """Change all submissions behind the ledger's back."""
    with writing(engine) as connection:
        connection.execute(update(SUBMISSIONS).values(**values))


def grow_old(engine: Engine, ms: int) -> None:
    """Let all messages be so long as they are."""
    change_messages(engine, changed_at=ago(ms))


def change_batch(engine: Engine, batch_id: int, **values: object) -> None:
    """Change a batch behind the ledger's back."""
    with writing(engine) as connection:
        connection.execute(update(BATCHES).where(BATCHES.c.id == batch_id).values(**values))


def states(engine: Engine) -> list[str]:
    """Return the states of all messages, by id."""
    return [str(row["state"]) for row in rows(engine)]


def rows(engine: Engine) -> list[dict[str, object]]:
    """Return all messages, by id."""
    with reading(engine) as connection:
        found = connection.execute(select(MESSAGES).order_by(MESSAGES.c.id)).mappings()
        return [dict(row) for row in found]


def submissions(engine: Engine) -> list[dict[str, object]]:
    """Return all submissions, by id."""
    with reading(engine) as connection:
        found = connection.execute(select(SUBMISSIONS).order_by(SUBMISSIONS.c.id)).mappings()
        return [dict(row) for row in found]


def earlier(engine: Engine) -> list[tuple[int, int]]:
    """Return the messages with the submissions that carried them before, in the order of these."""
    with reading(engine) as connection:
        links = connection.execute(select(EARLIER_SUBMISSIONS).order_by(EARLIER_SUBMISSIONS.c.submission_id))
        return [(message, submission) for message, submission in links]


def batch(engine: Engine, batch_id: int) -> dict[str, object]:
    """Return a batch."""
    with reading(engine) as connection:
        return dict(connection.execute(select(BATCHES).where(BATCHES.c.id == batch_id)).mappings().one())


def assert_counts(engine: Engine) -> None:
    """Compare every counter of every batch with its rows, and see that no queued row is forgotten."""
    with reading(engine) as connection:
        kept = {row.pop("id"): row for row in _counters(connection)}
        counted = {row.pop("id"): row for row in _recounted(connection)}
        forgotten = connection.execute(_forgotten()).all()
    assert kept == counted
    assert not forgotten


def _counters(connection: Connection) -> list[dict[str, int]]:
    query = select(BATCHES.c.id, *(BATCHES.c[state.value] for state in MessageState))
    return [dict(row) for row in connection.execute(query).mappings()]


def _recounted(connection: Connection) -> list[dict[str, int]]:
    counts = [func.count(case((MESSAGES.c.state == state, 1))).label(state.value) for state in MessageState]
    every_batch = BATCHES.outerjoin(MESSAGES, MESSAGES.c.batch_id == BATCHES.c.id)
    query = select(BATCHES.c.id, *counts).select_from(every_batch).group_by(BATCHES.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def _forgotten() -> Select[tuple[int]]:
    """Select the queued rows that lie in a batch which is done, or due or over only after them."""
    is_late = BATCHES.c.next_due_at > MESSAGES.c.due_at
    is_late |= MESSAGES.c.leave_by < func.coalesce(BATCHES.c.leave_by, 2**62)
    query = select(MESSAGES.c.id).join(BATCHES, BATCHES.c.id == MESSAGES.c.batch_id)
    return query.where(
        MESSAGES.c.state == MessageState.QUEUED, (BATCHES.c.state == BatchState.DONE) | is_late
    )
