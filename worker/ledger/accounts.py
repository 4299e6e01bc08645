"""Accounts: whether anything may leave through a provider, and why not; the same on every host.

Closed by a pause that ends by itself, by trouble (``trouble``) that ends when a check succeeds, or by an
operator.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    RowMapping,
    Update,
    and_,
    case,
    or_,
    select,
    text,
    update,
)

from worker.ledger import orders
from worker.ledger.engine import control_lock, now_ms
from worker.ledger.models import ACCOUNTS, BATCHES
from worker.states import BatchState

_SHORT_WHILE_MS = 600_000


def account_is_open(provider: Column[str]) -> ColumnElement[bool]:
    """Say, as SQL, that something could leave now: nothing holds the account back, nor is it throttled."""
    return ~_found(provider, or_(_is_held(), ACCOUNTS.c.throttled_until > now_ms()))


def account_is_held(provider: Column[str]) -> ColumnElement[bool]:
    """Say, as SQL, that something holds the account back which is not its rate."""
    return _found(provider, _is_held())


def account_takes(provider: Column[str], batch_id: Column[int]) -> ColumnElement[bool]:
    """Say, as SQL, that messages of the batch may leave: a braked account takes those of one batch only.

    Who has a slot need not mind that the next one is far.
    """
    braked = and_(
        ACCOUNTS.c.brake_ms > 0,
        or_(ACCOUNTS.c.trial_batch_id.is_(None), ACCOUNTS.c.trial_batch_id != batch_id),
    )
    return ~_found(provider, or_(_is_held(), braked))


def _found(provider: Column[str], condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(ACCOUNTS.c.provider).where(ACCOUNTS.c.provider == provider, condition).exists()


def _is_held() -> ColumnElement[bool]:
    return or_(
        ACCOUNTS.c.not_before > now_ms(), ACCOUNTS.c.check_at.is_not(None), ACCOUNTS.c.paused_by.is_not(None)
    )


def of_provider(provider: str) -> Update:
    """Begin a change of one account."""
    return update(ACCOUNTS).where(ACCOUNTS.c.provider == provider)


def sharing(connection: Connection, provider: str) -> list[str]:
    """Return the providers of the same account, itself included."""
    key = select(ACCOUNTS.c.account_key).where(ACCOUNTS.c.provider == provider, ACCOUNTS.c.account_key != "")
    query = select(ACCOUNTS.c.provider).where(ACCOUNTS.c.account_key == key.scalar_subquery())
    return sorted({provider, *connection.scalars(query)})


# --- closed for a while


def hold_account(connection: Connection, provider: str, *, pause_ms: int, reason: str) -> None:
    """Let nothing leave through a provider, and all that share its account; a longer pause is not shortened.

    The hints that are out find nothing to lease meanwhile, so they are forgotten, to be published again.
    Trouble that is over for long is forgotten too: what comes after the pause is another.
    """
    control_lock(connection, shared=False)
    names = sharing(connection, provider)
    forget_hints(connection, *names)
    make_sure_of(connection, provider)
    until = now_ms() + pause_ms
    in_trouble = ACCOUNTS.c.check_at.is_not(None)  # which is the reason that counts
    is_recent = or_(in_trouble, was_closed_lately())
    connection.execute(
        update(ACCOUNTS)
        .where(ACCOUNTS.c.provider.in_(names), ACCOUNTS.c.not_before < until)
        .values(
            not_before=until,
            reason=case((in_trouble, ACCOUNTS.c.reason), else_=reason),
            closed_since=case((is_recent, ACCOUNTS.c.closed_since)),
        )
    )


def was_closed_lately() -> ColumnElement[bool]:
    """Say, as SQL, that the account has taken nothing since it was opened a short while ago."""
    opened_at = ACCOUNTS.c.not_before
    return and_(ACCOUNTS.c.closed_since.is_not(None), opened_at > now_ms() - _SHORT_WHILE_MS)


# --- closed by an operator


def pause_account(connection: Connection, provider: str, *, reason: str, author: str) -> bool:
    """Let nothing leave through a provider until it is resumed; what is marked already still leaves.

    Returns:
        whether this paused it: one that is paused already stays as it is.
    """
    control_lock(connection, shared=False)
    forget_hints(connection, provider)
    make_sure_of(connection, provider)
    running = of_provider(provider).where(ACCOUNTS.c.paused_by.is_(None))
    is_new = connection.execute(running.values(paused_by=author, paused_reason=reason)).rowcount == 1
    if is_new:
        orders.note(connection, orders.PAUSE, author=author, provider=provider, detail=reason)
    return is_new


def resume_account(connection: Connection, provider: str, *, author: str = orders.OURSELVES) -> None:
    """Open a provider again, whatever closed it: pause, trouble or brake."""
    control_lock(connection, shared=False)
    orders.note(connection, orders.RESUME, author=author, provider=provider)
    forget_hints(connection, provider)
    make_sure_of(connection, provider)
    nothing = dict.fromkeys(
        ("reason", "trial_batch_id", "check_at", "closed_since", "paused_by", "paused_reason"), None
    )
    connection.execute(
        of_provider(provider).values(**nothing, not_before=0, n_ambiguous=0, brake_ms=0, check_ms=0)
    )


# --- shown


@dataclass(frozen=True, kw_only=True)
class AccountStanding:
    """How an account stands. Instants are epoch milliseconds.

    While it is throttled it is open: it goes on by itself, as fast as its rate allows.
    """

    provider: str
    state: str  # open, waiting (until ``until``), trouble or braked (checked at ``until``), paused
    reason: str | None = None
    until: int | None = None
    since: int | None = None  # that the gateway takes nothing
    author: str | None = None  # who paused it
    n_ambiguous: int = 0
    account_key: str = ""
    rate: str | None = None  # in force; empty: no limit; None: nothing is noted
    file_rate: str | None = None  # of the settings that workers were started with
    rate_author: str | None = None  # who ordered it; None: it is that of the settings
    throttled_until: int | None = None
    throttled_reason: str | None = None


def standings(connection: Connection) -> dict[str, AccountStanding]:
    """Return how the accounts stand that anything was ever noted of."""
    is_waiting = (ACCOUNTS.c.not_before > now_ms()).label("is_waiting")
    is_throttled = (ACCOUNTS.c.throttled_until > now_ms()).label("is_throttled")
    found = connection.execute(select(ACCOUNTS, is_waiting, is_throttled)).mappings()
    return {row["provider"]: _standing(row) for row in found}


def _standing(row: RowMapping) -> AccountStanding:
    state = _state(row["paused_by"], row["check_at"], row["brake_ms"], is_waiting=row["is_waiting"])
    file_rate = row["rate"] if row["account_key"] else None
    return AccountStanding(
        provider=row["provider"],
        state=state,
        reason=None if state == "open" else row["paused_reason"] or row["reason"],
        until=row["check_at"] or (row["not_before"] if row["is_waiting"] else None),
        since=row["closed_since"],
        author=row["paused_by"],
        n_ambiguous=row["n_ambiguous"],
        account_key=row["account_key"],
        rate=file_rate if row["ordered_rate"] is None else row["ordered_rate"],
        file_rate=file_rate,
        rate_author=row["rate_author"],
        throttled_until=row["throttled_until"] if row["is_throttled"] else None,
        throttled_reason=row["throttled_reason"] if row["is_throttled"] else None,
    )


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


def forget_hints(connection: Connection, *providers: str) -> None:
    """Let the hints of providers be published anew: those that are out find nothing to lease, or did."""
    hinted = select(BATCHES.c.id).where(
        BATCHES.c.provider.in_(providers),
        BATCHES.c.state == BatchState.OPEN,
        BATCHES.c.published_at.is_not(None),
    )
    found = list(connection.scalars(hinted.order_by(BATCHES.c.id).with_for_update()))
    forgotten = update(BATCHES).where(BATCHES.c.id.in_(found))
    connection.execute(forgotten.values(published_at=None, n_hints=0))
