"""What an order costs, in words and against the most that a person wants to spend."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from producer.preview import Preview
from worker.errors import ConfigError, InputError


def amount(written: str | None) -> Decimal | None:
    """Read the amount of --max-cost; raises ConfigError when it is none."""
    try:
        most = None if written is None else Decimal(written)
    except InvalidOperation:
        most = Decimal("NaN")
    if most is not None and not (most.is_finite() and most >= 0):
        raise ConfigError(f"--max-cost {written}: write an amount such as 250.00")
    return most


def require_within(found: Preview, most: Decimal | None) -> None:
    """Refuse an order that costs more than a given amount, by its provider or its fallback.

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
        if any(Decimal(sum_) > most for sum_ in cost.values()):
            words = f"It would cost {cost_words(cost)}{whose}, more than --max-cost {most}"
            raise InputError(words, code="too_dear")


def _require_priced(n_unpriced: int, *, whose: str) -> None:
    if n_unpriced:
        raise ConfigError(f"--max-cost: {n_unpriced} messages have no price; set price = for {whose}")


def most_words(found: Preview) -> str:
    """Write what an order costs, and what it costs at most where a fallback may take over."""
    cost, other = found.cost.micros, found.cost_fallback.micros
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
