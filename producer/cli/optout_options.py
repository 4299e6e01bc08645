"""What the commands of `bulksend optout` have in common: numbers, and what they opt out of."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click

from worker.errors import ConfigError, InputError
from worker.ledger.scopes import of_purpose, purpose_named, scope_named
from worker.settings import Settings
from worker.text.msisdn import check_region, parse

F = TypeVar("F", bound=Callable[..., Any])

STDIN = "-"


def number_options(command: F) -> F:
    """Add the numbers, and the country of those without a code."""
    country = click.option("--country", help="Country of numbers without country code, such as DK.")
    numbers = click.argument("numbers", metavar="NUMBER...", nargs=-1, required=True)
    return numbers(country(command))


def scope_options(command: F) -> F:
    """Add what an opt-out is of."""
    purpose = click.option("--purpose", "purposes", multiple=True, metavar="NAME", help="Of this purpose.")
    sender = click.option("--sender", "senders", multiple=True, metavar="NAME", help="Of this sender.")
    return purpose(sender(command))


def scopes_of(purposes: Iterable[str], senders: Iterable[str]) -> list[str]:
    """Read the scopes that options name; raises ConfigError."""
    try:
        of_purposes = [of_purpose(purpose_named(each)) for each in purposes]
    except ConfigError as error:
        raise ConfigError(f"--purpose: {error}") from None
    try:
        return [*of_purposes, *(scope_named(f"sender:{each}") for each in senders)]
    except ConfigError:
        raise ConfigError("--sender: write 1 to 40 printable characters") from None


def read_given(settings: Settings, given: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Read the numbers and the scopes of ``number_options`` and ``scope_options``.

    Raises:
        ConfigError: what is no scope.
        InputError: what is no number.
    """
    scopes = scopes_of(given["purposes"], given["senders"])
    return read_numbers(settings, given["numbers"], given["country"]), scopes


def read_numbers(settings: Settings, written: Sequence[str], country: str | None) -> list[str]:
    """Read numbers, or lines of standard input; raises InputError for the first that is none."""
    if STDIN in written and len(written) > 1:
        raise ConfigError("-: give numbers, or - alone")
    lines = [line for line in sys.stdin if line.strip()] if STDIN in written else list(written)
    region = check_region(country) if country else only_country(settings)
    found: dict[str, None] = {}
    for place, each in enumerate(lines, start=1):
        try:
            found[parse(each.strip(), region=region).e164] = None
        except InputError as error:
            which = f"Number {place} of {len(lines)}" if len(lines) > 1 else "The number"
            raise InputError(f"{which} cannot be used: {error}", code=error.code) from None
    if not found:
        raise InputError("There is no number", code="number_empty")
    return list(found)


def only_country(settings: Settings) -> str | None:
    """Return the country of the providers, where they have one and the same."""
    countries = {each.country for each in settings.providers.values()}
    return countries.pop() if len(countries) == 1 else None
