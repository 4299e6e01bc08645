"""What an order costs, in words and against the most that a person wants to spend."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import click

from producer.cli.output import is_interactive
from producer.preview import Preview
from worker.errors import ConfigError, InputError
from worker.text.counting import counted

_amount = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?([A-Za-z]{3})?", re.ASCII).fullmatch

max_cost_option: Final = click.option(
    "--max-cost",
    "max_costs",
    multiple=True,
    metavar="AMOUNT",
    help="Refuse it when what is new costs more: 250.00, or one for each currency as 5USD.",
)


@dataclass(frozen=True, kw_only=True)
class Most:
    """What a person wants to spend at most.

    Attributes:
        elsewhere: in any currency that has no amount of its own; None: nothing.
        by_currency: in these.
    """

    elsewhere: Decimal | None = None
    by_currency: Mapping[str, Decimal] = field(default_factory=dict)

    def allows(self, currency: str, sum_: str) -> bool:
        """Say whether a sum is no more than that."""
        most = self.by_currency.get(currency, self.elsewhere)
        return most is not None and Decimal(sum_) <= most

    def __str__(self) -> str:
        """Write it as it was given."""
        named = (f"{most} {currency}" for currency, most in self.by_currency.items())
        return " and ".join([*named, *([] if self.elsewhere is None else [str(self.elsewhere)])])


def amount(written: Sequence[str]) -> Most | None:
    """Read the amounts of --max-cost: ``250.00``, or one for each currency as ``5 USD``."""
    found: dict[str, Decimal] = {}
    for each in written:
        match = _amount(each.strip())
        if match is None:
            raise ConfigError(f"--max-cost {each}: write an amount such as 250.00, or 250.00 DKK")
        currency = (match[2] or "").upper()
        if currency in found:
            where = f" in {currency}" if currency else " without a currency"
            raise ConfigError(f"--max-cost {each}: there is another amount{where}")
        found[currency] = Decimal(match[1])
    if not found:
        return None
    elsewhere = found.pop("", None)
    return Most(elsewhere=elsewhere, by_currency=found)


def require_within(found: Preview, most: Most | None) -> None:
    """Refuse an order that costs more than the given amounts, by its provider or its fallback.

    Raises:
        InputError: it costs more, in any currency.
        ConfigError: not every message has a price.
    """
    if most is None:
        return
    if found.targets:
        raise ConfigError(
            f"--max-cost: nobody here knows what the {found.targets} groups or contacts of the gateway's own "
            "cost: leave them out of the file"
        )
    _require_priced(found.unpriced, whose="the provider")
    _require_priced(found.unpriced_fallback, whose=f"the fallback, {found.fallback}")
    for totals, whose in (found.cost, ""), (found.cost_fallback, f" by its fallback, {found.fallback}"):
        cost = totals.render()
        if not all(most.allows(currency, sum_) for currency, sum_ in cost.items()):
            words = f"It would cost {cost_words(cost)}{whose}, more than --max-cost {most}"
            raise InputError(words, code="too_dear")


def confirm_number(found: Preview, *, above: int | None, yes: bool) -> None:
    """Go on with a great many messages only when somebody has typed how many there are.

    Raises:
        InputError: another number was typed, or there is nobody to type it.
    """
    if above is None or found.messages <= above or yes:
        return
    words = f"{found.messages} messages, {found.parts} parts, {most_words(found)}"
    if not is_interactive():
        raise InputError(
            f"{words}: that is more than confirm_above of [send], {above}, and nobody can be asked here: "
            "give --yes",
            code="not_confirmed",
        )
    typed = click.prompt(f"{words}. Type the number of messages to send them", err=True)
    if typed.strip() != str(found.messages):
        raise InputError("Nothing was done: that is not the number of messages", code="not_confirmed")


def _require_priced(n_unpriced: int, *, whose: str) -> None:
    if n_unpriced:
        raise ConfigError(
            f"--max-cost: {counted(n_unpriced, 'message', verb='has')} no price; set price = for {whose}"
        )


def most_words(found: Preview) -> str:
    """Write what an order costs, and what it costs at most where a fallback may take over."""
    cost, other = found.cost.micros, found.cost_fallback.micros
    if not found.messages:
        return "nothing"
    words = cost_words(found.cost.render())
    if found.targets:
        known = f"{words}, and " if cost else ""
        return f"{known}an unknown price for groups or contacts of the gateway's own"
    if all(currency in cost and micros <= cost[currency] for currency, micros in other.items()):
        return words
    return f"{words}; at most {cost_words(found.cost_fallback.render())} if {found.fallback} takes over"


def cost_words(cost: dict[str, str]) -> str:
    """Write sums of money in a line."""
    return " + ".join(f"{amount} {currency}" for currency, amount in cost.items()) or "no price configured"


def country_facts(found: Preview) -> dict[str, dict[str, object]]:
    """Give what each country comes to, as `preview --json` prints it; the gateway's own groups have none."""
    return {
        region: {"messages": each.messages, "parts": each.parts, "cost": each.cost.render()}
        for region, each in sorted(found.countries.items())
        if region
    }


Table = tuple[tuple[str, ...], list[tuple[object, ...]]]


def tables(found: Preview) -> Iterator[Table]:
    """Give what an order comes to by country and by language, where there are several."""
    if len(found.countries) > 1:
        rows = sorted(found.countries.items(), key=lambda item: (-item[1].messages, item[0]))
        costs = [
            (region or "(its own)", each.messages, each.parts, cost_words(each.cost.render()))
            for region, each in rows
        ]
        yield ("country", "messages", "parts", "cost"), [*costs]
    if found.languages:
        yield ("language", "messages"), [*found.languages.most_common()]
