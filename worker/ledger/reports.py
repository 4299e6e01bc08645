"""What the ledger tells of campaigns: states, counts, sums; reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, func, select

from worker.errors import InputError
from worker.ledger import accounts
from worker.ledger.accounts import AccountStanding
from worker.ledger.engine import now_ms, now_once
from worker.ledger.letting import is_let_in
from worker.ledger.models import BATCHES, CAMPAIGNS, LARGEST_ID, MESSAGES, SUBMISSIONS
from worker.ledger.scopes import CONFIRMATION
from worker.states import MAY_HAVE_LEFT, OPEN_STATES, PROVEN, BatchState, CampaignState, Lane, MessageState
from worker.text.pricing import Totals

DONE = "done"
"""The state of a campaign of which nothing is left: derived, hence none that is stored."""

_MAY_END = (CampaignState.RUNNING, CampaignState.PAUSED)
_NOT_DONE = (BatchState.OPEN, BatchState.LEASED, BatchState.HELD)


@dataclass(frozen=True, kw_only=True)
class CampaignReport:
    """A campaign with its counts, as ``campaign list`` prints it."""

    id: int
    name: str
    state: str
    reason: str | None
    provider: str
    sender: str
    source: str
    created_at: int
    due_at: int | None
    rows: int
    duplicates: int
    refused: int
    skipped: int
    counts: Mapping[MessageState, int]
    n_held: int  # queued in batches that are held
    is_provider_held: bool  # which is the reason; it ends by itself, and is tried again
    is_interrupted: bool  # it is importing, and nobody imports it (any more)
    lane: Lane
    rate: str | None  # of its provider, in force; empty: no limit; None: nothing is noted
    leaves_at: int | None = None  # its gateway keeps it until then
    series: str | None = None  # of reminders
    until: int | None = None  # when it goes on, where the reason ends at a known time
    purpose: str = "marketing"
    zone: str | None = None  # in which it was scheduled, or "recipient"
    next_due_at: int | None = None  # of what is not due yet
    pruned_at: int | None = None  # its texts and numbers were removed; 0: that is under way

    @property
    def messages(self) -> int:
        """Rows of the campaign in the ledger."""
        return sum(self.counts.values())

    @property
    def is_done(self) -> bool:
        """Whether no row can leave any more by itself."""
        return self.state in {DONE, CampaignState.CANCELLED, CampaignState.DISCARDED}

    @property
    def is_stuck(self) -> bool:
        """Whether what is left waits for a person."""
        left = sum(self.counts[state] for state in OPEN_STATES)
        return self.state == CampaignState.PAUSED or self.is_interrupted or 0 < left == self.n_held


def stored_id(campaign_id: int) -> int:
    """Return an id as a driver takes it; what is beyond is nobody's."""
    return max(0, min(campaign_id, LARGEST_ID))


def counts_of(connection: Connection, campaign_ids: Sequence[int]) -> dict[int, dict[MessageState, int]]:
    """Sum the counters of the batches per campaign: cheap enough to look at twice a second."""
    sums = [func.coalesce(func.sum(BATCHES.c[state.value]), 0) for state in MessageState]
    query = select(BATCHES.c.campaign_id, *sums).where(BATCHES.c.campaign_id.in_(campaign_ids), is_let_in())
    found = {number: dict.fromkeys(MessageState, 0) for number in campaign_ids}
    for number, *values in connection.execute(query.group_by(BATCHES.c.campaign_id)):
        found[number] = dict(zip(MessageState, map(int, values), strict=True))
    return found


def report(connection: Connection, campaign_id: int) -> CampaignReport:
    """Return one campaign with its counts.

    Raises:
        InputError: there is no such campaign.
    """
    query = _campaigns().where(CAMPAIGNS.c.id == stored_id(campaign_id))
    found = connection.execute(query).mappings().one_or_none()
    if found is None:
        raise _not_there(campaign_id)
    return next(_reports(connection, [found]))


def _not_there(campaign_id: int) -> InputError:
    return InputError(
        f"There is no campaign {campaign_id}: `bulksend campaign list` shows them", code="no_such_campaign"
    )


