"""The gateways: a contract, the HTTP door, and one adapter for each kind of API.

A new gateway is one room beside ``cpsms`` and one line in ``GATEWAYS``.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from worker.errors import ConfigError
from worker.gateways import txty_v6
from worker.gateways.cpsms import adapter as cpsms
from worker.gateways.smsend import adapter as smsend
from worker.gateways.textmarketer import adapter as textmarketer
from worker.gateways.txty_v4 import adapter as txty_v4

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.gateways.base import Adapter, Capabilities


class Factory(Protocol):
    """Makes the adapter of one provider."""

    def __call__(
        self, *, base_url: str, username: str, secret: str, dialect: Mapping[str, str | int | bool]
    ) -> Adapter:
        """Raise ``ConfigError`` for a value that the gateway cannot use.

        ``dialect`` names how this brand or generation of the API differs from the usual one.
        """


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """A kind of API: what can be known of it before there is an account."""

    base_url: str
    capabilities: Capabilities
    adapter: Factory


GATEWAYS: Mapping[str, Gateway] = MappingProxyType(
    {
        "cpsms": Gateway(base_url=cpsms.BASE_URL, capabilities=cpsms.Cpsms.capabilities, adapter=cpsms.Cpsms),
        "smsend": Gateway(
            base_url=smsend.BASE_URL, capabilities=smsend.Smsend.capabilities, adapter=smsend.Smsend
        ),
        "textmarketer": Gateway(
            base_url=textmarketer.BASE_URL,
            capabilities=textmarketer.Textmarketer.capabilities,
            adapter=textmarketer.Textmarketer,
        ),
        "txty_v4": Gateway(
            base_url=txty_v4.BASE_URL, capabilities=txty_v4.TxtyV4.capabilities, adapter=txty_v4.TxtyV4
        ),
        "txty_v6": Gateway(
            base_url=txty_v6.BASE_URL, capabilities=txty_v6.TxtyV6.capabilities, adapter=txty_v6.TxtyV6
        ),
    }
)


def find_gateway(gateway: str) -> Gateway:
    """Look a gateway up by its word in the settings.

    Raises:
        ConfigError: it is not known; the message lists those that are.
    """
    try:
        return GATEWAYS[gateway]
    except KeyError:
        message = f"gateway {gateway!r} is not known: write one of {', '.join(sorted(GATEWAYS))}"
        raise ConfigError(message) from None


def make_adapter(
    gateway: str,
    *,
    username: str,
    secret: str,
    base_url: str | None = None,
    dialect: Mapping[str, str | int | bool] | None = None,
) -> Adapter:
    """Make the adapter of a provider; without ``base_url`` it speaks to the gateway's own address.

    Raises:
        ConfigError: the gateway is not known, or a value is of no use to it.
    """
    found = find_gateway(gateway)
    return found.adapter(
        base_url=base_url or found.base_url, username=username, secret=secret, dialect=dialect or {}
    )
