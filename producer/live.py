"""What the throttle tells of this very moment, for showing: nothing where Redis does not answer at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import closing, suppress
from threading import Thread

from worker.broker import check_broker, redis_address
from worker.errors import BrokerError, ConfigError
from worker.ledger.accounts import AccountStanding
from worker.settings import Settings
from worker.station import running_broker
from worker.throttle.call import Standing
from worker.throttle.throttle import Throttle

PATIENCE_S = 0.5


def standings_now(settings: Settings, accounts: Collection[AccountStanding]) -> Mapping[str, Standing]:
    """Return by provider how its account stands now; empty where no Redis runs or answers in time."""
    keys = {each.account_key for each in accounts} - {""}
    found: dict[str, Standing] = {}

    def look() -> None:
        with suppress(BrokerError, ConfigError, OSError):
            found.update(_look(settings, keys))

    looking = Thread(target=look, daemon=True)  # looking up a name may take longer than any limit of ours
    looking.start()
    looking.join(PATIENCE_S)
    seen = found.copy()
    return {each.provider: seen[each.account_key] for each in accounts if each.account_key in seen}


def _look(settings: Settings, keys: Collection[str]) -> Mapping[str, Standing]:
    broker = running_broker(settings) if keys else None
    if broker is None:
        return {}
    check_broker(broker)
    with closing(Throttle(redis_address(broker))) as throttle:
        return throttle.standing(keys)
