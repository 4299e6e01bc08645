"""Notices: who wanted to know when a campaign is done is told at least once, by one of many."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, or_, select, update

from worker.clock import instant
from worker.ledger import orders, reports
from worker.ledger.engine import now_ms, now_once
from worker.ledger.models import CAMPAIGNS, MESSAGES, ORDERS
from worker.states import CampaignState, MessageState

ATTEMPTS = 10
_FIRST_PAUSE_MS = 60_000  # longer than an attempt takes, so nobody else begins one meanwhile
_LONGEST_PAUSE_MS = 3_600_000

_RESTARTS = (orders.ADD, orders.RETRY, orders.RESEND)
"""After these a campaign may end once more, and that is told too."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One attempt that is ours to make.

    Attributes:
        campaign_id: whose end is told.
        key: the same for every attempt to tell this end, so that whoever is told twice can see it.
        attempt: from 1.
        next_at: when the next one may be made, epoch ms; whoever wants it told anew changes that.
    """

    campaign_id: int
    key: str
    attempt: int
    next_at: int


def due(connection: Connection) -> int | None:
    """Return a campaign whose end is to be told now; a plain read.

    It is wholly imported, and nothing of it is queued or on its way to a gateway.
    """
    query = select(CAMPAIGNS.c.id).where(*_is_due()).order_by(CAMPAIGNS.c.notice_at, CAMPAIGNS.c.id)
    found: int | None = connection.scalar(query.limit(1))
    return found


def _is_due() -> tuple[ColumnElement[bool], ...]:
    return (
        CAMPAIGNS.c.notice_at.is_not(None),  # as the index says it
        CAMPAIGNS.c.notice_at <= now_once(),
        CAMPAIGNS.c.state.in_([CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.CANCELLED]),
        ~reports.has_left(CAMPAIGNS.c.id),
    )


def claim(connection: Connection, campaign_id: int) -> Notice | None:
    """Take the next attempt, and put the one after it off; None when somebody else was quicker."""
    n_before = CAMPAIGNS.c.n_notices
    doubled = (_FIRST_PAUSE_MS * 2**n for n in range(ATTEMPTS))
    pause = case(
        *((n_before == n, min(ms, _LONGEST_PAUSE_MS)) for n, ms in enumerate(doubled)),
        else_=_LONGEST_PAUSE_MS,
    )
    claimed = update(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id, *_is_due())
    made = connection.execute(
        claimed.values(notice_at=now_ms() + pause, n_notices=n_before + 1).returning(
            CAMPAIGNS.c.n_notices, CAMPAIGNS.c.notice_at
        )
    ).one_or_none()
    if made is None:
        return None
    last = select(func.max(ORDERS.c.id)).where(
        ORDERS.c.campaign_id == campaign_id, ORDERS.c.what.in_(_RESTARTS)
    )
    key = f"{campaign_id}-{connection.scalar(last) or 0}"
    return Notice(campaign_id=campaign_id, key=key, attempt=made.n_notices, next_at=made.notice_at)


def note_told(connection: Connection, notice: Notice) -> None:
    """Remember that it was told."""
    connection.execute(_of(notice).values(noticed_at=now_ms(), notice_at=None))


def note_vain(connection: Connection, notice: Notice, *, reason: str) -> bool:
    """Remember that nobody took it, and say whether it is tried again. ``reason`` holds no secret."""
    is_last = notice.attempt >= ATTEMPTS
    if is_last:
        connection.execute(_of(notice).values(notice_at=None))
    detail = f"attempt {notice.attempt} in vain: {reason}{'; given up' if is_last else ''}"
    orders.note(
        connection, orders.NOTICE, author=orders.OURSELVES, campaign_id=notice.campaign_id, detail=detail
    )
    return not is_last


def _of(notice: Notice) -> Any:  # noqa: ANN401 - an UPDATE of SQLAlchemy, whose type says nothing
    """Begin a change of the campaign, unless its end was wanted anew since the attempt was claimed.

    That end may have been claimed too, as the same attempt of its own: the time of the next one differs.
    """
    is_same = CAMPAIGNS.c.n_notices == notice.attempt, CAMPAIGNS.c.notice_at == notice.next_at
    return update(CAMPAIGNS).where(CAMPAIGNS.c.id == notice.campaign_id, *is_same)


def want_again(connection: Connection, campaign_id: int, *, is_wanted: bool = False) -> bool:
    """Let the end of a campaign be told that goes on, if it is wanted now, or the former one was.

    Perhaps that is told at this moment. In the transaction that lets it go on, which has locked the campaign
    for itself from its beginning.

    Returns:
        whether it will be told.
    """
    goes_on = update(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id)
    if not is_wanted:
        columns = CAMPAIGNS.c.notice_at, CAMPAIGNS.c.noticed_at
        goes_on = goes_on.where(or_(CAMPAIGNS.c.n_notices > 0, *(each.is_not(None) for each in columns)))
    return connection.execute(goes_on.values(notice_at=now_ms(), n_notices=0, noticed_at=None)).rowcount == 1


def want_of_queued(connection: Connection, message_ids: Collection[int]) -> dict[int, int]:
    """Do that for the campaigns of messages that are queued again; return which will be told, of how many.

    ``message_ids`` are some that were not; the counts are of those that are.
    """
    queued = MESSAGES.c.id.in_(message_ids), MESSAGES.c.state == MessageState.QUEUED
    query = select(MESSAGES.c.campaign_id, func.count()).where(*queued).group_by(MESSAGES.c.campaign_id)
    found = connection.execute(query.order_by(MESSAGES.c.campaign_id)).all()
    return {number: int(n) for number, n in found if want_again(connection, number)}


def is_settled(connection: Connection, campaign_id: int) -> bool:
    """Say whether there is nobody to tell, somebody was told, or an attempt was in vain."""
    query = select(CAMPAIGNS.c.notice_at).where(CAMPAIGNS.c.id == campaign_id)
    return (
        connection.scalar(query) is None or orders.last_at(connection, campaign_id, orders.NOTICE) is not None
    )


def summary(connection: Connection, campaign_id: int) -> dict[str, Any]:
    """Return what is told: counts, parts, cost and times, and neither a number nor a text.

    ``parts`` and ``cost`` are of what was sent or may have been, with ``ordered_`` of all that was ordered.
    """
    found = reports.report(connection, campaign_id)
    (ordered_parts, ordered_cost), (parts, cost) = reports.sums(connection, campaign_id)
    names = ("id", "name", "state", "provider", "rows", "messages", "duplicates", "refused", "skipped")
    return {
        **{name: getattr(found, name) for name in names},
        "counts": {state.value: n for state, n in found.counts.items()},
        "codes": reports.codes(connection, campaign_id),
        "parts": parts,
        "cost": cost.render(),
        "ordered_parts": ordered_parts,
        "ordered_cost": ordered_cost.render(),
        "created_at": _iso(found.created_at),
        "due_at": _iso(found.due_at),
        "ended_at": _iso(reports.ended_at(connection, campaign_id)),
    }


def _iso(epoch_ms: int | None) -> str | None:
    return None if epoch_ms is None else f"{instant(epoch_ms):%Y-%m-%dT%H:%M:%S}Z"
