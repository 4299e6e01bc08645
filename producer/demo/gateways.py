"""What the demonstration sends through each gateway: where it is simulated, at what prices, which text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_TEXT = (
    "Hi {{ first_name }}, order {{ order }} is ready in {{ city }}. Please bring {{ amount }} kr. and this "
    "message. We are open every day from 9 to 20."
)
_GSM_TEXT = (  # names and cities of the file have characters that are none of GSM 03.38
    "Order {{ order }} is ready. Please bring {{ amount }} kr. and this message; without this we need your "
    "passport. We are open every day from 9 to 20, on Sundays from 11 to 16."
)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One gateway in the demonstration.

    Attributes:
        path: below the address of the simulator.
        price: per part, as the settings have it.
        text: what is sent; the gateway can carry it.
        panel: the simulator's knob for the address of delivery reports, where a person would register it in
            the gateway's web panel; None where each request carries it, or nothing is pushed.
    """

    path: str
    price: str
    text: str = _TEXT
    panel: str | None = None


GATEWAYS: Mapping[str, Scene] = MappingProxyType(
    {
        "txty_v6": Scene(path="/txty-v6", price='{ DK = "0.20 DKK", GB = "0.55 DKK", IT = "0.60 DKK" }'),
        "txty_v4": Scene(path="/txty-v4", price='{ DK = "0.20 DKK", GB = "0.55 DKK", IT = "0.60 DKK" }'),
        "smsend": Scene(
            path="/smsend/API/v1.0/REST",
            price='{ DK = "0.055 EUR", GB = "0.048 EUR", IT = "0.062 EUR" }',
            panel="push_url",
        ),
        "cpsms": Scene(path="/cpsms/v2", price='{ DK = "0.35 DKK", GB = "0.04 GBP", IT = "0.07 EUR" }'),
        "textmarketer": Scene(
            path="/textmarketer/services/rest",
            price='{ DK = "0.046 GBP", GB = "0.042 GBP", IT = "0.058 GBP" }',
            text=_GSM_TEXT,
        ),
    }
)
"""By the word of the settings."""

USUAL = "cpsms"
