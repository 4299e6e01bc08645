"""What is reported of providers: how they stand, what is left on them, how fast they send."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from producer.reports import iso
from producer.schedule.pace import rate_in_force
from worker.ledger.accounts import AccountStanding
from worker.providers import Account
from worker.settings import Provider, Settings
from worker.standing import Standing as GatewayStanding
from worker.standing import tells_balance
from worker.states import MessageState
from worker.throttle.call import Standing


def provider_facts(
    name: str,
    settings: Settings,
    *,
    standing: AccountStanding | None = None,
    counts: Mapping[MessageState, int] = MappingProxyType({}),
    unknown_ms: int | None = None,
) -> dict[str, Any]:
    """Give a provider as the listing prints it; ``unknown_ms`` is the age of the oldest unknown message."""
    configured = settings.providers.get(name)
    standing = standing or AccountStanding(provider=name, state="open")
    return {
        "name": name,
        "gateway": configured.gateway if configured else None,
        "state": standing.state,
        "reason": standing.reason,
        "since": iso(standing.since),
        "until": iso(standing.until),
        "author": standing.author,
        **rate_facts(standing, configured),
        "queued": counts.get(MessageState.QUEUED, 0),
        "in_flight": counts.get(MessageState.SUBMITTING, 0),
        "unknown": counts.get(MessageState.UNKNOWN, 0),
        "oldest_unknown_s": None if unknown_ms is None else unknown_ms / 1000,
        "counts": {state.value: counts.get(state, 0) for state in MessageState},
    }


def standing_facts(account: Account, standing: GatewayStanding) -> dict[str, Any]:
    """Give what a gateway said of an account, as `provider check` and `provider balance` print it."""
    return {
        "name": account.name,
        "gateway": account.provider.gateway,
        "is_well": standing.is_well,
        "login": standing.is_let_in,
        **balance_facts(standing),
        "tells_balance": tells_balance(account),
        "abilities": list(standing.abilities),
        "reason": standing.reason,
    }


def balance_facts(standing: GatewayStanding | None) -> dict[str, str | None]:
    """Give what is left on an account, in the gateway's own unit; None for what it does not tell."""
    if standing is None or standing.balance is None:
        return {"balance": None, "unit": None}
    return {"balance": format(standing.balance, "f"), "unit": standing.unit}


def balance_words(facts: Mapping[str, Any]) -> str | None:
    """Write it for people: ``12.50 DKK``."""
    return None if facts["balance"] is None else " ".join(filter(None, (facts["balance"], facts["unit"])))


def live_facts(live: Standing | None) -> dict[str, Any]:
    """Give what goes on at this moment, of the whole account; None where Redis does not tell it."""
    return {
        "per_second": live.per_second if live else None,
        "connections_held": live.connections if live else None,
    }


def rate_facts(standing: AccountStanding, configured: Provider | None) -> dict[str, Any]:
    """Give what limits a provider, as the listing prints it; a rate that is None is no limit."""
    here = rate_in_force(None, configured)
    return {
        "rate": rate_in_force(standing.rate, configured) or None,
        "rate_from": "settings" if standing.rate_author is None else "command",
        "rate_author": standing.rate_author,
        "settings_rate": (here if standing.file_rate is None else standing.file_rate) or None,
        "unit": configured.unit if configured else None,
        "connections": configured.connections if configured else None,
        "throttled_until": iso(standing.throttled_until),
        "throttled_reason": standing.throttled_reason,
    }
