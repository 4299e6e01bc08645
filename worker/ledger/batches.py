"""Batches: leased by one worker at a time with a fence, released, swept, and published as hints.

Only an open batch is leased; only the sweep opens a batch whose lease ran out (DESIGN's rule: who sends is
decided here, never by Redis). The database's clock decides what is due and what has run out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Column, ColumnElement, Connection, RowMapping, ScalarSelect, case, func, select, update

from worker.ledger import optouts
from worker.ledger.accounts import account_is_open
from worker.ledger.drafts import BATCH_ROWS
from worker.ledger.engine import control_lock, now_ms, now_once
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES, SUBMISSIONS
from worker.ledger.scopes import scopes_of
from worker.ledger.starts import may_begin, waits_for_decision
from worker.ledger.trouble import claim_trial, trial_is_free
from worker.states import BatchState, CampaignState, Lane, MessageState, SubmissionOutcome

_LOST_LEASES_TO_HOLD = 3
_CHANGED_AT_ONCE = 200  # small ones
_SWEPT_AT_ONCE = 3  # at most 1,000 rows each: SQLite's write lock is not to be held for longer than 50 ms


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to mark rows of a batch, as long as fence and time hold, and what its rows share."""

    batch_id: int
    fence: int
    campaign_id: int
    provider: str
    sender: str
    text: str | None
    options: dict[str, object]
    lane: str
    leaves_at: int | None = None  # epoch milliseconds: the gateway is to keep it until then
    has_windows: bool = False  # what does not leave in its opening has another
    udh_bits: int = 8  # as the parts were counted
    stops: tuple[str, ...] = ()  # scopes of opt-outs that keep a row of it from leaving
    stops_key: bytes = field(default=b"", repr=False)  # under which numbers are digested

    @property
    def is_urgent(self) -> bool:
        """Whether it goes before campaigns that are not."""
        return self.lane == Lane.URGENT


def campaign_is_running(campaign_id: Column[int]) -> ColumnElement[bool]:
    """Say, as SQL, that the campaign is running."""
    running = select(CAMPAIGNS.c.id).where(
        CAMPAIGNS.c.id == campaign_id, CAMPAIGNS.c.state == CampaignState.RUNNING
    )
    return running.exists()


def way_of(connection: Connection, batch_id: int) -> tuple[str, Lane] | None:
    """Return provider and lane of a batch, None when the ledger has no such batch."""
    query = select(BATCHES.c.provider, BATCHES.c.lane).where(BATCHES.c.id == batch_id)
    found = connection.execute(query).one_or_none()
    return None if found is None else (str(found.provider), Lane(found.lane))


def lease(connection: Connection, batch_id: int, *, owner: str, lease_ms: int, late_ms: int) -> Lease | None:
    """Take a batch that is open and due; None when it is not, which makes every repeated hint harmless.

    Args:
        connection: of an open transaction.
        batch_id: the batch.
        owner: who takes it.
        lease_ms: how long it is ours without a mark.
        late_ms: a start that is late by more was missed, and waits for a decision.
    """
    if waits_for_decision(connection, batch_id, late_ms=late_ms):
        return None
    taken = (
        connection.execute(
            update(BATCHES)
            .where(
                BATCHES.c.id == batch_id,
                BATCHES.c.state == BatchState.OPEN,
                BATCHES.c.next_due_at <= now_ms(),
                may_begin(BATCHES.c.campaign_id, late_ms=late_ms),
                account_is_open(BATCHES.c.provider),
                trial_is_free(BATCHES.c.provider, BATCHES.c.id),
            )
            .values(
                state=BatchState.LEASED,
                fence=BATCHES.c.fence + 1,
                owner=owner,
                lease_until=now_ms() + lease_ms,
                n_hints=0,
                published_at=None,
            )
            .returning(
                *(BATCHES.c.id.label("batch_id"), BATCHES.c.fence, BATCHES.c.campaign_id),
                *(BATCHES.c.provider, BATCHES.c.lane),
            )
        )
        .mappings()
        .one_or_none()
    )
    if taken is None:
        return None
    claim_trial(connection, taken["provider"], batch_id)
    return _with_shared(connection, taken)


def _with_shared(connection: Connection, taken: RowMapping) -> Lease:
    """Add what all rows of the batch share."""
    names = ("sender", "text", "options", "leaves_at", "udh_bits", "purpose")
    columns = [CAMPAIGNS.c[name] for name in names]
    has_windows = CAMPAIGNS.c.windows.is_not(None).label("has_windows")
    query = select(*columns, has_windows).where(CAMPAIGNS.c.id == taken["campaign_id"])
    shared = dict(connection.execute(query).mappings().one())
    stops = scopes_of(purpose=shared.pop("purpose"), sender=shared["sender"])
    shared |= {"options": json.loads(shared["options"]), "stops": stops}
    return Lease(**taken, **shared, stops_key=optouts.key_of(connection))


@dataclass(frozen=True, kw_only=True)
class Awaited:
    """What is to be known of an open batch before its time.

    Attributes:
        due_in_ms: how long it is until it is due, negative when it is.
        n_queued: how many messages are queued in it.
        provider: through whom it leaves; empty where it is not open.
    """

    due_in_ms: int = 0
    n_queued: int = 0
    provider: str = ""


def awaited(connection: Connection, batch_id: int) -> Awaited:
    """Look how long it is until a batch is due; nothing of what is not open is waited for."""
    query = select(BATCHES.c.next_due_at - now_ms(), BATCHES.c.queued, BATCHES.c.provider)
    found = connection.execute(query.where(BATCHES.c.id == batch_id, BATCHES.c.state == BatchState.OPEN))
    row = found.one_or_none()
    if row is None:
        return Awaited()
    left_ms, n_queued, provider = row
    return Awaited(due_in_ms=left_ms or 0, n_queued=n_queued, provider=provider)


