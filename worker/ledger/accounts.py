"""Accounts: whether anything may leave through a provider, and why not; the same on every host.

Closed by a pause that ends by itself, by trouble that ends when a check succeeds, or by an operator. What is
in trouble is checked with a read-only call; what is braked is then tried with one message at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Connection, Update, and_, case, or_, select, text, update

from worker.ledger.engine import control_lock, now_ms
from worker.ledger.models import ACCOUNTS, BATCHES
from worker.states import BatchState

_AMBIGUOUS_TO_BRAKE = 3
_FIRST_BRAKE_MS = 5_000
_LONGEST_PAUSE_MS = 300_000
_SHORT_WHILE_MS = 600_000
_CLAIM_MS = 60_000  # a check takes a request's deadline, 20 s at most
_BRAKED = "the gateway's answers could not be read, three in a row: it is tried with one message at a time"


def account_is_open(provider: Column[str]) -> ColumnElement[bool]:
    """Say, as SQL, that nothing holds the account back."""
    return ~select(ACCOUNTS.c.provider).where(ACCOUNTS.c.provider == provider, _is_closed()).exists()


def account_takes(provider: Column[str], batch_id: Column[int]) -> ColumnElement[bool]:
    """Say, as SQL, that messages of the batch may leave: a braked account takes those of one batch only."""
    braked = and_(
        ACCOUNTS.c.brake_ms > 0,
        or_(ACCOUNTS.c.trial_batch_id.is_(None), ACCOUNTS.c.trial_batch_id != batch_id),
    )
    held = select(ACCOUNTS.c.provider).where(ACCOUNTS.c.provider == provider, or_(_is_closed(), braked))
    return ~held.exists()


def _is_closed() -> ColumnElement[bool]:
    return or_(
        ACCOUNTS.c.not_before > now_ms(), ACCOUNTS.c.check_at.is_not(None), ACCOUNTS.c.paused_by.is_not(None)
    )


def _of(provider: str) -> Update:
    return update(ACCOUNTS).where(ACCOUNTS.c.provider == provider)


# --- closed by the gateway


def hold_account(connection: Connection, provider: str, *, pause_ms: int, reason: str) -> None:
    """Let nothing leave through a provider for a while; a longer pause is not shortened.

    The hints that are out find nothing to lease meanwhile, so they are forgotten, to be published again.
    """
    control_lock(connection, shared=False)
    _forget_hints(connection, provider)
    make_sure_of(connection, provider)
    until = now_ms() + pause_ms
    in_trouble = ACCOUNTS.c.check_at.is_not(None)  # which is the reason that counts
    connection.execute(
        _of(provider)
        .where(ACCOUNTS.c.not_before < until)
        .values(not_before=until, reason=case((in_trouble, ACCOUNTS.c.reason), else_=reason))
    )


def close_account(  # noqa: PLR0913 - each is one fact about the trouble
    connection: Connection,
    provider: str,
    *,
    check_in_ms: int,
    check_ms: int,
    reason: str,
    is_refused: bool,
) -> None:
    """Let nothing leave through a provider until a check succeeds.

    Args:
        connection: of an open transaction.
        provider: the account.
        check_in_ms: the first check, from now.
        check_ms: between two checks. An account that was checked in vain, because it is closed again before
            it took anything, is checked half as often each time.
        reason: for the operator.
        is_refused: the gateway refused the account, so a check must find that it is well; else it is enough
            that the gateway answers.
    """
    control_lock(connection, shared=False)
    _forget_hints(connection, provider)
    make_sure_of(connection, provider)
    doubled = case((_was_closed_lately(), ACCOUNTS.c.check_ms * 2), else_=0)
    pause_ms = case(
        (doubled > _LONGEST_PAUSE_MS, _LONGEST_PAUSE_MS), (doubled > check_ms, doubled), else_=check_ms
    )
    first_ms = case((doubled > check_ms, pause_ms), else_=check_in_ms)
    connection.execute(
        _of(provider)
        .where(ACCOUNTS.c.check_at.is_(None))
        .values(
            check_at=now_ms() + first_ms,
            check_ms=pause_ms,
            closed_since=case((_was_closed_lately(), ACCOUNTS.c.closed_since), else_=now_ms()),
            is_refused=is_refused,
            reason=reason,
        )
    )


def _was_closed_lately() -> ColumnElement[bool]:
    """Say, as SQL, that the account has taken nothing since it was opened a short while ago."""
    opened_at = ACCOUNTS.c.not_before
    return and_(ACCOUNTS.c.closed_since.is_not(None), opened_at > now_ms() - _SHORT_WHILE_MS)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What came back of the requests of one batch."""

    batch_id: int
    clear: Sequence[bool]  # whether each answer could be read, in the order in which they came
    has_taken: bool = False  # the gateway took a message: then all is well with the account


