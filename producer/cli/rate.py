"""`bulksend provider rate`: how fast a provider sends, on every host at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from producer.cli.opening import ready_ledger
from producer.cli.output import echo_facts, echo_json
from producer.cli.speed import connection_words, rate_words
from producer.cli.words import author
from producer.live import standings_now
from producer.standings import live_facts, rate_facts
from worker.errors import ConfigError
from worker.ledger import accounts, rates
from worker.ledger.accounts import AccountStanding
from worker.ledger.engine import reading, writing
from worker.providers import Account, account_named, accounts_of
from worker.settings import Settings, load_settings, rate_text, rates_of, read_rates


@click.command()
@click.argument("name")
@click.argument("written", metavar="[RATE]...", nargs=-1)
@click.option("--reset", is_flag=True, help="Go back to the rate of the settings.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def rate(name: str, written: tuple[str, ...], *, reset: bool, as_json: bool) -> None:
    """Show the rate of a provider, or set it: 20/s, 5/min, 500/h, 10000/day, or several of them.

    It holds for what is being sent too, for all providers of the same account, and until --reset.
    """
    if written and reset:
        raise ConfigError("Give a rate or --reset, not both")
    settings = load_settings()
    account = account_named(settings, name)
    wanted = _read(written) if written else None
    engine = ready_ledger(settings)
    if written or reset:
        with writing(engine) as connection:
            changed = rates.order_rate(connection, _sharing(settings, account), wanted, author=author())
        _say(changed, wanted, account)
    with reading(engine) as connection:
        shared = accounts.sharing(connection, name)
        standing = accounts.standings(connection).get(name) or AccountStanding(provider=name, state="open")
    found = {"name": name, **rate_facts(standing, account.provider)}
    found["shared_with"] = sorted({*shared, *_sharing(settings, account)} - {name})
    found |= live_facts(standings_now(settings, [standing]).get(name))
    if as_json:
        echo_json(found)
    elif not (written or reset):
        _echo(found)
    if (here := account.kept_rate or None) != found["settings_rate"]:
        click.echo(f"{settings.source.name} says {here or 'no limit'}: known once a worker starts", err=True)


def _read(written: Sequence[str]) -> str:
    try:
        return rate_text(read_rates(list(written)))
    except ValueError as error:
        raise ConfigError(f"The rate {' '.join(written)!r} is of no use: {error}") from None


def _sharing(settings: Settings, account: Account) -> list[str]:
    """Return the configured providers of the same account."""
    found = accounts_of(settings).items()
    return sorted(name for name, each in found if each.account_key == account.account_key)


def _say(changed: Sequence[str], wanted: str | None, account: Account) -> None:
    who = f"Provider {changed[0]} sends" if len(changed) == 1 else f"Providers {', '.join(changed)} send"
    together = "" if len(changed) == 1 else " together, being one account"
    unit = account.provider.unit
    if wanted is None:
        click.echo(f"{who} as the settings say from now on{together}", err=True)
        return
    click.echo(
        f"{who} at most {wanted} ({unit}) from now on{together}; "
        f"`bulksend provider rate {account.name} --reset` goes back to the settings",
        err=True,
    )
    least = min((each.amount for each in rates_of(wanted) if each.window_s > 1), default=None)
    if unit == "parts" and least is not None and least < account.capabilities.max_parts:
        click.echo(f"A message of more than {least} parts never fits: it pauses its campaign", err=True)


def _echo(facts: Mapping[str, Any]) -> None:
    author = facts["rate_author"]
    echo_facts(
        {
            "provider": facts["name"],
            "rate": rate_words(facts),
            "from": "the settings" if author is None else f"a command of {author}",
            "settings": None if author is None else facts["settings_rate"] or "no limit",
            "connections": connection_words(facts),
            "one account with": ", ".join(facts["shared_with"]),
            "throttled until": facts["throttled_until"],
            "because": facts["throttled_reason"],
        }
    )
