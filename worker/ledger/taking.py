"""Taking back what gateways keep until its time, once its campaign was cancelled.

The wish is the cancelled campaign itself, so it outlives whoever had it. That the gateway is told is noted
before it is, as unclear until there is an answer: whoever is killed in between leaves no more than that.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select, update

from worker.ledger import kept
from worker.ledger.engine import now_ms, now_of, now_once
from worker.ledger.locks import lock_batches_of
from worker.ledger.models import BATCHES, CAMPAIGNS, EARLIER_SUBMISSIONS, MESSAGES, SUBMISSIONS
from worker.states import CampaignState, MessageState, SubmissionOutcome, Taking

CODE = "taken_back"
"""The code of a message that its gateway gave back."""

_SLOWER = 8  # what has been unclear for 8 minutes is told once more every minute
_SLOWEST_MS = 3_600_000


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A request whose messages the gateway is to give back."""

    submission_id: int
    reference: str
    provider_ref: str | None
    outcome: str
    taken: str | None  # what is known so far
    taking_at: int | None  # when the gateway was last told so far
    left_ms: int  # until it leaves
    age_ms: int  # since its outcome
    told_at: int | None = None  # when it is told by us

    @property
    def is_plain(self) -> bool:
        """Whether an answer that nothing is there means that it is too late.

        It does not where an earlier call may have been obeyed, or the request itself may still be on its way.
        """
        return self.taken is None and self.is_there

    @property
    def is_there(self) -> bool:
        """Whether the gateway is known to have the request."""
        return self.outcome == SubmissionOutcome.ANSWERED


def next_wish(  # noqa: PLR0913 - whom it concerns, and when
    connection: Connection,
    provider: str,
    *,
    login: str,
    again_ms: int,
    ahead_ms: int,
    since: int | None = None,
) -> Wish | None:
    """Return a request that the gateway is to be told about now, None when there is none; a plain read.

    Only what this ``login`` was given: another one knows nothing of it. One of which nothing is known is due
    again ``again_ms`` after it was last told, in time less often, as long as there are ``ahead_ms`` left. One
    that is nearer and was never told is due to be noted as too late.

    Args:
        connection: of a read transaction.
        provider: whose gateway it is.
        login: at that gateway.
        again_ms: longer than a call to it may last.
        ahead_ms: before its time a request is not given back any more.
        since: a person's order, by the database's clock in epoch milliseconds: what was not told since then
            is due at once, but for ``again_ms``.
    """
    cancelled = select(CAMPAIGNS.c.id).where(
        CAMPAIGNS.c.state == CampaignState.CANCELLED, CAMPAIGNS.c.leaves_at > now_once()
    )
    campaign_ids = list(connection.scalars(cancelled))
    if not campaign_ids:
        return None
    is_worth_it = SUBMISSIONS.c.taken.is_(None) | (_left_ms() > ahead_ms)
    is_rested = _is_rested(again_ms, ahead_ms=ahead_ms)
    if since is not None:
        is_rested = _is_rested_since(since, again_ms)
    wishes = _wishes().where(SUBMISSIONS.c.login == login, _is_open(), is_rested, is_worth_it).limit(1)
    batch_ids = kept.batches(connection, campaign_ids, provider=provider)
    for start in range(0, len(batch_ids), kept.AT_ONCE):
        some = SUBMISSIONS.c.batch_id.in_(batch_ids[start : start + kept.AT_ONCE])
        found = connection.execute(wishes.where(some, _is_kept().exists())).mappings().one_or_none()
        if found is not None:
            return Wish(**found)
    if not kept.has_doubts(connection, campaign_ids):
        return None
    doubtful = select(kept.doubtful(campaign_ids).subquery().c.submission_id)
    query = wishes.where(SUBMISSIONS.c.id.in_(doubtful), BATCHES.c.provider == provider)
    found = connection.execute(query).mappings().one_or_none()
    return None if found is None else Wish(**found)


def _wishes() -> Select[tuple[int, str, str | None, str, str | None, int | None, int, int]]:
    names = ("reference", "provider_ref", "outcome", "taken", "taking_at")
    columns = [SUBMISSIONS.c[name] for name in names]
    return (
        select(
            SUBMISSIONS.c.id.label("submission_id"),
            *columns,
            _left_ms().label("left_ms"),
            _age_ms().label("age_ms"),
        )
        .join(BATCHES, BATCHES.c.id == SUBMISSIONS.c.batch_id)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == BATCHES.c.campaign_id)
    )


def _left_ms() -> ColumnElement[int]:
    return CAMPAIGNS.c.leaves_at - now_ms()


def _age_ms() -> ColumnElement[int]:
    return now_ms() - func.coalesce(SUBMISSIONS.c.ended_at, SUBMISSIONS.c.started_at)


def _is_kept() -> Select[int]:
    return select(MESSAGES.c.id).where(
        MESSAGES.c.submission_id == SUBMISSIONS.c.id, MESSAGES.c.state.in_(kept.STATES)
    )


def _is_open() -> ColumnElement[bool]:
    """Say, as SQL, that the request is over, and nothing is known of what became of the wish."""
    is_open = SUBMISSIONS.c.taken.is_(None) | (SUBMISSIONS.c.taken == Taking.UNCLEAR)
    return (SUBMISSIONS.c.outcome != SubmissionOutcome.OPEN) & is_open


