"""Trouble: accounts that a gateway refuses, that cannot be reached, or whose answers cannot be read.

They are closed until a check succeeds, which sends nothing; what is braked is then tried with one message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Connection, and_, case, or_, select

from worker.ledger.accounts import forget_hints, make_sure_of, of_provider, was_closed_lately
from worker.ledger.engine import control_lock, now_ms
from worker.ledger.models import ACCOUNTS, BATCHES
from worker.states import BatchState

_AMBIGUOUS_TO_BRAKE = 3
_FIRST_BRAKE_MS = 5_000
_LONGEST_PAUSE_MS = 300_000
_CLAIM_MS = 60_000  # a check takes a request's deadline, 20 s at most
_BRAKED = "the gateway's answers could not be read, three in a row: it is tried with one message at a time"


# --- closed


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
    forget_hints(connection, provider)
    make_sure_of(connection, provider)
    doubled = case((was_closed_lately(), ACCOUNTS.c.check_ms * 2), else_=0)
    pause_ms = case(
        (doubled > _LONGEST_PAUSE_MS, _LONGEST_PAUSE_MS), (doubled > check_ms, doubled), else_=check_ms
    )
    first_ms = case((doubled > check_ms, pause_ms), else_=check_in_ms)
    connection.execute(
        of_provider(provider)
        .where(ACCOUNTS.c.check_at.is_(None))
        .values(
            check_at=now_ms() + first_ms,
            check_ms=pause_ms,
            closed_since=_closed_since(),
            is_refused=is_refused,
            reason=reason,
        )
    )


def _closed_since() -> ColumnElement[int]:
    """Say, as SQL, since when an account takes nothing that is closed now."""
    return case((was_closed_lately(), ACCOUNTS.c.closed_since), else_=now_ms())


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What came back of the requests of one batch."""

    batch_id: int
    clear: Sequence[bool]  # whether each answer could be read, in the order in which they came
    has_taken: bool = False  # the gateway took a message: then all is well with the account


def note_answers(connection: Connection, provider: str, answers: Answers, *, check_ms: int) -> None:
    """Count answers that could not be read; brake at the third in a row.

    A braked account is closed for 5 s, then for twice as long after each further ambiguous answer, up to 5
    minutes, and until a check succeeds, made every ``check_ms``; a clear answer ends that. What was under way
    when the brake began neither lengthens nor ends it: only the batch counts that the account is tried with.
    """
    clear = answers.clear
    n_last = next((n for n, is_clear in enumerate(reversed(clear)) if is_clear), len(clear))
    if n_last:
        control_lock(connection, shared=False)  # a brake that is written holds for every later mark
    if n_last < len(clear):
        _note_clear(connection, provider, answers)
    if n_last == 0:
        return
    make_sure_of(connection, provider)
    counted = of_provider(provider).where(_counts(answers.batch_id))
    if connection.execute(counted.values(n_ambiguous=ACCOUNTS.c.n_ambiguous + n_last)).rowcount:
        _brake(connection, provider, check_ms=check_ms)


def _counts(batch_id: int) -> ColumnElement[bool]:
    """Say, as SQL, that answers of the batch tell how the account is: of a braked one, only what is tried."""
    return or_(ACCOUNTS.c.brake_ms == 0, ACCOUNTS.c.trial_batch_id == batch_id)


def _note_clear(connection: Connection, provider: str, answers: Answers) -> None:
    if answers.has_taken:
        well = of_provider(provider).where(
            ACCOUNTS.c.check_at.is_(None), ACCOUNTS.c.closed_since.is_not(None), _counts(answers.batch_id)
        )
        connection.execute(well.values(closed_since=None, check_ms=0))
    is_counting = or_(ACCOUNTS.c.n_ambiguous > 0, ACCOUNTS.c.brake_ms > 0)
    quiet = of_provider(provider).where(is_counting, _counts(answers.batch_id))
    connection.execute(quiet.values(n_ambiguous=0, brake_ms=0, trial_batch_id=None))


