"""Where the messages are that gateways were given to keep until their time; reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    FromClause,
    func,
    literal_column,
    or_,
    select,
)

from worker.ledger.engine import now_ms, now_once
from worker.ledger.models import BATCHES, CAMPAIGNS, EARLIER_SUBMISSIONS, MESSAGES, SUBMISSIONS
from worker.ledger.reports import stored_id
from worker.ledger.settling import RESENT, SETTLED
from worker.states import PROVEN, BatchState, CampaignState, MessageState, SubmissionOutcome, Taking

STATES = (MessageState.ACCEPTED, MessageState.UNKNOWN)
"""A message in one of these is kept by its gateway, or may be."""

AT_ONCE = 500
"""Batches that one statement looks into."""

_LEFT = PROVEN - {MessageState.ACCEPTED}
_IN_DOUBT = MESSAGES.c.n_doubts > literal_column("0")  # as the index has it


def batches(connection: Connection, campaign_ids: Sequence[int], *, provider: str | None = None) -> list[int]:
    """Return the batches whose requests may be kept, by their counters; of all providers or of one.

    A message that went to the fallback counts there, even if its first request is proven to be the one.
    """
    others = BATCHES.alias()
    hopped = select(others.c.id).where(
        others.c.campaign_id == BATCHES.c.campaign_id,
        others.c.provider == CAMPAIGNS.c.fallback,
        _has_kept(others),
    )
    query = (
        select(BATCHES.c.id)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == BATCHES.c.campaign_id)
        .where(BATCHES.c.campaign_id.in_(campaign_ids), or_(_has_kept(BATCHES), hopped.exists()))
        .order_by(BATCHES.c.id)
    )
    if provider is not None:
        query = query.where(BATCHES.c.provider == provider)
    return list(connection.scalars(query))


def _has_kept(table: FromClause) -> ColumnElement[bool]:
    return table.c.accepted + table.c.unknown > 0


def has_doubts(connection: Connection, campaign_ids: Sequence[int]) -> bool:
    """Say whether any message of these campaigns was in a request of which nobody knows."""
    query = select(MESSAGES.c.id).where(MESSAGES.c.campaign_id.in_(campaign_ids), _IN_DOUBT)
    return connection.execute(query.limit(1)).one_or_none() is not None


def doubtful(campaign_ids: Sequence[int]) -> CompoundSelect[tuple[int, int]]:
    """Select ``submission_id`` and ``message_id`` where a request may be kept, though its message is not.

    Nobody knows of the request, and a person has settled the message, or it is in another one since.
    """
    ours = MESSAGES.c.campaign_id.in_(campaign_ids), _IN_DOUBT
    settled = select(MESSAGES.c.submission_id, MESSAGES.c.id.label("message_id")).where(
        *ours, MESSAGES.c.code == SETTLED, MESSAGES.c.state.not_in(STATES)
    )
    links = EARLIER_SUBMISSIONS.c
    is_unknown = (SUBMISSIONS.c.outcome == SubmissionOutcome.UNKNOWN) | (SUBMISSIONS.c.code == RESENT)
    earlier = (
        select(links.submission_id, links.message_id)
        .join(MESSAGES, MESSAGES.c.id == links.message_id)
        .join(SUBMISSIONS, SUBMISSIONS.c.id == links.submission_id)
        .where(*ours, is_unknown)
    )
    return settled.union(earlier)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where the messages of a cancelled campaign are that its gateways were given.

    Attributes:
        is_over: their time has come.
        back: messages that were given back.
        left: messages that have left all the same, as the gateway reported.
        kept: messages that were not given back, by their provider and by what is known of the wish.
        doubtful: the same of messages whose earlier request may be kept.
        submitting: messages on their way to the gateway.
    """

    is_over: bool
    back: int = 0
    left: int = 0
    kept: Counter[tuple[str, Taking | None]] = field(default_factory=Counter)
    doubtful: Counter[tuple[str, Taking | None]] = field(default_factory=Counter)
    submitting: int = 0


def is_over(connection: Connection, campaign_id: int) -> bool:
    """Say whether no gateway keeps anything of a campaign any more, by its time."""
    ours = CAMPAIGNS.c.id == stored_id(campaign_id)
    return connection.scalar(select(CAMPAIGNS.c.id).where(ours, CAMPAIGNS.c.leaves_at > now_ms())) is None


