"""How an account stands, as its gateway tells it: the login, what is left, what the account can do.

Only calls that read; where a gateway has none, that it can be reached must do.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from worker.errors import LoginRefused, NotSent, OutcomeUnknown
from worker.gateways.base import Adapter, HttpReply, Standing
from worker.gateways.session import Carrier
from worker.providers import Account

__all__ = ["Standing", "check_standing", "standing_of", "tells_balance"]

_KEPT_OUT = frozenset({401, 403})  # what a gateway answers a wrong login with, if it uses statuses for that


def check_standing(account: Account) -> Standing:
    """Ask the gateway whether login, address and credit are in order; sends nothing.

    Where the gateway is logged in to, it is seen that this can be done now.

    Raises:
        ConfigError: the secret is missing, or the gateway cannot use a value.
    """
    adapter, client = account.open(connections=1)
    try:
        return standing_of(adapter, client)
    finally:
        client.close()


def tells_balance(account: Account) -> bool:
    """Say whether the gateway has a call that would tell what is left."""
    return account.reader().check() is not None


def standing_of(adapter: Adapter, client: Carrier) -> Standing:
    """Check an account with a read-only call; where the gateway has none, that it can be reached must do."""
    request = adapter.check()
    try:
        if request is not None:
            return _read(adapter, client.exchange(request))
        with ThreadPoolExecutor(1) as pool:
            client.open(adapter.base_url, n=1, pool=pool)
    except (NotSent, OutcomeUnknown) as error:
        is_let_in = False if isinstance(error, LoginRefused) else None
        return Standing(
            is_well=False, is_answered=False, is_let_in=is_let_in, reason=str(error), balance=None
        )
    return Standing(is_well=True, reason=None, balance=None)


def _read(adapter: Adapter, reply: HttpReply) -> Standing:
    standing = adapter.read_check(reply)
    if standing.is_answered:
        return replace(standing, is_let_in=True)
    return replace(standing, is_let_in=False if reply.status in _KEPT_OUT else None)