def note_answers(connection: Connection, provider: str, answers: Answers, *, check_ms: int) -> bool:
    """Count answers that could not be read; brake at the third in a row.

    A braked account is closed for 5 s, then for twice as long after each further ambiguous answer, up to 5
    minutes, and until a check succeeds, made every ``check_ms``; a clear answer ends that. What was under way
    when the brake began does not lengthen it: only the batch counts that the account is tried with.

    Returns:
        whether the account was braked here and now.
    """
    clear = answers.clear
    n_last = next((n for n, is_clear in enumerate(reversed(clear)) if is_clear), len(clear))
    if n_last:
        control_lock(connection, shared=False)  # a brake that is written holds for every later mark
    if n_last < len(clear):
        _note_clear(connection, provider, has_taken=answers.has_taken)
    if n_last == 0:
        return False
    make_sure_of(connection, provider)
    counts = or_(ACCOUNTS.c.brake_ms == 0, ACCOUNTS.c.trial_batch_id == answers.batch_id)
    counted = _of(provider).where(counts).values(n_ambiguous=ACCOUNTS.c.n_ambiguous + n_last)
    if not connection.execute(counted).rowcount:
        return False
    return _brake(connection, provider, check_ms=check_ms)


def _note_clear(connection: Connection, provider: str, *, has_taken: bool) -> None:
    is_counting = or_(ACCOUNTS.c.n_ambiguous > 0, ACCOUNTS.c.brake_ms > 0)
    quiet = {"n_ambiguous": 0, "brake_ms": 0, "trial_batch_id": None}
    connection.execute(_of(provider).where(is_counting).values(quiet))
    if has_taken:
        well = _of(provider).where(ACCOUNTS.c.check_at.is_(None), ACCOUNTS.c.closed_since.is_not(None))
        connection.execute(well.values(closed_since=None, check_ms=0))


def _brake(connection: Connection, provider: str, *, check_ms: int) -> bool:
    longer = case(
        (ACCOUNTS.c.brake_ms == 0, _FIRST_BRAKE_MS),
        (ACCOUNTS.c.brake_ms * 2 > _LONGEST_PAUSE_MS, _LONGEST_PAUSE_MS),
        else_=ACCOUNTS.c.brake_ms * 2,
    )
    braked = connection.execute(
        _of(provider)
        .where(
            ACCOUNTS.c.n_ambiguous >= _AMBIGUOUS_TO_BRAKE,
            ACCOUNTS.c.not_before <= now_ms(),
            ACCOUNTS.c.check_at.is_(None),
        )
        .values(
            brake_ms=longer,
            trial_batch_id=None,
            is_refused=False,
            check_at=now_ms() + longer,
            check_ms=check_ms,
            closed_since=case((_was_closed_lately(), ACCOUNTS.c.closed_since), else_=now_ms()),
            reason=_BRAKED,
        )
    )
    if braked.rowcount == 1:
        _forget_hints(connection, provider)
    return braked.rowcount == 1


# --- tried with one message


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What an account has behind it: answers that could not be read, and perhaps the brake."""

    is_counting: bool = False
    is_braked: bool = False  # it is to be tried with one message


def trouble_of(connection: Connection, provider: str) -> Trouble:
    """Return what is counted of an account."""
    columns = ACCOUNTS.c.n_ambiguous, ACCOUNTS.c.brake_ms, ACCOUNTS.c.closed_since
    found = connection.execute(select(*columns).where(ACCOUNTS.c.provider == provider)).one_or_none()
    n_ambiguous, brake_ms, closed_since = found or (0, 0, None)
    is_counting = bool(n_ambiguous or brake_ms or closed_since is not None)
    return Trouble(is_counting=is_counting, is_braked=bool(brake_ms))


def trial_is_free(provider: Column[str], batch_id: Column[int]) -> ColumnElement[bool]:
    """Say, as SQL, that no other batch is the one that a braked account takes."""
    tried = BATCHES.alias()
    elsewhere = (
        select(tried.c.id)
        .join(ACCOUNTS, ACCOUNTS.c.trial_batch_id == tried.c.id)
        .where(
            ACCOUNTS.c.provider == provider,
            ACCOUNTS.c.brake_ms > 0,
            tried.c.id != batch_id,
            tried.c.state == BatchState.LEASED,
        )
    )
    return ~elsewhere.exists()


def claim_trial(connection: Connection, provider: str, batch_id: int) -> None:
    """Let a braked account take messages of this batch, unless it already takes those of another.

    Whoever else claims at this moment has it: to wait for him would be to judge by an old look at his batch.
    """
    braked = select(ACCOUNTS.c.provider).where(ACCOUNTS.c.provider == provider, ACCOUNTS.c.brake_ms > 0)
    if connection.execute(braked.with_for_update(skip_locked=True)).one_or_none() is None:
        return
    other = select(BATCHES.c.id).where(
        BATCHES.c.id == ACCOUNTS.c.trial_batch_id,
        BATCHES.c.id != batch_id,
        BATCHES.c.state == BatchState.LEASED,
    )
    connection.execute(_of(provider).where(~other.exists()).values(trial_batch_id=batch_id))


# --- checked


def is_check_due(connection: Connection, provider: str) -> bool:
    """Say whether a check is due; a plain read."""
    due = ACCOUNTS.c.provider == provider, ACCOUNTS.c.check_at <= now_ms()
    return connection.execute(select(ACCOUNTS.c.provider).where(*due)).one_or_none() is not None


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check that is ours to make: for a minute nobody else makes it."""

    is_refused: bool  # the gateway refused the account: that it answers is not enough