def standing(connection: Connection, campaign_id: int) -> Standing:
    """Return where the messages of a campaign are that its gateways were given; a pass over its messages."""
    number = stored_id(campaign_id)
    query = (
        select(MESSAGES.c.state, SUBMISSIONS.c.provider, SUBMISSIONS.c.taken, func.count())
        .join(SUBMISSIONS, SUBMISSIONS.c.id == MESSAGES.c.submission_id)
        .where(MESSAGES.c.campaign_id == number)
        .group_by(MESSAGES.c.state, SUBMISSIONS.c.provider, SUBMISSIONS.c.taken)
    )
    kept: Counter[tuple[str, Taking | None]] = Counter()
    n: Counter[str] = Counter()
    for state, provider, taken, n_messages in connection.execute(query):
        if state in STATES:
            kept[provider, None if taken is None else Taking(taken)] += n_messages
        elif state != MessageState.CANCELLED or taken == Taking.BACK:
            n[state] += n_messages
    return Standing(
        is_over=is_over(connection, number),
        back=n[MessageState.CANCELLED],
        left=sum(n[state] for state in _LEFT),
        kept=kept,
        doubtful=_doubts(connection, number),
        submitting=n[MessageState.SUBMITTING],
    )


def _doubts(connection: Connection, campaign_id: int) -> Counter[tuple[str, Taking | None]]:
    found = doubtful([campaign_id]).subquery()
    is_back = func.coalesce(SUBMISSIONS.c.taken, "") == Taking.BACK
    query = (
        select(SUBMISSIONS.c.provider, SUBMISSIONS.c.taken, func.count())
        .join(found, found.c.submission_id == SUBMISSIONS.c.id)
        .where(~is_back)
        .group_by(SUBMISSIONS.c.provider, SUBMISSIONS.c.taken)
    )
    return Counter(
        {
            (provider, None if taken is None else Taking(taken)): n
            for provider, taken, n in connection.execute(query)
        }
    )


def submitting(connection: Connection, campaign_id: int) -> int:
    """Return how many messages of a campaign are on their way to a gateway; quick."""
    query = select(func.coalesce(func.sum(BATCHES.c.submitting), 0))
    return int(connection.execute(query.where(BATCHES.c.campaign_id == stored_id(campaign_id))).scalar_one())


def being_told(connection: Connection, campaign_id: int, *, within_ms: int) -> set[int]:
    """Return the requests of which a gateway was told so lately that its answer may be on its way."""
    number = stored_id(campaign_id)
    batch_ids = batches(connection, [number])
    lately = SUBMISSIONS.c.taken == Taking.UNCLEAR, SUBMISSIONS.c.taking_at > now_ms() - within_ms
    found: set[int] = set()
    for start in range(0, len(batch_ids), AT_ONCE):
        some = SUBMISSIONS.c.batch_id.in_(batch_ids[start : start + AT_ONCE])
        found.update(connection.scalars(select(SUBMISSIONS.c.id).where(some, *lately)))
    if has_doubts(connection, [number]):
        doubts = select(doubtful([number]).subquery().c.submission_id)
        found.update(
            connection.scalars(select(SUBMISSIONS.c.id).where(SUBMISSIONS.c.id.in_(doubts), *lately))
        )
    return found


def providers(connection: Connection, campaign_id: int) -> list[str]:
    """Return the providers that messages of a campaign may have gone through."""
    query = select(BATCHES.c.provider).where(BATCHES.c.campaign_id == stored_id(campaign_id)).distinct()
    return sorted(connection.scalars(query))


def kept_by(connection: Connection, provider: str) -> int:
    """Return how many messages the gateway of a provider keeps until their time, cancelled ones left out."""
    query = (
        select(func.coalesce(func.sum(BATCHES.c.accepted), 0))
        .join(CAMPAIGNS, CAMPAIGNS.c.id == BATCHES.c.campaign_id)
        .where(BATCHES.c.provider == provider, CAMPAIGNS.c.leaves_at > now_once())
        .where(CAMPAIGNS.c.state != CampaignState.CANCELLED)
    )
    return int(connection.execute(query).scalar_one())


@dataclass(frozen=True, kw_only=True)
class Late:
    """Messages that a gateway was to keep until a time which is over, and that it has not been given."""

    n: int
    since: int  # the earliest of their times, epoch milliseconds


def late_for(connection: Connection, provider: str) -> Late | None:
    """Return what is late and leaves as soon as a provider is open; None when nothing does."""
    query = (
        select(func.coalesce(func.sum(BATCHES.c.queued), 0), func.min(CAMPAIGNS.c.leaves_at))
        .join(CAMPAIGNS, CAMPAIGNS.c.id == BATCHES.c.campaign_id)
        .where(BATCHES.c.provider == provider, BATCHES.c.queued > 0, BATCHES.c.state != BatchState.HELD)
        .where(CAMPAIGNS.c.state == CampaignState.RUNNING, CAMPAIGNS.c.leaves_at <= now_once())
    )
    n, since = connection.execute(query).one()
    return Late(n=int(n), since=since) if n else None
