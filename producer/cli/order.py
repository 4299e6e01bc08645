"""The options that `preview` and `send` share, turned into an order."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar

import click

from producer.cli.handing import slow_words
from producer.cli.output import Meter
from producer.cli.times import is_over, read_instant
from producer.cli.words import require_plain
from producer.preview import OnMessage, Order, Preview, preview
from worker.errors import ConfigError, InputError
from worker.ledger.campaigns import NewCampaign
from worker.ledger.claims import Identity
from worker.providers import Account, account_named
from worker.settings import Settings

LONGEST_KEY = 100
_FOR_EVER_MS = 10**13  # 300 years

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
            click.option("--at", metavar="WHEN", help="When it is to leave, such as 2027-01-31T08:00+01:00."),
            click.option(
                "--schedule-at",
                type=click.Choice(["gateway"]),
                help="Who keeps it until --at: the gateway is given it at once.",
            ),
        )
    ):
        command = option(command)
    return command


def make_order(settings: Settings, given: dict[str, Any]) -> Order:
    """Make an order of what was given on the command line.

    Raises:
        ConfigError: no such provider, no sender, an option without a value, or one that is no plain text; a
            time that is none, or that nobody would keep.
    """
    leaves_at = _leaves_at(given["at"], keeper=given["schedule_at"])
    account = account_named(settings, given["provider"])
    sender = given["sender"] or account.provider.sender
    if not sender:
        raise ConfigError(f"No sender: give --sender, or sender = in [providers.{account.name}]")
    require_plain("the name of the file", given["file"].name, advice="rename it")
    require_plain("--name", given["name"] or "")
    require_plain("the sender", sender)
    for written in given["options"]:
        require_plain("--option", written)
    return Order(
        path=given["file"],
        template=given["text"],
        account=account,
        sender=sender,
        name=given["name"] or given["file"].stem,
        column=given["column"],
        country=given["country"],
        options=dict(map(_option, given["options"])),
        fallback=_fallback_of(settings, account),
        leaves_at=leaves_at,
    )


def _leaves_at(at: str | None, *, keeper: str | None) -> int | None:
    if at is None and keeper is None:
        return None
    if at is None:
        raise ConfigError("--schedule-at gateway: give the time with --at")
    if keeper is None:
        raise ConfigError("--at: Bulksend keeps no schedule of its own yet; give --schedule-at gateway too")
    return read_instant("--at", at)


def remake_order(settings: Settings, kept: NewCampaign) -> Order:
    """Make the order again that an interrupted campaign was begun with.

    Raises:
        ConfigError: its provider is not configured (any more).
        InputError: its file is not there (any more).
    """
    path = Path(str(kept.reading.get("path", kept.source)))
    if not path.is_file():
        raise InputError(
            f"{path} is not there (any more), so its import cannot be finished", code="file_missing"
        )
    account = account_named(settings, kept.provider)
    column, country = kept.reading.get("column"), kept.reading.get("country")
    return Order(
        path=path,
        template=kept.template,
        account=account,
        sender=kept.sender,
        name=kept.name,
        column=None if column is None else str(column),
        country=None if country is None else str(country),
        options=kept.options,
        fallback=_fallback_of(settings, account),
        lane=kept.lane,
        leaves_at=kept.leaves_at,
    )


def require_ahead(order: Order, step: str) -> None:
    """Refuse an order whose time is over; raises InputError with the step that helps."""
    if order.leaves_at is not None and is_over(order.leaves_at):
        raise InputError(f"The time until which the gateway was to keep it is over: {step}", code="time_over")


def _fallback_of(settings: Settings, account: Account) -> Account | None:
    name = account.provider.fallback
    return None if name is None else account_named(settings, name)


def make_identity(
    settings: Settings, order: Order, found: Preview, *, key: str | None, again: bool = False
) -> Identity:
    """Say what makes a repeat of a previewed order, within the time that the settings give.

    One that is for a certain time is the same order for ever.
    """
    repeat_ms = round(settings.timers.repeat * 1000) if order.leaves_at is None else _FOR_EVER_MS
    return Identity(content=found.content, repeat_ms=repeat_ms, key=key, again=again)


def require_key(key: str | None) -> None:
    """Refuse what is no key of --key; raises ConfigError."""
    if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isprintable()):
        raise ConfigError(f"--key: write 1 to {LONGEST_KEY} printable characters")


def _option(written: str) -> tuple[str, str]:
    name, found, value = written.partition("=")
    if not found or not name or not value:
        raise ConfigError(f"--option {written}: write NAME=VALUE")
    return name.strip(), value.strip()


def read_order(order: Order, *, on_message: OnMessage | None = None) -> Preview:
    """Preview an order with progress by bytes."""
    with Meter("Reading", total=_size(order.path), unit="bytes") as meter:
        found = preview(order, on_message=on_message, on_bytes=meter.advance)
    for words in filter(None, (found.no_fallback, slow_words(order, found))):
        click.echo(words, err=True)
    return found


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
        "targets": found.targets,
        "duplicates": found.duplicates,
        "refused": found.refused,
        "parts": found.parts,
        "cost": found.cost.render(),
        "fallback": found.fallback,
        "cost_fallback": found.cost_fallback.render(),
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


def target_words(found: Preview) -> str:
    """Say what nobody here knows of messages to groups and contacts that the gateway keeps."""
    what = "1 message goes" if found.targets == 1 else f"{found.targets} messages go"
    return (
        f"{what} to groups or contacts that the gateway keeps: Bulksend cannot see who gets them, "
        "nor count or price what is sent"
    )


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
