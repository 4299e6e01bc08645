"""Rates: so many units per window, read from what a person writes, and written in one way."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

_WINDOWS_S = {"s": 1, "min": 60, "h": 3600, "day": 86400}
_RATE = re.compile(r"([0-9]{1,9})\s*/\s*(s|min|h|day)")


class Rate(BaseModel):
    """So many units per window."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    amount: int = Field(gt=0)
    window_s: int

    @property
    def window(self) -> str:
        """The window as it is written: ``s``, ``min``, ``h`` or ``day``."""
        return next(name for name, window_s in _WINDOWS_S.items() if window_s == self.window_s)

    def __str__(self) -> str:
        """Write it as it is read."""
        return f"{self.amount}/{self.window}"


def read_rates(written: object) -> tuple[Rate, ...]:
    """Read one rate or several, in one text with commas or in a list; the shortest window comes first.

    Raises:
        ValueError: it is something else, or two rates are for the same window.
    """
    items = written if isinstance(written, list | tuple) else [written]
    rates = sorted((rate for item in items for rate in _rates(item)), key=lambda rate: rate.window_s)
    if len({rate.window_s for rate in rates}) < len(rates):
        msg = "two of the rates are for the same time: write one of them"
        raise ValueError(msg)
    return tuple(rates)


def _rates(item: object) -> list[Rate]:
    if isinstance(item, Rate):
        return [item]
    if not isinstance(item, str):
        return [_rate(None)]
    return [_rate(_RATE.fullmatch(each.strip())) for each in item.split(",")]


def _rate(match: re.Match[str] | None) -> Rate:
    if match is None or int(match[1]) == 0:
        msg = 'write a rate such as "50/s", "5/min" or ["50/s", "10000/day"]'
        raise ValueError(msg)
    return Rate(amount=int(match[1]), window_s=_WINDOWS_S[match[2]])


def rate_text(rates: Sequence[Rate]) -> str:
    """Write rates in the one way in which they are kept, such as ``50/s, 10000/day``; empty is no limit."""
    return ", ".join(map(str, read_rates(list(rates))))


def rates_of(text: str) -> tuple[Rate, ...]:
    """Read what ``rate_text`` wrote."""
    return read_rates(text) if text else ()
