"""Prices per part and exact sums of money, in millionths of a currency (ISO 4217 codes)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Self

import phonenumbers

from worker.errors import ConfigError

#: Micros are millionths of a currency: what ledgers keep and add.
MICROS: Final = 1_000_000

ELSEWHERE: Final = "*"

_PLACES: Final = frozenset(
    {ELSEWHERE, *phonenumbers.SUPPORTED_REGIONS, *map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE)}
)

_price: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?) +([A-Z]{3})").fullmatch


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """An amount of money, never negative, with at most six fraction digits."""

    amount: Decimal
    currency: str

    @classmethod
    def parse(cls, written: str) -> Self:
        """Read ``0.35 DKK``.

        Raises:
            ConfigError: it is written in another way.
        """
        match = _price(written.strip())
        if match is None:
            raise ConfigError(
                f"price {written!r} is not understood: write an amount with at most 6 decimals "
                "and a currency, such as 0.35 DKK"
            )
        return cls(amount=Decimal(match[1]), currency=match[2])

    @property
    def micros(self) -> int:
        """The amount in millionths, exact."""
        return int(self.amount.scaleb(6))

    @classmethod
    def of_micros(cls, micros: int, *, currency: str) -> Self:
        """Return the price that ``micros`` stands for."""
        return cls(amount=Decimal(micros).scaleb(-6), currency=currency)

    def times(self, parts: int) -> "Price":
        """Return the price of so many parts."""
        return Price.of_micros(self.micros * parts, currency=self.currency)

    @property
    def figure(self) -> str:
        """The amount without its currency, with two fraction digits or as many as it needs."""
        return _decimal(self.micros)

    def __str__(self) -> str:
        """Write it as ``parse`` reads it."""
        return f"{self.figure} {self.currency}"


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceTable:
    """What one part costs.

    Attributes:
        per_part: by ISO region, by calling code in digits, or by ``*`` for everywhere else.
    """

    per_part: Mapping[str, Price]

    @classmethod
    def parse(cls, written: str | Mapping[str, str] | None) -> Self:
        """Read one price for everywhere, or a table of them, or nothing.

        Raises:
            ConfigError: a price or a place is not understood; the message names it.
        """
        table = {ELSEWHERE: written} if isinstance(written, str) else written or {}
        per_part: dict[str, Price] = {}
        for place, price in table.items():
            key = _place(place)
            if key in per_part:
                raise ConfigError(f"price for {place!r} is given twice: keep one of them")
            per_part[key] = Price.parse(price)
        return cls(per_part=per_part)

    def price_of(self, region: str, *, calling_code: int, parts: int) -> Price | None:
        """Return what a message of so many parts costs, or nothing where no price is known."""
        for place in (region, str(calling_code), ELSEWHERE):
            if place in self.per_part:
                return self.per_part[place].times(parts)
        return None


@dataclass(kw_only=True, slots=True)
class Totals:
    """Sums of money, one for each currency.

    Attributes:
        micros: by currency.
    """

    micros: dict[str, int] = field(default_factory=dict)

    def add(self, price: Price, *, times: int = 1) -> None:
        """Add a price, so many times."""
        self.micros[price.currency] = self.micros.get(price.currency, 0) + times * price.micros

    def render(self) -> dict[str, str]:
        """Return exact decimals by currency, with at least two fraction digits.

        >>> Totals(micros={"DKK": 1_750_000_000}).render()
        {'DKK': '1750.00'}
        """
        return {currency: _decimal(micros) for currency, micros in sorted(self.micros.items())}


def _decimal(micros: int) -> str:
    whole, fraction = divmod(micros, MICROS)
    return f"{whole}.{f'{fraction:06d}'.rstrip('0').ljust(2, '0')}"


def _place(written: str) -> str:
    key = written.strip().upper().removeprefix("+")
    if key in _PLACES:
        return key
    raise ConfigError(
        f"price for {written!r} is for no known place: write an ISO country such as DK, "
        "a calling code such as 45, or *"
    )