def reports(connection: Connection, *, limit: int, with_confirmations: bool = True) -> list[CampaignReport]:
    """Return the newest campaigns with their counts, newest first; each confirmation of a STOP is one too."""
    query = _campaigns().order_by(CAMPAIGNS.c.id.desc()).limit(limit)
    if not with_confirmations:
        query = query.where(CAMPAIGNS.c.purpose != CONFIRMATION)
    return list(_reports(connection, connection.execute(query).mappings().all()))


def _campaigns() -> Select[Any]:
    return select(CAMPAIGNS, (CAMPAIGNS.c.importing_until <= now_ms()).label("is_lease_over"))


def _reports(connection: Connection, found: Sequence[RowMapping]) -> Iterator[CampaignReport]:
    numbers = [int(row["id"]) for row in found]
    counts = counts_of(connection, numbers)
    held = _held_batches(connection, numbers)
    standings = accounts.standings(connection)
    next_due = _next_due(connection, numbers)
    for row in found:
        state = state_of(row["state"], counts[row["id"]])
        reason, n_held = held.get(row["id"], (None, 0))
        standing = standings.get(row["provider"]) or AccountStanding(provider=row["provider"], state="open")
        waits_for, until = _waits(standing, state)
        own_reason = None if state == DONE else row["reason"] or reason
        yield CampaignReport(
            id=row["id"],
            name=row["name"],
            state=state,
            reason=own_reason or waits_for,
            provider=row["provider"],
            sender=row["sender"],
            source=row["source"],
            created_at=row["created_at"],
            due_at=row["due_at"],
            rows=row["n_rows"],
            duplicates=row["n_duplicates"],
            refused=row["n_refused"],
            skipped=row["n_skipped"],
            counts=counts[row["id"]],
            n_held=n_held,
            is_provider_held=not own_reason and waits_for is not None and standing.reason is not None,
            is_interrupted=state == CampaignState.IMPORTING and bool(row["is_lease_over"]),
            lane=Lane(row["lane"]),
            rate=standing.rate,
            leaves_at=row["leaves_at"],
            series=row["series"],
            until=None if own_reason else until,
            purpose=row["purpose"],
            zone=row["zone"],
            next_due_at=next_due.get(row["id"]),
            pruned_at=row["pruned_at"],
        )


def _waits(standing: AccountStanding, state: str) -> tuple[str | None, int | None]:
    """Return what a campaign in this state waits for with its provider, and until when if that is known."""
    if state == DONE:
        return None, None
    if standing.reason is not None:
        return standing.reason, standing.until if standing.state == "waiting" else None
    if state != CampaignState.RUNNING or standing.throttled_reason is None:
        return None, None
    return standing.throttled_reason, standing.throttled_until


def state_of(stored: str, counts: Mapping[MessageState, int]) -> str:
    """Derive done: all is imported and no row is queued or being submitted, paused or not."""
    if stored in _MAY_END and not any(counts[state] for state in OPEN_STATES):
        return DONE
    return stored


def state_at(connection: Connection, campaign_id: int) -> tuple[str, str | None]:
    """Return the state of a campaign and its reason, without a sum over its batches: marks may wait for us.

    Raises:
        InputError: there is no such campaign.
    """
    is_left = has_left(CAMPAIGNS.c.id).label("is_left")
    query = select(CAMPAIGNS.c.state, CAMPAIGNS.c.reason, is_left)
    found = connection.execute(query.where(CAMPAIGNS.c.id == stored_id(campaign_id))).one_or_none()
    if found is None:
        raise _not_there(campaign_id)
    return DONE if found.state in _MAY_END and not found.is_left else found.state, found.reason


