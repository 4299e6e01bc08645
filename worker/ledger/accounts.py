"""Accounts: until when nothing may leave through a provider, and why; the same on every host."""

from __future__ import annotations

from sqlalchemy import Column, ColumnElement, Connection, select, text, update

from worker.ledger.engine import control_lock, now_ms
from worker.ledger.models import ACCOUNTS, BATCHES
from worker.states import BatchState


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
    connection.execute(
        text(
            "INSERT INTO accounts (provider, not_before, reason) VALUES (:provider, 0, NULL) "
            "ON CONFLICT (provider) DO NOTHING"
        ),
        {"provider": provider},
    )
    until = now_ms() + pause_ms
    connection.execute(
        update(ACCOUNTS)
        .where(ACCOUNTS.c.provider == provider, ACCOUNTS.c.not_before < until)
        .values(not_before=until, reason=reason)
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