def _brake(connection: Connection, provider: str, *, check_ms: int) -> None:
    """Brake an account at once, even one that is closed: what closed it stays, and is over before the trial.

    The brake of an account that is closed is not made longer: nothing was tried since.
    """
    is_first = ACCOUNTS.c.brake_ms == 0
    is_open = and_(ACCOUNTS.c.not_before <= now_ms(), ACCOUNTS.c.check_at.is_(None))
    longer = case(
        (is_first, _FIRST_BRAKE_MS),
        (ACCOUNTS.c.brake_ms * 2 > _LONGEST_PAUSE_MS, _LONGEST_PAUSE_MS),
        else_=ACCOUNTS.c.brake_ms * 2,
    )
    braked = of_provider(provider).where(ACCOUNTS.c.n_ambiguous >= _AMBIGUOUS_TO_BRAKE, is_first | is_open)
    closed = {
        "is_refused": False,
        "check_at": now_ms() + longer,
        "check_ms": check_ms,
        "closed_since": _closed_since(),
        "reason": _BRAKED,
    }
    in_trouble = ACCOUNTS.c.check_at.is_not(None)
    kept = {name: case((in_trouble, ACCOUNTS.c[name]), else_=value) for name, value in closed.items()}
    if connection.execute(braked.values(brake_ms=longer, trial_batch_id=None, **kept)).rowcount == 1:
        forget_hints(connection, provider)


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
    braked = ACCOUNTS.c.provider == provider, ACCOUNTS.c.brake_ms > 0
    return ~select(ACCOUNTS.c.provider).where(*braked, _is_tried_elsewhere(batch_id)).exists()


def _is_tried_elsewhere(batch_id: Column[int] | int) -> ColumnElement[bool]:
    """Say, as SQL, that an account is being tried with another batch; what was given back tries nothing."""
    tried = BATCHES.alias()
    leased = tried.c.id == ACCOUNTS.c.trial_batch_id, tried.c.state == BatchState.LEASED
    return select(tried.c.id).where(*leased, tried.c.id != batch_id).exists()


def claim_trial(connection: Connection, provider: str, batch_id: int) -> None:
    """Let a braked account take messages of this batch, unless it already takes those of another.

    Whoever else claims at this moment has it: to wait for him would be to judge by an old look at his batch.
    """
    braked = select(ACCOUNTS.c.provider).where(ACCOUNTS.c.provider == provider, ACCOUNTS.c.brake_ms > 0)
    if connection.execute(braked.with_for_update(skip_locked=True)).one_or_none() is None:
        return
    claimed = of_provider(provider).where(~_is_tried_elsewhere(batch_id))
    connection.execute(claimed.values(trial_batch_id=batch_id))


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
    due = of_provider(provider).where(ACCOUNTS.c.check_at <= now_ms()).values(check_at=now_ms() + _CLAIM_MS)
    is_refused = connection.scalars(due.returning(ACCOUNTS.c.is_refused)).one_or_none()
    return None if is_refused is None else Check(is_refused=bool(is_refused))


def note_check(connection: Connection, provider: str, *, trouble: str | None, least_ms: int = 0) -> None:
    """Open the account after a check without trouble, else let it be checked again.

    ``least_ms`` is the shortest time between two checks that the gateway bears.
    """
    control_lock(connection, shared=False)  # first of all: orders lock batches, then the account
    closed = of_provider(provider).where(ACCOUNTS.c.check_at.is_not(None))
    if trouble is not None:
        pause_ms = case((ACCOUNTS.c.check_ms < least_ms, least_ms), else_=ACCOUNTS.c.check_ms)
        connection.execute(closed.values(check_at=now_ms() + pause_ms))
        return
    opened_at = case(
        (ACCOUNTS.c.not_before > now_ms(), ACCOUNTS.c.not_before), else_=now_ms()
    )  # a pause goes on
    opened = connection.execute(closed.values(check_at=None, not_before=opened_at, reason=None)).rowcount
    if opened:
        forget_hints(connection, provider)
