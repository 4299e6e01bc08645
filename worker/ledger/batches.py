"""Batches: leased by one worker at a time with a fence, released, swept, and published as hints.

Only an open batch is leased; only the sweep opens a batch whose lease ran out (DESIGN's rule: who sends is
decided here, never by Redis). The database's clock decides what is due and what has run out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Connection, case, func, select, text, update

from worker.ledger.engine import control_lock, now_ms
from worker.ledger.models import ACCOUNTS, BATCHES, CAMPAIGNS, MESSAGES, SUBMISSIONS
from worker.states import BatchState, CampaignState, MessageState, SubmissionOutcome

_LOST_LEASES_TO_HOLD = 3
_SWEPT_AT_ONCE = (
    10  # at most 1,000 rows each, and SQLite's write lock is not to be held for longer than 50 ms
)


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to mark rows of a batch, as long as fence and time hold, and what its rows share."""

    batch_id: int
    fence: int
    owner: str
    campaign_id: int
    provider: str
    sender: str
    text: str | None
    options: dict[str, object]


@dataclass(frozen=True, kw_only=True)
class DueBatch:
    """A batch that a hint should be published for."""

    id: int
    provider: str
    due_at: int


def account_is_open(provider: Column[str]) -> ColumnElement[bool]:
    """Say, as SQL, that nothing holds the account back."""
    held = select(ACCOUNTS.c.provider).where(
        ACCOUNTS.c.provider == provider, ACCOUNTS.c.not_before > now_ms()
    )
    return ~held.exists()


def campaign_is_running(campaign_id: Column[int]) -> ColumnElement[bool]:
    """Say, as SQL, that the campaign is running."""
    running = select(CAMPAIGNS.c.id).where(
        CAMPAIGNS.c.id == campaign_id, CAMPAIGNS.c.state == CampaignState.RUNNING
    )
    return running.exists()


def provider_of(connection: Connection, batch_id: int) -> str | None:
    """Return the provider of a batch, None when the ledger has no such batch."""
    return connection.scalar(select(BATCHES.c.provider).where(BATCHES.c.id == batch_id))


def lease(connection: Connection, batch_id: int, *, owner: str, lease_ms: int) -> Lease | None:
    """Take a batch that is open and due; None when it is not, which makes every repeated hint harmless."""
    taken = connection.execute(
        update(BATCHES)
        .where(
            BATCHES.c.id == batch_id,
            BATCHES.c.state == BatchState.OPEN,
            BATCHES.c.next_due_at <= now_ms(),
            campaign_is_running(BATCHES.c.campaign_id),
            account_is_open(BATCHES.c.provider),
        )
        .values(
            state=BatchState.LEASED,
            fence=BATCHES.c.fence + 1,
            owner=owner,
            lease_until=now_ms() + lease_ms,
            n_hints=0,
            published_at=None,
        )
        .returning(BATCHES.c.fence, BATCHES.c.campaign_id, BATCHES.c.provider)
    ).one_or_none()
    if taken is None:
        return None
    fence, campaign_id, provider = taken
    shared = select(CAMPAIGNS.c.sender, CAMPAIGNS.c.text, CAMPAIGNS.c.options)
    sender, body, options = connection.execute(shared.where(CAMPAIGNS.c.id == campaign_id)).one()
    return Lease(
        batch_id=batch_id,
        fence=fence,
        owner=owner,
        campaign_id=campaign_id,
        provider=provider,
        sender=sender,
        text=body,
        options=json.loads(options),
    )


def release(connection: Connection, held: Lease) -> bool:
    """Give a batch back, done or open for what is queued; False when the lease was lost or a row is out."""
    _lock(connection, [held.batch_id])
    given = connection.execute(
        update(BATCHES)
        .where(
            BATCHES.c.id == held.batch_id,
            BATCHES.c.fence == held.fence,
            BATCHES.c.state == BatchState.LEASED,
            BATCHES.c.submitting == 0,
        )
        .values(**_reopened())
    )
    return given.rowcount == 1


def others_wait(connection: Connection, held: Lease) -> bool:
    """Say whether another batch of the same provider could be worked now."""
    query = select(BATCHES.c.id).where(
        BATCHES.c.provider == held.provider,
        BATCHES.c.state == BatchState.OPEN,
        BATCHES.c.next_due_at <= now_ms(),
        campaign_is_running(BATCHES.c.campaign_id),
    )
    return connection.execute(query.limit(1)).one_or_none() is not None


def _lock(connection: Connection, batch_ids: Sequence[int]) -> None:
    """Lock batches in their order, before the statement that reads their rows.

    A statement that had to wait for the lock would still read the rows as they were before it waited.
    """
    query = select(BATCHES.c.id).where(BATCHES.c.id.in_(batch_ids)).order_by(BATCHES.c.id)
    connection.execute(query.with_for_update()).all()