def release(connection: Connection, held: Lease) -> bool:
    """Give a batch back, done or open for what is queued; False when the lease was lost or a row is out."""
    lock_batches(connection, [held.batch_id])
    given = connection.execute(
        update(BATCHES)
        .where(
            BATCHES.c.id == held.batch_id,
            BATCHES.c.fence == held.fence,
            BATCHES.c.state == BatchState.LEASED,
            BATCHES.c.submitting == 0,
        )
        .values(reopened())
    )
    return given.rowcount == 1


def others_wait(connection: Connection, held: Lease) -> bool:
    """Say whether another batch of the same provider could be worked now."""
    query = select(BATCHES.c.id).where(
        BATCHES.c.provider == held.provider,
        BATCHES.c.state == BatchState.OPEN,
        BATCHES.c.next_due_at <= now_once(),
        campaign_is_running(BATCHES.c.campaign_id),
    )
    return connection.execute(query.limit(1)).one_or_none() is not None


def lock_batches(connection: Connection, batch_ids: Sequence[int]) -> None:
    """Lock batches in their order, before the statement that reads their rows.

    A statement that had to wait for the lock would still read the rows as they were before it waited.
    """
    query = select(BATCHES.c.id).where(BATCHES.c.id.in_(batch_ids)).order_by(BATCHES.c.id)
    connection.execute(query.with_for_update()).all()


def lock_some(
    connection: Connection, *conditions: ColumnElement[bool], n_rows: ColumnElement[int] = BATCHES.c.queued
) -> list[int]:
    """Lock the first batches of some kind, as many as one transaction goes through well within 50 ms.

    ``n_rows`` says, as SQL, how many messages of a batch are concerned.
    """
    query = select(BATCHES.c.id, n_rows).where(*conditions).order_by(BATCHES.c.id)
    found: list[int] = []
    n = 0
    for batch_id, concerned in connection.execute(query.limit(_CHANGED_AT_ONCE)):
        n += concerned
        if found and n > BATCH_ROWS:
            break
        found.append(int(batch_id))
    lock_batches(connection, found)
    return found


def reopened() -> dict[str, object]:
    """Say, as values of SQL, what a batch becomes when nobody works on it: recomputed from its rows.

    That needs its lock, taken in a statement before.
    """
    return {
        "state": case((BATCHES.c.queued == 0, BatchState.DONE.value), else_=BatchState.OPEN.value),
        "next_due_at": func.coalesce(_first_of_queued(MESSAGES.c.due_at), BATCHES.c.next_due_at),
        "leave_by": first_leave_by(),
        "owner": None,
        "lease_until": None,
        "n_hints": 0,
        "published_at": None,
    }


def first_leave_by() -> ScalarSelect[int]:
    """Say, as SQL, when the first queued message of a batch is over; NULL: none has an end."""
    return _first_of_queued(MESSAGES.c.leave_by)


def _first_of_queued(column: Column[int]) -> ScalarSelect[int]:
    queued = MESSAGES.c.batch_id == BATCHES.c.id, MESSAGES.c.state == MessageState.QUEUED
    return select(func.min(column)).where(*queued).scalar_subquery()


def sweep(connection: Connection) -> int:
    """Open the first batches whose lease ran out; their rows in SUBMITTING become UNKNOWN. Returns how many.

    Takes the control lock at once: ask ``has_expired`` before.
    """
    control_lock(connection, shared=False)
    query = select(BATCHES.c.id).where(_is_expired()).order_by(BATCHES.c.id).limit(_SWEPT_AT_ONCE)
    found = list(connection.scalars(query.with_for_update(skip_locked=True)))  # nobody waits for who froze
    for batch_id in found:
        _sweep_one(connection, batch_id)
    return len(found)


def _is_expired() -> ColumnElement[bool]:
    return (BATCHES.c.state == BatchState.LEASED) & (BATCHES.c.lease_until < now_ms())


def has_expired(connection: Connection) -> bool:
    """Say whether there is anything to sweep; a plain read."""
    query = select(BATCHES.c.id).where(_is_expired()).limit(1)
    return connection.execute(query).one_or_none() is not None


def _sweep_one(connection: Connection, batch_id: int) -> None:
    lost = connection.execute(
        update(MESSAGES)
        .where(MESSAGES.c.batch_id == batch_id, MESSAGES.c.state == MessageState.SUBMITTING)
        .values(
            state=MessageState.UNKNOWN,
            code="lease_lost",
            n_doubts=MESSAGES.c.n_doubts + 1,
            changed_at=now_ms(),
        )
    ).rowcount
    connection.execute(
        update(SUBMISSIONS)
        .where(SUBMISSIONS.c.batch_id == batch_id, SUBMISSIONS.c.outcome == SubmissionOutcome.OPEN)
        .values(outcome=SubmissionOutcome.UNKNOWN, code="lease_lost", ended_at=now_ms())
    )
    in_vain = BATCHES.c.lost_leases + 1
    connection.execute(
        update(BATCHES)
        .where(BATCHES.c.id == batch_id)
        .values(
            **reopened(),
            submitting=BATCHES.c.submitting - lost,
            unknown=BATCHES.c.unknown + lost,
            lost_leases=in_vain,
        )
    )
    connection.execute(
        update(BATCHES)
        .where(
            BATCHES.c.id == batch_id,
            BATCHES.c.state == BatchState.OPEN,
            BATCHES.c.lost_leases >= _LOST_LEASES_TO_HOLD,
        )
        .values(state=BatchState.HELD, reason="its worker was lost three times without progress")
    )
