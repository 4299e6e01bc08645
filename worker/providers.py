"""The configured accounts: checked at start-up, and opened in the process that sends."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from sqlalchemy import Engine

from worker.errors import ConfigError
from worker.gateways import find_gateway, make_adapter
from worker.gateways.base import Adapter, Capabilities
from worker.gateways.http import Client
from worker.gateways.session import Carrier, SessionClient
from worker.gateways.tokens import MemoryStore, TokenStore
from worker.ledger import rates
from worker.ledger.engine import writing
from worker.settings import Provider, Rate, Settings, rate_text, read_secret
from worker.text.msisdn import Countries, check_region
from worker.text.pricing import PriceTable
from worker.throttle.limits import Limit, Limits
from worker.trial import Trial

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Account:
    """One provider as configured and found sound; holds no secret."""

    name: str
    provider: Provider
    capabilities: Capabilities
    prices: PriceTable
    max_recipients: int
    directory: Path

    @property
    def account_key(self) -> str:
        """Name what the limits belong to: the login at the gateway, or the ``limit_group``; 16 hex digits."""
        group = self.provider.limit_group
        return self.login if group is None else _digest("group", group)

    @property
    def login(self) -> str:
        """Name the login at the gateway, which alone can tell of a request that came by it; 16 hex digits."""
        provider = self.provider
        base_url = provider.base_url or find_gateway(provider.gateway).base_url
        return _digest(provider.gateway, _one_spelling(base_url), provider.username)

    @property
    def login_key(self) -> str:
        """Name where the sessions of the login are kept: its dialect says how it logs in; 16 hex digits."""
        return _digest(self.login, json.dumps(sorted(self.provider.dialect.items())))

    @property
    def kept_rate(self) -> str:
        """The rate of the settings as it is kept: ``50/s, 10000/day``; empty is no limit."""
        return rate_text(self.provider.rate)

    @property
    def limits(self) -> Limits:
        """What the settings allow the account; the ledger may have another rate."""
        provider = self.provider
        rates_ = tuple(Limit(amount=rate.amount, window_s=rate.window_s) for rate in provider.rate)
        return Limits(rates=rates_, guard_s=provider.guard, connections=provider.connections)

    def limit_below(self, parts: int) -> Rate | None:
        """Return the limit that a message of so many parts would never fit into, None when it can leave.

        A second's limit is not meant: what costs more than that makes the next wait.
        """
        if self.provider.unit != "parts":
            return None
        return next((rate for rate in self.provider.rate if rate.window_s > 1 and parts > rate.amount), None)

    def open(self, *, connections: int, store: TokenStore | None = None) -> tuple[Adapter, Carrier]:
        """Make the adapter and the client that carries its requests; reads the secret.

        Args:
            connections: at most so many requests at once.
            store: of sessions, for a gateway that is logged in to; None: this client logs in for itself.

        Raises:
            ConfigError: the secret is missing, or the gateway cannot use a value.
        """
        adapter = self._adapter(secret=self.secret())
        client = Client(connections=connections, timeout_s=self.provider.timeout)
        if adapter.login is None:
            return adapter, client
        return adapter, SessionClient(client, login=adapter.login, store=store or MemoryStore())

    def reader(self) -> Adapter:
        """Make an adapter that has no secret: it reads what the gateway pushes, or builds on trial."""
        return self._adapter(secret="-")  # noqa: S106 - none

    def _adapter(self, *, secret: str) -> Adapter:
        provider = self.provider
        return _checked(
            f"providers.{self.name}",
            lambda: make_adapter(
                provider.gateway,
                base_url=provider.base_url,
                username=provider.username,
                secret=secret,
                dialect=provider.dialect,
            ),
        )

    def trial(
        self,
        *,
        sender: str,
        options: Mapping[str, object],
        leaves_at_s: float | None = None,
        udh_bits: int | None = None,
    ) -> Trial:
        """Try whether the gateway can carry an order, by building a request that is never sent.

        Parts are counted as the settings say it, or with ``udh_bits`` as they were when a campaign was made.

        Raises:
            ConfigError: sender, an option or the schedule cannot be carried; the sentence names it.
        """
        return Trial.of(
            self.reader(),
            sender=sender,
            options={**self.provider.options, **options},
            leaves_at_s=leaves_at_s,
            udh_bits=udh_bits or self.provider.udh,
        )

    def secret(self) -> str:
        """Fetch the secret; raises ConfigError with the key and what to write."""
        key = f"providers.{self.name}.secret"
        return read_secret(self.provider.secret, key=key, directory=self.directory).get_secret_value()


def accounts_of(settings: Settings) -> dict[str, Account]:
    """Check every configured provider against its gateway and return the accounts by name.

    Raises:
        ConfigError: an unknown gateway, option, country or price, or providers of one account that do not
            agree about its limits; the sentence names the key.
    """
    accounts = {name: _account(name, provider, settings) for name, provider in settings.providers.items()}
    for name, account in accounts.items():
        fallback = account.provider.fallback
        if fallback is not None and fallback not in accounts:
            raise ConfigError(f"providers.{name}.fallback: there is no provider {fallback}")
        if fallback == name:
            raise ConfigError(f"providers.{name}.fallback: name another provider than {name} itself")
    for one, other in itertools.combinations(accounts.values(), 2):
        _require_one_limit(one, other)
    return accounts


def _require_one_limit(one: Account, other: Account) -> None:
    """Refuse two providers of one account with different limits: it has one, whatever it is called."""
    if one.account_key != other.account_key:
        return
    for key in (
        "rate",
        "unit",
        "connections",
        "guard",
        "timeout",
    ):  # the last: how long connections are leased
        ours, others = getattr(one.provider, key), getattr(other.provider, key)
        if ours != others:
            group = one.provider.limit_group
            shared = "one login at the gateway" if group is None else f"the limit_group {group}"
            raise ConfigError(
                f"providers.{other.name}.{key}: {one.name} and {other.name} are {shared}, "
                f"so write the same {key} for both"
            )


def note_rates(engine: Engine, accounts: Mapping[str, Account]) -> None:
    """Tell the ledger which account each provider is, and its rate, which holds on every host.

    Raises:
        LedgerError: the ledger is away.
    """
    noted = {name: (account.account_key, account.kept_rate) for name, account in accounts.items()}
    with writing(engine) as connection:
        rates.note_rates(connection, noted)


def telling(settings: Settings) -> frozenset[str]:
    """Return the providers whose gateways tell what arrived; one that is not known tells nothing."""
    return frozenset(name for name, provider in settings.providers.items() if _tells(provider.gateway))


def _tells(gateway: str) -> bool:
    try:
        found = find_gateway(gateway).capabilities
    except ConfigError:
        return False
    return found.pushes or (found.lookup is not None and found.lookup.tells_delivery)


def account_named(settings: Settings, name: str) -> Account:
    """Return one account by its name.

    Raises:
        ConfigError: there is none of that name; the sentence lists those there are.
    """
    accounts = accounts_of(settings)
    if name not in accounts:
        known = ", ".join(sorted(accounts)) or "none yet: add a section [providers.NAME] to bulksend.toml"
        raise ConfigError(f"There is no provider {name}; configured are: {known}")
    return accounts[name]


def children_of(settings: Settings) -> int:
    """Return how many pool children a worker has.

    One for each provider, so that none waits for another; one for what is urgent; and as many more as let one
    provider alone keep all cores busy.
    """
    return len(settings.providers) + (os.cpu_count() or 1)


def _checked(key: str, check: Callable[[], T]) -> T:
    """Put the key in front of what is wrong with its value."""
    try:
        return check()
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from None


def _digest(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


def _one_spelling(base_url: str) -> str:
    """Write an address so that two spellings of one are the same: scheme and host know no case (RFC 3986)."""
    parts = urlsplit(base_url.rstrip("/"))
    return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()).geturl()


def _account(name: str, provider: Provider, settings: Settings) -> Account:
    key = f"providers.{name}"
    capabilities = _checked(f"{key}.gateway", lambda: find_gateway(provider.gateway).capabilities)
    if provider.country is not None:
        _checked(f"{key}.country", lambda: check_region(str(provider.country)))
    for name_, places in ("countries", provider.countries), ("denied_countries", provider.denied_countries):
        _checked(f"{key}.{name_}", partial(Countries.parse, allowed=places))
    limit = provider.max_recipients or capabilities.max_recipients
    account = Account(
        name=name,
        provider=provider,
        capabilities=capabilities,
        prices=_checked(f"{key}.price", lambda: PriceTable.parse(provider.price)),
        max_recipients=min(limit, capabilities.max_recipients),
        directory=settings.directory,
    )
    _checked(f"{key}", lambda: account.trial(sender=provider.sender or "1", options={}))
    return account
