"""Pruning: texts, rows and numbers of campaigns that are over for long are removed; counts and digests stay.

A campaign is old when nothing of it has changed for that time: no request, outcome or report, no order that
sent something. It is marked before anything of it is removed: from then on it cannot be added to or retried.
An interrupted pruning is gone on with by the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, or_, select, update

from worker.ledger.engine import now_ms, now_of
from worker.ledger.given import execute_given
from worker.ledger.gone import digest, is_gone
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES, PUSHED_REPORTS, REMINDERS
from worker.ledger.orders import PRUNE, Counted
from worker.ledger.traces import ROWS_AT_ONCE, bare_campaign, go_through_pushes, is_written, remove_around
from worker.states import CampaignState

_UNDER_WAY = 0  # in ``pruned_at``
_NOT_RELEASED = (CampaignState.IMPORTING, CampaignState.READY)


@dataclass(frozen=True, kw_only=True)
class Old:
    """A campaign that can be pruned, and how many messages it has."""

    id: int
    name: str
    n_messages: int


def old(connection: Connection, *, older_ms: int) -> list[Old]:
    """Return the campaigns that can be pruned; costs a pass over the messages of those that are so old."""
    since = now_ms() - older_ms
    query = select(CAMPAIGNS.c.id, CAMPAIGNS.c.name).where(*_is_over(since), ~_is_young(since))
    found = connection.execute(query.order_by(CAMPAIGNS.c.id)).all()
    return [Old(id=row.id, name=row.name, n_messages=_n_left(connection, row.id)) for row in found]


def _n_left(connection: Connection, campaign_id: int) -> int:
    ours = MESSAGES.c.campaign_id == campaign_id, ~is_gone()
    return int(connection.execute(select(func.count()).where(*ours)).scalar_one())


def _is_over(since: ColumnElement[int]) -> tuple[ColumnElement[bool], ...]:
    """Say, as SQL, that a campaign was made before, and nothing of it leaves any more; costs little.

    What a gateway keeps until its time has not left before.
    """
    open_batches = select(BATCHES.c.id).where(
        BATCHES.c.campaign_id == CAMPAIGNS.c.id, BATCHES.c.queued + BATCHES.c.submitting > 0
    )
    return (
        CAMPAIGNS.c.created_at < since,
        func.coalesce(CAMPAIGNS.c.leaves_at, 0) < since,
        CAMPAIGNS.c.state.not_in(_NOT_RELEASED),
        or_(CAMPAIGNS.c.pruned_at.is_(None), CAMPAIGNS.c.pruned_at == _UNDER_WAY),
        or_(CAMPAIGNS.c.importing_until.is_(None), CAMPAIGNS.c.importing_until <= now_ms()),
        ~open_batches.exists(),
    )


def _is_young(since: ColumnElement[int]) -> ColumnElement[bool]:
    """Say, as SQL, that a message of a campaign has changed since, or reminds of what is to come.

    A pass over all of them, if none has. What is to come is in the next file too: without its key it would be
    sent again, also what was cancelled.
    """
    ours = MESSAGES.c.campaign_id == CAMPAIGNS.c.id
    young = select(MESSAGES.c.id).where(ours, MESSAGES.c.changed_at >= since)
    ahead = select(REMINDERS.c.message_id).join(MESSAGES, MESSAGES.c.id == REMINDERS.c.message_id)
    ahead = ahead.where(ours, func.abs(REMINDERS.c.version) > now_ms())  # of what was put by, too
    return or_(young.exists(), CAMPAIGNS.c.series.is_not(None) & ahead.exists())


def is_old(connection: Connection, campaign_id: int, *, older_ms: int) -> bool:
    """Say whether a campaign can be pruned; a plain read, to be made just before ``begin``."""
    since = now_ms() - older_ms
    query = select(CAMPAIGNS.c.id).where(CAMPAIGNS.c.id == campaign_id, *_is_over(since), ~_is_young(since))
    return connection.execute(query).one_or_none() is not None


def begin(connection: Connection, campaign_id: int, *, older_ms: int) -> bool:
    """Mark a campaign that ``is_old``, so that nothing of it is ever queued again; False when it goes on.

    Who queues a message locks its campaign shared until that is committed: we look after it. Not at every
    message once more, which lasts: nobody could write meanwhile.
    """
    ours = CAMPAIGNS.c.id == campaign_id
    connection.execute(select(CAMPAIGNS.c.id).where(ours).with_for_update()).all()
    if connection.scalar(select(CAMPAIGNS.c.id).where(ours, *_is_over(now_ms() - older_ms))) is None:
        return False
    connection.execute(update(CAMPAIGNS).where(ours).values(pruned_at=_UNDER_WAY))
    return True


def prune_some(connection: Connection, campaign_id: int, *, after: int, key: bytes) -> tuple[int, int | None]:
    """Prune some messages of a marked campaign; return how many, and the id from which to go on.

    Args:
        connection: of an open transaction, one for each call.
        campaign_id: of the campaign.
        after: an id; 0 at first.
        key: of the digests that take the place of the numbers.

    Returns:
        None in the place of the id at the end.
    """
    ours = MESSAGES.c.campaign_id == campaign_id, ~is_gone()
    first = connection.scalar(select(func.min(MESSAGES.c.id)).where(*ours, MESSAGES.c.id > after))
    if first is None:
        return 0, None
    until = first + ROWS_AT_ONCE - 1
    query = select(MESSAGES.c.id, MESSAGES.c.msisdn).where(*ours, MESSAGES.c.id.between(first, until))
    found = connection.execute(query.order_by(MESSAGES.c.id).with_for_update()).all()
    remove_around(connection, [row.id for row in found])
    _strip(connection, [(row.id, digest(key, row.msisdn)) for row in found])
    return len(found), until


def _strip(connection: Connection, rows: Sequence[tuple[int, str]]) -> None:
    execute_given(
        connection,
        "UPDATE messages SET msisdn = given.stand_in, text = NULL, cells = NULL, detail = NULL, zones = NULL "
        "FROM given WHERE messages.id = given.message",
        columns={"message": "bigint", "stand_in": "text"},
        rows=rows,
    )


def end(connection: Connection, campaign_id: int, order: Counted, *, n: int) -> None:
    """Remove what the messages of a campaign have in common, and note who ordered it."""
    values = {**bare_campaign(), "pruned_at": now_of(connection)}
    connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id).values(values))
    order.add(connection, campaign_id, n)


def order_of(author: str) -> Counted:
    """Make the order that a pruning is."""
    return Counted(what=PRUNE, author=author)


def n_pushes(connection: Connection, *, older_ms: int) -> int:
    """Count the raw reports that are older."""
    query = select(func.count()).where(_is_old_push(older_ms), is_written())
    return int(connection.execute(query).scalar_one())


def prune_pushes(connection: Connection, *, after: int, older_ms: int) -> tuple[int, int | None]:
    """Remove some raw reports that are older; return as ``prune_some`` does."""
    return go_through_pushes(
        connection,
        after,
        _is_old_push(older_ms),
        change=lambda _: {"query": "", "body": b"", "due_at": None},
    )


def _is_old_push(older_ms: int) -> ColumnElement[bool]:
    return PUSHED_REPORTS.c.received_at < now_ms() - older_ms