def claim_check(connection: Connection, provider: str) -> Check | None:
    """Return the check that is due, None when there is none or somebody else makes it."""
    due = _of(provider).where(ACCOUNTS.c.check_at <= now_ms()).values(check_at=now_ms() + _CLAIM_MS)
    is_refused = connection.scalars(due.returning(ACCOUNTS.c.is_refused)).one_or_none()
    return None if is_refused is None else Check(is_refused=bool(is_refused))


def note_check(connection: Connection, provider: str, *, trouble: str | None) -> None:
    """Open the account after a check without trouble, else let it be checked again."""
    closed = _of(provider).where(ACCOUNTS.c.check_at.is_not(None))
    if trouble is not None:
        connection.execute(closed.values(check_at=now_ms() + ACCOUNTS.c.check_ms))
        return
    opened_at = case(
        (ACCOUNTS.c.not_before > now_ms(), ACCOUNTS.c.not_before), else_=now_ms()
    )  # a pause goes on
    opened = connection.execute(closed.values(check_at=None, not_before=opened_at, reason=None)).rowcount
    if opened:
        _forget_hints(connection, provider)


# --- closed by an operator


def pause_account(connection: Connection, provider: str, *, reason: str, author: str) -> None:
    """Let nothing leave through a provider until it is resumed; what is marked already still leaves."""
    control_lock(connection, shared=False)
    _forget_hints(connection, provider)
    make_sure_of(connection, provider)
    connection.execute(_of(provider).values(paused_by=author, paused_reason=reason))


def resume_account(connection: Connection, provider: str) -> None:
    """Open a provider again, whatever closed it: pause, trouble or brake."""
    control_lock(connection, shared=False)
    _forget_hints(connection, provider)
    make_sure_of(connection, provider)
    nothing = dict.fromkeys(
        ("reason", "trial_batch_id", "check_at", "closed_since", "paused_by", "paused_reason"), None
    )
    connection.execute(_of(provider).values(**nothing, not_before=0, n_ambiguous=0, brake_ms=0, check_ms=0))


# --- shown


@dataclass(frozen=True, kw_only=True)
class AccountStanding:
    """How an account stands. Instants are epoch milliseconds."""

    provider: str
    state: str  # open, waiting (until ``until``), trouble or braked (checked at ``until``), paused
    reason: str | None = None
    until: int | None = None
    since: int | None = None  # that the gateway takes nothing
    author: str | None = None  # who paused it
    n_ambiguous: int = 0


def standings(connection: Connection) -> dict[str, AccountStanding]:
    """Return how the accounts stand that anything was ever noted of."""
    is_waiting = (ACCOUNTS.c.not_before > now_ms()).label("is_waiting")
    return {
        row.provider: AccountStanding(
            provider=row.provider,
            state=(state := _state(row.paused_by, row.check_at, row.brake_ms, is_waiting=row.is_waiting)),
            reason=None if state == "open" else row.paused_reason or row.reason,
            until=row.check_at or (row.not_before if row.is_waiting else None),
            since=row.closed_since,
            author=row.paused_by,
            n_ambiguous=row.n_ambiguous,
        )
        for row in connection.execute(select(ACCOUNTS, is_waiting))
    }


def _state(paused_by: str | None, check_at: int | None, brake_ms: int, *, is_waiting: bool) -> str:
    if paused_by is not None:
        return "paused"
    if brake_ms:
        return "braked"
    if check_at is not None:
        return "trouble"
    return "waiting" if is_waiting else "open"


def make_sure_of(connection: Connection, provider: str) -> None:
    """Have a row for the provider."""
    connection.execute(
        text(
            "INSERT INTO accounts (provider, not_before, n_ambiguous, brake_ms) VALUES (:provider, 0, 0, 0) "
            "ON CONFLICT (provider) DO NOTHING"
        ),
        {"provider": provider},
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
