"""The configured accounts: checked at start-up, and opened in the process that sends."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from worker.errors import ConfigError, NotSent, OutcomeUnknown
from worker.gateways import find_gateway, make_adapter
from worker.gateways.base import Adapter, Capabilities, Standing, Submission
from worker.gateways.http import Client
from worker.settings import Provider, Settings, read_secret
from worker.text.msisdn import check_region
from worker.text.pricing import PriceTable
from worker.text.segments import Encoding

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

    def open(self, *, connections: int) -> tuple[Adapter, Client]:
        """Make the adapter and the client that carries its requests; reads the secret.

        Raises:
            ConfigError: the secret is missing, or the gateway cannot use a value.
        """
        client = Client(connections=connections, timeout_s=self.provider.timeout)
        return self._adapter(secret=self.secret()), client

    def check_standing(self) -> Standing:
        """Ask the gateway whether login, address and credit are in order; sends nothing.

        Raises:
            ConfigError: as ``open``.
        """
        adapter, client = self.open(connections=1)
        try:
            return standing_of(adapter, client)
        finally:
            client.close()

    def _adapter(self, *, secret: str) -> Adapter:
        provider = self.provider
        return _checked(
            f"providers.{self.name}",
            lambda: make_adapter(
                provider.gateway, base_url=provider.base_url, username=provider.username, secret=secret
            ),
        )

    def check(self, *, sender: str, options: Mapping[str, object]) -> None:
        """Refuse a sender or an option that the gateway cannot carry, by building a request on trial.

        Raises:
            ConfigError: the sentence names what cannot be carried.
        """
        trial = Submission(
            reference="0" * 20,
            sender=sender,
            text="-",
            encoding=Encoding.GSM_7,
            recipients=("+4520000000",),
            options={**self.provider.options, **options},
        )
        self._adapter(secret="-").build(trial)  # noqa: S106 - no secret

    def secret(self) -> str:
        """Fetch the secret; raises ConfigError with the key and what to write."""
        key = f"providers.{self.name}.secret"
        return read_secret(self.provider.secret, key=key, directory=self.directory).get_secret_value()


def accounts_of(settings: Settings) -> dict[str, Account]:
    """Check every configured provider against its gateway and return the accounts by name.

    Raises:
        ConfigError: an unknown gateway, option, country or price; the sentence names the key.
    """
    accounts = {name: _account(name, provider, settings) for name, provider in settings.providers.items()}
    for name, account in accounts.items():
        fallback = account.provider.fallback
        if fallback is not None and fallback not in accounts:
            raise ConfigError(f"providers.{name}.fallback: there is no provider {fallback}")
        if fallback == name:
            raise ConfigError(f"providers.{name}.fallback: name another provider than {name} itself")
    return accounts


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
    """Return how many pool children a worker has: one more than the larger of cores and providers."""
    return max(os.cpu_count() or 1, len(settings.providers)) + 1


def standing_of(adapter: Adapter, client: Client) -> Standing:
    """Check an account with a read-only call; where the gateway has none, that it can be reached must do."""
    request = adapter.check()
    try:
        if request is not None:
            return adapter.read_check(client.exchange(request))
        with ThreadPoolExecutor(1) as pool:
            client.open(adapter.base_url, n=1, pool=pool)
    except (NotSent, OutcomeUnknown) as error:
        return Standing(is_well=False, is_answered=False, reason=str(error), balance=None)
    return Standing(is_well=True, reason=None, balance=None)


def _checked(key: str, check: Callable[[], T]) -> T:
    """Put the key in front of what is wrong with its value."""
    try:
        return check()
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from None


def _account(name: str, provider: Provider, settings: Settings) -> Account:
    key = f"providers.{name}"
    capabilities = _checked(f"{key}.gateway", lambda: find_gateway(provider.gateway).capabilities)
    if provider.country is not None:
        _checked(f"{key}.country", lambda: check_region(str(provider.country)))
    limit = provider.max_recipients or capabilities.max_recipients
    account = Account(
        name=name,
        provider=provider,
        capabilities=capabilities,
        prices=_checked(f"{key}.price", lambda: PriceTable.parse(provider.price)),
        max_recipients=min(limit, capabilities.max_recipients),
        directory=settings.directory,
    )
    _checked(f"{key}", lambda: account.check(sender=provider.sender or "1", options={}))
    return account
