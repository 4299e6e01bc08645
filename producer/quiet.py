"""Waiting after an order until nothing that it concerns is on its way to a gateway any more."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Engine

from worker.ledger import flight
from worker.ledger.engine import LedgerUnavailableError, reading
from worker.ledger.flight import Hanging, Scope

SAY_S = 2.0
"""So long nothing is said of it, and then again and again."""

SHOWN = 10
"""Requests that are named when they hang."""

_LOOK_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Rest:
    """What was on its way at the last look."""

    n_messages: int
    requests: Sequence[Hanging] = ()  # the oldest of them

    @property
    def is_quiet(self) -> bool:
        """Whether it was nothing."""
        return not self.n_messages


def wait_until_quiet(
    engine: Engine, scope: Scope, *, patience_s: float, on_wait: Callable[[int], None]
) -> Rest:
    """Wait until nothing is on its way, or the patience is at its end; return what is left.

    Args:
        engine: of the ledger, in which the order holds already.
        scope: what is waited for.
        patience_s: at most so long.
        on_wait: called with the number of messages every two seconds.

    Raises:
        LedgerError: the ledger was away at the end, so nobody knows.
    """
    ends_s = time.monotonic() + patience_s
    say_s = time.monotonic() + SAY_S
    while time.monotonic() < ends_s:
        with suppress(LedgerUnavailableError):
            n_messages = _look(engine, scope)
            if not n_messages:
                return Rest(n_messages=0)
            if time.monotonic() >= say_s:
                say_s = time.monotonic() + SAY_S
                on_wait(n_messages)
        time.sleep(_LOOK_S)
    with reading(engine) as connection:
        n_messages = flight.n_in_flight(connection, scope)
        return Rest(n_messages=n_messages, requests=flight.hanging(connection, scope, limit=SHOWN))


def _look(engine: Engine, scope: Scope) -> int:
    with reading(engine) as connection:
        return flight.n_in_flight(connection, scope)