def has_left(campaign_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Say, as SQL, that messages of a campaign are queued or being submitted: in no batch that is done."""
    left = BATCHES.c.campaign_id == campaign_id, BATCHES.c.state.in_(_NOT_DONE), is_let_in()
    return select(BATCHES.c.id).where(*left, BATCHES.c.queued + BATCHES.c.submitting > 0).exists()


def _held_batches(connection: Connection, numbers: Sequence[int]) -> dict[int, tuple[str | None, int]]:
    """Return why batches of a campaign are held and how many messages are queued in them."""
    query = select(BATCHES.c.campaign_id, func.max(BATCHES.c.reason), func.sum(BATCHES.c.queued))
    query = query.where(
        BATCHES.c.campaign_id.in_(numbers), BATCHES.c.state == BatchState.HELD, ~BATCHES.c.is_added
    )
    found = connection.execute(query.group_by(BATCHES.c.campaign_id))
    return {number: (reason, int(n_queued)) for number, reason, n_queued in found}


def _next_due(connection: Connection, numbers: Sequence[int]) -> dict[int, int]:
    """Return when the next messages of a campaign are due, where some are not yet."""
    query = select(BATCHES.c.campaign_id, func.min(BATCHES.c.next_due_at)).where(
        BATCHES.c.campaign_id.in_(numbers),
        BATCHES.c.state == BatchState.OPEN,
        BATCHES.c.next_due_at > now_once(),
        BATCHES.c.queued > 0,
    )
    found = connection.execute(query.group_by(BATCHES.c.campaign_id))
    return {number: int(due_at) for number, due_at in found}


def totals(connection: Connection, campaign_id: int) -> tuple[int, Totals]:
    """Return the parts of a campaign and what they cost by currency, as ordered."""
    return sums(connection, campaign_id)[0]


def sums(connection: Connection, campaign_id: int) -> tuple[tuple[int, Totals], tuple[int, Totals]]:
    """Return parts and cost of all that was ordered, and of what was sent or may have been.

    What is queued, refused, given up or cancelled is ordered, and not sent.
    """
    columns = MESSAGES.c.state, MESSAGES.c.currency
    added = select(BATCHES.c.id).where(BATCHES.c.campaign_id == campaign_id, ~is_let_in())
    query = select(*columns, func.sum(MESSAGES.c.parts), func.sum(MESSAGES.c.price_micros)).where(
        MESSAGES.c.campaign_id == campaign_id, MESSAGES.c.batch_id.not_in(added)
    )
    rows = [tuple(row) for row in connection.execute(query.group_by(*columns))]
    return _summed(rows, frozenset(MessageState)), _summed(rows, MAY_HAVE_LEFT)


def _summed(rows: Sequence[tuple[Any, ...]], states: Collection[str]) -> tuple[int, Totals]:
    parts, cost = 0, Totals()
    for state, currency, n_parts, micros in rows:
        is_counted = state in states
        parts += int(n_parts) * is_counted
        if currency is not None:
            cost.micros[currency] = cost.micros.get(currency, 0) + int(micros) * is_counted
    return parts, cost


def codes(connection: Connection, campaign_id: int) -> dict[str, int]:
    """Count the gateway's codes of the messages that were not accepted."""
    query = (
        select(MESSAGES.c.code, func.count())
        .where(
            MESSAGES.c.campaign_id == campaign_id,
            MESSAGES.c.code.is_not(None),
            MESSAGES.c.state.not_in(sorted(PROVEN)),
        )
        .group_by(MESSAGES.c.code)
        .order_by(func.count().desc())
    )
    return {code: int(n) for code, n in connection.execute(query)}


def ended_at(connection: Connection, campaign_id: int) -> int | None:
    """Return when the last request of a campaign ended, or the last row that no gateway has changed.

    What arrived, and when, is told long after.
    """
    changed = select(func.max(MESSAGES.c.changed_at)).where(
        MESSAGES.c.campaign_id == campaign_id, MESSAGES.c.state.not_in(sorted(PROVEN))
    )
    answered = (
        select(func.max(SUBMISSIONS.c.ended_at))
        .join(BATCHES, BATCHES.c.id == SUBMISSIONS.c.batch_id)
        .where(BATCHES.c.campaign_id == campaign_id)
    )
    found = [at for query in (changed, answered) if (at := connection.scalar(query)) is not None]
    return max(found, default=None)


def has_been_worked(connection: Connection, campaign_id: int) -> bool:
    """Say whether any worker has ever leased a batch of the campaign."""
    query = select(BATCHES.c.id).where(BATCHES.c.campaign_id == campaign_id, BATCHES.c.fence > 0)
    return connection.execute(query.limit(1)).one_or_none() is not None
