"""Messages that were accepted long ago, and of which nothing was heard since; reads only."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, false, func, select

from worker.ledger import following
from worker.ledger.engine import now_ms
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES, SUBMISSIONS
from worker.ledger.reports import stored_id
from worker.states import MessageState


def unreported(*, telling: Collection[str], silent_ms: int) -> ColumnElement[bool]:
    """Say, as SQL, that a message was accepted long ago, and its gateway has not told what became of it.

    SUBMISSIONS is joined as its current one, CAMPAIGNS as its own.
    """
    if not telling:
        return false()
    is_told_of = SUBMISSIONS.c.provider.in_(sorted(telling))
    return (MESSAGES.c.state == MessageState.ACCEPTED) & is_told_of & (following.age() >= silent_ms)


def n_unreported(
    connection: Connection, campaign_id: int, *, telling: Collection[str], silent_ms: int
) -> int:
    """Count such messages of a campaign; a pass over its messages, where it is old enough to have any."""
    number = stored_id(campaign_id)
    is_old = CAMPAIGNS.c.id == number, CAMPAIGNS.c.created_at <= now_ms() - silent_ms
    may_have = BATCHES.c.campaign_id == number, BATCHES.c.accepted > 0
    old = connection.scalar(select(CAMPAIGNS.c.id).where(*is_old))
    if old is None or connection.scalar(select(BATCHES.c.id).where(*may_have).limit(1)) is None:
        return 0
    query = (
        select(func.count())
        .select_from(MESSAGES)
        .join(SUBMISSIONS, SUBMISSIONS.c.id == MESSAGES.c.submission_id)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
        .where(MESSAGES.c.campaign_id == number, unreported(telling=telling, silent_ms=silent_ms))
    )
    return int(connection.execute(query).scalar_one())


def is_unreported(
    connection: Connection, message_id: int, *, telling: Collection[str], silent_ms: int
) -> bool:
    """Say so of one message."""
    query = (
        select(MESSAGES.c.id)
        .join(SUBMISSIONS, SUBMISSIONS.c.id == MESSAGES.c.submission_id)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
        .where(MESSAGES.c.id == message_id, unreported(telling=telling, silent_ms=silent_ms))
    )
    return connection.execute(query).one_or_none() is not None
