"""Accounts: until when nothing may leave through a provider, and why; the same on every host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Connection, case, select, text, update

from worker.ledger.engine import control_lock, now_ms
from worker.ledger.models import ACCOUNTS, BATCHES
from worker.states import BatchState

_AMBIGUOUS_TO_BRAKE = 3
_FIRST_BRAKE_MS = 5_000
_LONGEST_BRAKE_MS = 300_000
_BRAKED = "the gateway's answers could not be read, three in a row: it is tried with one message at a time"


def account_is_open(provider: Column[str]) -> ColumnElement[bool]:
    """Say, as SQL, that nothing holds the account back."""
    held = select(ACCOUNTS.c.provider).where(
        ACCOUNTS.c.provider == provider, ACCOUNTS.c.not_before > now_ms()
    )
    return ~held.exists()


def hold_account(connection: Connection, provider: str, *, pause_ms: int, reason: str) -> None:
    """Let nothing leave through a provider for a while; a longer hold is not shortened.

    The hints that are out find nothing to lease meanwhile, so they are forgotten, to be published again.
    """
    control_lock(connection, shared=False)
    _forget_hints(connection, provider)
    _make_sure_of(connection, provider)
    until = now_ms() + pause_ms
    connection.execute(
        update(ACCOUNTS)
        .where(ACCOUNTS.c.provider == provider, ACCOUNTS.c.not_before < until)
        .values(not_before=until, reason=reason)
    )


def note_answers(connection: Connection, provider: str, clear: Sequence[bool]) -> bool:
    """Count answers that could not be read, in the order in which they came; brake at the third in a row.

    A braked account is held for 5 s, then for twice as long after each further ambiguous answer, up to 5
    minutes; a clear answer ends that. What was under way when the brake began does not lengthen it.

    Returns:
        whether the account was braked here and now.
    """
    n_last = next((n for n, is_clear in enumerate(reversed(clear)) if is_clear), len(clear))
    if n_last:
        control_lock(connection, shared=False)  # a brake that is written holds for every later mark
    account = update(ACCOUNTS).where(ACCOUNTS.c.provider == provider)
    if n_last < len(clear):
        is_counting = (ACCOUNTS.c.n_ambiguous > 0) | (ACCOUNTS.c.brake_ms > 0)
        connection.execute(account.where(is_counting).values(n_ambiguous=0, brake_ms=0))
    if n_last == 0:
        return False
    _make_sure_of(connection, provider)
    connection.execute(account.values(n_ambiguous=ACCOUNTS.c.n_ambiguous + n_last))
    return _brake(connection, provider)


def _brake(connection: Connection, provider: str) -> bool:
    longer = case(
        (ACCOUNTS.c.brake_ms == 0, _FIRST_BRAKE_MS),
        (ACCOUNTS.c.brake_ms * 2 > _LONGEST_BRAKE_MS, _LONGEST_BRAKE_MS),
        else_=ACCOUNTS.c.brake_ms * 2,
    )
    braked = connection.execute(
        update(ACCOUNTS)
        .where(
            ACCOUNTS.c.provider == provider,
            ACCOUNTS.c.n_ambiguous >= _AMBIGUOUS_TO_BRAKE,
            ACCOUNTS.c.not_before <= now_ms(),
        )
        .values(brake_ms=longer, not_before=now_ms() + longer, reason=_BRAKED)
    )
    if braked.rowcount == 1:
        _forget_hints(connection, provider)
    return braked.rowcount == 1


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What an account has behind it: answers that could not be read, and perhaps the brake."""

    is_counting: bool = False
    is_braked: bool = False  # it is to be tried with one message


def trouble_of(connection: Connection, provider: str) -> Trouble:
    """Return what is counted of an account."""
    query = select(ACCOUNTS.c.n_ambiguous, ACCOUNTS.c.brake_ms).where(ACCOUNTS.c.provider == provider)
    n_ambiguous, brake_ms = connection.execute(query).one_or_none() or (0, 0)
    return Trouble(is_counting=bool(n_ambiguous or brake_ms), is_braked=bool(brake_ms))


def _make_sure_of(connection: Connection, provider: str) -> None:
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
