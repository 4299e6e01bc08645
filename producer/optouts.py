"""Opt-outs, looked up while a file is read; and what the same text reached already, where that is asked for.

A preview needs no ledger: what it cannot look up, it says so of. The mark looks once more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from sqlalchemy import Engine

from producer.order import Order
from worker.errors import ConfigError
from worker.ledger import optouts, reached
from worker.ledger.engine import now_of, reading
from worker.ledger.schema import open_if_current
from worker.ledger.scopes import scopes_of


def looking(url: str, order: Order) -> tuple[Order, str | None]:
    """Let an order look its numbers up in a ledger, where there is one; else say why it does not.

    Raises:
        ConfigError: what was reached is asked for, and cannot be looked up.
    """
    engine, why_not = open_if_current(url)
    if engine is not None:
        return look_up(engine, order), None
    if order.skip_reached_ms is not None and why_not:
        raise ConfigError(f"--skip-reached: {why_not}")
    return order, why_not


def forgotten(url: str, order: Order) -> int:
    """Count the campaigns of which nobody can tell any more whom they reached; 0 where that is not asked."""
    if order.reached is None or order.looked_at is None or order.skip_reached_ms is None:
        return 0
    engine, _ = open_if_current(url)
    if engine is None:
        return 0
    with reading(engine) as connection:
        return reached.n_pruned(connection, since=order.looked_at - order.skip_reached_ms)


def look_up(engine: Engine, order: Order) -> Order:
    """Let an order look its numbers up in a ledger: as it is now, or was when the order was read before."""
    with reading(engine) as connection:
        looked_at = order.looked_at or now_of(connection)
        key = optouts.key_of(connection)
        has_any = optouts.has_any(connection)
    scopes = scopes_of(purpose=order.purpose, sender=order.sender)

    def stopped(numbers: Sequence[str]) -> Collection[str]:
        with reading(engine) as connection:
            return optouts.stopped(connection, key, numbers, scopes, as_of=looked_at)

    def texts(numbers: Sequence[str]) -> Collection[tuple[str, str]]:
        with reading(engine) as connection:
            return reached.texts_of(connection, numbers, since=looked_at - (order.skip_reached_ms or 0))

    return replace(
        order,
        looked_at=looked_at,
        stopped=stopped if has_any else None,
        reached=texts if order.skip_reached_ms is not None else None,
    )
