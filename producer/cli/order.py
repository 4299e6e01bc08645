"""The options that `preview` and `send` share, turned into an order."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar

import click

from producer.cli.output import Meter
from producer.preview import OnMessage, Order, Preview, preview
from worker.errors import ConfigError, InputError
from worker.providers import account_named
from worker.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])


def order_options(command: F) -> F:
    """Add the file, the text, the provider and what changes them."""
    for option in reversed(
        (
            click.argument("file", type=click.Path(path_type=Path)),
            click.option(
                "--text", required=True, help="The message; {{ first_name }} takes a column's value."
            ),
            click.option("--via", "provider", required=True, help="Provider, as named in bulksend.toml."),
            click.option("--sender", help="What the handset shows; default is the provider's."),
            click.option("--name", help="Name of the campaign; default is the file's."),
            click.option("--column", help="Column with the numbers, where it has no usual name."),
            click.option("--country", help="Country of numbers without country code, such as DK."),
            click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Gateway option."),
        )
    ):
        command = option(command)
    return command


def make_order(settings: Settings, given: dict[str, Any]) -> Order:
    """Make an order of what was given on the command line.

    Raises:
        ConfigError: no such provider, no sender, an option without a value, or one that is no plain text.
    """
    account = account_named(settings, given["provider"])
    sender = given["sender"] or account.provider.sender
    if not sender:
        raise ConfigError(f"No sender: give --sender, or sender = in [providers.{account.name}]")
    _require_plain("the name of the file", given["file"].name, advice="rename it")
    _require_plain("--name", given["name"] or "")
    _require_plain("the sender", sender)
    for written in given["options"]:
        _require_plain("--option", written)
    return Order(
        path=given["file"],
        template=given["text"],
        account=account,
        sender=sender,
        name=given["name"] or given["file"].stem,
        column=given["column"],
        country=given["country"],
        options=dict(map(_option, given["options"])),
    )


def _require_plain(what: str, written: str, *, advice: str = "write it anew") -> None:
    """Refuse what no ledger can keep (bytes that are not UTF-8), and what a terminal would obey."""
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in written):
        raise ConfigError(f"{what} holds a control character or is not UTF-8: {advice}")


def _option(written: str) -> tuple[str, str]:
    name, found, value = written.partition("=")
    if not found or not name or not value:
        raise ConfigError(f"--option {written}: write NAME=VALUE")
    return name.strip(), value.strip()


def read_order(order: Order, *, on_message: OnMessage | None = None) -> Preview:
    """Preview an order with progress by bytes."""
    with Meter("Reading", total=_size(order.path), unit="bytes") as meter:
        return preview(order, on_message=on_message, on_bytes=meter.advance)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # opening it says what is wrong


def summary(found: Preview) -> dict[str, object]:
    """Give the figures of a preview under the names of the contract."""
    return {
        "rows": found.rows,
        "messages": found.messages,
        "duplicates": found.duplicates,
        "refused": found.refused,
        "parts": found.parts,
        "cost": found.cost.render(),
    }


def require_messages(found: Preview) -> None:
    """Refuse an order that would send nothing."""
    if not found.messages:
        raise InputError("No row of the file can be sent to", code="nothing_to_send")


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
    """Refuse an order that costs more than a given amount, or that cannot be priced.

    Raises:
        InputError: it costs more, in any currency.
        ConfigError: not every message has a price.
    """
    if most is None:
        return
    if found.unpriced:
        raise ConfigError(
            f"--max-cost: {found.unpriced} messages have no price; set price = for the provider"
        )
    cost = found.cost.render()
    if any(Decimal(sum_) > most for sum_ in cost.values()):
        raise InputError(f"It would cost {cost_words(cost)}, more than --max-cost {most}", code="too_dear")


def cost_words(cost: dict[str, str]) -> str:
    """Write sums of money in a line."""
    return " + ".join(f"{amount} {currency}" for currency, amount in cost.items()) or "no price configured"