def _is_rested(again_ms: int, *, ahead_ms: int) -> ColumnElement[bool]:
    """Say, as SQL, that the gateway may be told again: in time less often, and more often near its end."""
    rest = now_ms() - SUBMISSIONS.c.taking_at
    is_long = or_(rest * _SLOWER >= _age_ms(), rest * _SLOWER >= _left_ms() - ahead_ms, rest >= _SLOWEST_MS)
    return or_(SUBMISSIONS.c.taking_at.is_(None), and_(rest >= again_ms, is_long))


def _is_rested_since(since: int, again_ms: int) -> ColumnElement[bool]:
    taking_at = SUBMISSIONS.c.taking_at
    return or_(taking_at.is_(None), and_(taking_at < since, taking_at <= now_ms() - again_ms))


def claim(connection: Connection, wish: Wish) -> Wish | None:
    """Note that the gateway is told now, by us; None when somebody else has told it meanwhile."""
    told = update(SUBMISSIONS).where(*_is_as_read(wish)).values(taken=Taking.UNCLEAR, taking_at=now_ms())
    told_at = connection.execute(told.returning(SUBMISSIONS.c.taking_at)).scalar_one_or_none()
    return None if told_at is None else replace(wish, told_at=told_at)


def put_off(connection: Connection, wish: Wish) -> None:
    """Let a wish rest of which the gateway cannot be told now, unless somebody just did."""
    connection.execute(update(SUBMISSIONS).where(*_is_as_read(wish)).values(taking_at=now_ms()))


def _is_as_read(wish: Wish) -> tuple[ColumnElement[bool], ...]:
    """Say, as SQL, that nobody has told the gateway since the wish was read."""
    is_untold = SUBMISSIONS.c.taking_at.is_not_distinct_from(wish.taking_at)
    return SUBMISSIONS.c.id == wish.submission_id, _is_open(), is_untold


def _is_ours(wish: Wish) -> tuple[ColumnElement[bool], ...]:
    """Say, as SQL, that nobody but us has told the gateway since we claimed the wish."""
    is_last = SUBMISSIONS.c.taking_at == wish.told_at
    return SUBMISSIONS.c.id == wish.submission_id, SUBMISSIONS.c.taken == Taking.UNCLEAR, is_last


def note_unsaid(connection: Connection, wish: Wish) -> None:
    """Note that the gateway was not told after all: no byte was written."""
    before = {"taken": wish.taken, "taking_at": wish.taking_at}
    connection.execute(update(SUBMISSIONS).where(*_is_ours(wish)).values(before))


def note_late(connection: Connection, wish: Wish) -> None:
    """Note that it is too late to tell the gateway, unless somebody just did.

    Of what nobody knows whether the gateway has it, nobody knows either whether it will leave.
    """
    taken = Taking.TOO_LATE if wish.is_plain else Taking.UNCLEAR
    connection.execute(update(SUBMISSIONS).where(*_is_as_read(wish)).values(taken=taken, taking_at=now_ms()))


def note(connection: Connection, wish: Wish, taken: Taking) -> int:
    """Note what the gateway said, and return how many messages it gave back; they are then cancelled."""
    if taken is Taking.BACK:
        return _give_back(connection, wish)
    if taken is Taking.TOO_LATE and wish.is_plain:
        connection.execute(update(SUBMISSIONS).where(*_is_ours(wish)).values(taken=taken))
    return 0


def _give_back(connection: Connection, wish: Wish) -> int:
    lock_batches_of(connection, _messages_of(connection, wish))  # a fallback has other batches
    now = now_of(connection)
    submission = update(SUBMISSIONS).where(SUBMISSIONS.c.id == wish.submission_id)
    connection.execute(submission.values(taken=Taking.BACK))
    unclear = submission.where(SUBMISSIONS.c.outcome == SubmissionOutcome.UNKNOWN)
    connection.execute(unclear.values(outcome=SubmissionOutcome.ANSWERED))
    ours = MESSAGES.c.submission_id == wish.submission_id, MESSAGES.c.state.in_(kept.STATES)
    query = select(MESSAGES.c.id, MESSAGES.c.batch_id, MESSAGES.c.state).where(*ours)
    found = connection.execute(query.order_by(MESSAGES.c.id).with_for_update()).all()
    for state in kept.STATES:
        concerned = [row for row in found if row.state == state]
        moved = update(MESSAGES).where(MESSAGES.c.id.in_([row.id for row in concerned]))
        cleared = 1 if state is MessageState.UNKNOWN else 0
        values = {"state": MessageState.CANCELLED, "code": CODE, "detail": None, "changed_at": now}
        connection.execute(moved.values(**values, n_doubts=MESSAGES.c.n_doubts - cleared))
        for batch_id, n in sorted(Counter(row.batch_id for row in concerned).items()):
            counters = {state.value: BATCHES.c[state.value] - n, "cancelled": BATCHES.c.cancelled + n}
            connection.execute(update(BATCHES).where(BATCHES.c.id == batch_id).values(counters))
    return len(found)


def _messages_of(connection: Connection, wish: Wish) -> list[int]:
    """Return the messages of a request, those included that have been in a later one since."""
    query = select(MESSAGES.c.id).where(MESSAGES.c.submission_id == wish.submission_id)
    earlier = select(EARLIER_SUBMISSIONS.c.message_id)
    earlier = earlier.where(EARLIER_SUBMISSIONS.c.submission_id == wish.submission_id)
    return list(connection.scalars(query.union(earlier)))