def _reopened() -> dict[str, object]:
    """What a batch becomes when nobody works on it: recomputed from its rows, which needs its lock."""
    next_due = select(func.min(MESSAGES.c.due_at)).where(
        MESSAGES.c.batch_id == BATCHES.c.id, MESSAGES.c.state == MessageState.QUEUED
    )
    return {
        "state": case((BATCHES.c.queued == 0, BatchState.DONE.value), else_=BatchState.OPEN.value),
        "next_due_at": func.coalesce(next_due.scalar_subquery(), BATCHES.c.next_due_at),
        "owner": None,
        "lease_until": None,
        "n_hints": 0,
        "published_at": None,
    }


def sweep(connection: Connection) -> int:
    """Open the first batches whose lease ran out; their rows in SUBMITTING become UNKNOWN. Returns how many.

    Takes the control lock at once: ask ``has_expired`` before.
    """
    control_lock(connection, shared=False)
    query = select(BATCHES.c.id).where(_is_expired()).order_by(BATCHES.c.id).limit(_SWEPT_AT_ONCE)
    found = list(connection.scalars(query.with_for_update()))
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
        .values(state=MessageState.UNKNOWN, code="lease_lost", changed_at=now_ms())
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
            **_reopened(),
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


def due_for_hints(
    connection: Connection, provider: str, *, horizon_ms: int, repeat_ms: int, limit: int
) -> list[DueBatch]:
    """Return batches that are due within the horizon and whose last hint is old enough to be repeated.

    The interval between repeated hints doubles, up to thirty times its length. ``limit`` is the room left
    beside the hints that are out and not yet leased.
    """
    query = (
        select(BATCHES.c.id, BATCHES.c.provider, BATCHES.c.next_due_at)
        .where(
            BATCHES.c.provider == provider,
            BATCHES.c.state == BatchState.OPEN,
            BATCHES.c.next_due_at <= now_ms() + horizon_ms,
            campaign_is_running(BATCHES.c.campaign_id),
            account_is_open(BATCHES.c.provider),
            (BATCHES.c.published_at.is_(None)) | ~_is_fresh(repeat_ms),
        )
        .order_by(BATCHES.c.next_due_at, BATCHES.c.id)
        .limit(limit)
    )
    return [DueBatch(id=number, provider=name, due_at=due) for number, name, due in connection.execute(query)]


def _is_fresh(repeat_ms: int) -> ColumnElement[bool]:
    """Say, as SQL, that the last hint of a batch is not to be repeated yet."""
    interval = case(
        *((BATCHES.c.n_hints <= n, repeat_ms * 2 ** (n - 1)) for n in range(1, 6)), else_=repeat_ms * 30
    )
    return now_ms() - BATCHES.c.published_at <= interval


def hints_out(connection: Connection, provider: str, *, repeat_ms: int) -> int:
    """Count the due batches of a provider whose hint is out and may still be leased by it."""
    query = select(func.count()).where(
        BATCHES.c.provider == provider,
        BATCHES.c.state == BatchState.OPEN,
        BATCHES.c.next_due_at <= now_ms(),
        campaign_is_running(BATCHES.c.campaign_id),
        _is_fresh(repeat_ms),
    )
    return int(connection.execute(query).scalar_one())


def note_published(connection: Connection, batch_ids: Sequence[int]) -> None:
    """Remember that hints went out, before they do: a hint lost in between is repeated."""
    _lock(connection, batch_ids)
    connection.execute(
        update(BATCHES)
        .where(BATCHES.c.id.in_(batch_ids))
        .values(published_at=now_ms(), n_hints=BATCHES.c.n_hints + 1)
    )


def hold_account(connection: Connection, provider: str, *, pause_ms: int, reason: str) -> None:
    """Let nothing leave through a provider for a while; a longer hold is not shortened.

    The hints that are out find nothing to lease meanwhile, so they are forgotten, to be published again.
    """
    control_lock(connection, shared=False)
    _forget_hints(connection, provider)
    connection.execute(
        text(
            "INSERT INTO accounts (provider, not_before, reason) VALUES (:provider, 0, NULL) "
            "ON CONFLICT (provider) DO NOTHING"
        ),
        {"provider": provider},
    )
    until = now_ms() + pause_ms
    connection.execute(
        update(ACCOUNTS)
        .where(ACCOUNTS.c.provider == provider, ACCOUNTS.c.not_before < until)
        .values(not_before=until, reason=reason)
    )


def _forget_hints(connection: Connection, provider: str) -> None:
    hinted = select(BATCHES.c.id).where(
        BATCHES.c.provider == provider,
        BATCHES.c.state == BatchState.OPEN,
        BATCHES.c.published_at.is_not(None),
    )
    found = list(connection.scalars(hinted.order_by(BATCHES.c.id).with_for_update()))
    forgotten = update(BATCHES).where(BATCHES.c.id.in_(found))
    connection.execute(forgotten.values(published_at=None, n_hints=0))
