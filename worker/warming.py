"""Warming: Redis is told of an account a moment before something is due.

One that is new to it, since it was restarted or has lost what it knew, gets no departure for a good second
(DESIGN 4.8): a second in which what falls due in one instant would already be late.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import Engine

from worker.errors import BrokerError
from worker.ledger import rates
from worker.ledger.engine import reading
from worker.providers import Account
from worker.settings import rates_of
from worker.throttle.call import Ask
from worker.throttle.limits import SECOND_US, Limit
from worker.throttle.throttle import Throttle

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Warmer:
    """Knows the accounts, and the way to Redis."""

    accounts: Mapping[str, Account]  # by provider
    engine: Engine
    throttle: Throttle
    process: str = field(default_factory=lambda: secrets.token_hex(8))

    def __call__(self, provider: str) -> None:
        """Ask for nothing in the name of an account, at the rate that is in force."""
        account = self.accounts[provider]
        with reading(self.engine) as connection:
            rate = rates.effective(connection, provider)
        limits = account.limits
        if rate is not None:
            limits = replace(
                limits, rates=tuple(Limit(amount=r.amount, window_s=r.window_s) for r in rates_of(rate))
            )
        ask = Ask(
            account=account.account_key,
            process=self.process,
            limits=limits,
            in_use=0,
            holds=0,
            lead_us=0,
            reach_us=0,
            deadline_us=int(account.provider.timeout * SECOND_US),
        )
        try:
            self.throttle.reserve(ask)
        except BrokerError as error:
            _log.warning("account not warmed", extra={"provider": provider, "reason": str(error)})
