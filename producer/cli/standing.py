"""`bulksend provider check` and `provider balance`: what the gateways say of the accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from sqlalchemy import Engine

from producer.cli import EXIT_PARTLY
from producer.cli.opening import ready_ledger
from producer.cli.output import echo_facts, echo_json, echo_table
from producer.standings import balance_facts, balance_words, standing_facts
from worker.errors import ConfigError
from worker.ledger import trouble
from worker.ledger.engine import writing
from worker.providers import Account, account_named, accounts_of
from worker.settings import Settings, load_settings
from worker.standing import Standing, check_standing, tells_balance

_LOGIN_WORDS = {True: "taken", False: "refused", None: "not known"}
_NOT_TOLD = "this gateway does not tell it"
_UNASKED = Standing(is_well=False, is_answered=False, reason=_NOT_TOLD, balance=None)


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="A JSON list on standard output.")
@click.pass_context
def check(ctx: click.Context, /, name: str | None, *, as_json: bool) -> None:
    """Ask the gateways how the accounts stand: login, address and credit; nothing is sent.

    A provider that was closed for trouble and is well again goes on at once. Exit code 3 when one is not.

    With --json a list of objects: `name`, `gateway`, `is_well`, `login` (true: taken, false: refused, null:
    the gateway did not say), `balance`, `unit` and `tells_balance` (as with `provider balance`), `abilities`
    (what the account can do, where the gateway says it), `reason` (why it is not well).
    """
    settings = load_settings()
    asked = _asked(settings, name)
    engine = ready_ledger(settings)
    found = [_checked(engine, account) for account in asked]
    if as_json:
        echo_json(found)
    elif name:
        echo_facts(_check_facts(found[0]))
    else:
        echo_table(["provider", "well", "balance", "because"], map(_check_words, found))
    ctx.exit(0 if all(row["is_well"] for row in found) else EXIT_PARTLY)


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="A JSON list on standard output.")
@click.pass_context
def balance(ctx: click.Context, /, name: str | None, *, as_json: bool) -> None:
    """Ask the gateways what is left on the accounts; nothing is sent.

    Exit code 3 when one could not be asked.

    With --json a list of objects: `name`, `gateway`, `balance` (a decimal number in quotes, null: not known),
    `unit` (a currency, "credits", "messages"; null: the gateway does not say), `tells_balance` (false: this
    gateway has no call that would tell it), `reason` (why it is not known).
    """
    found = [_balance(account) for account in _asked(load_settings(), name)]
    if as_json:
        echo_json(found)
    else:
        rows = ([row["name"], balance_words(row), row["reason"]] for row in found)
        echo_table(["provider", "balance", "because"], rows)
    is_partial = any(row["balance"] is None and row["tells_balance"] for row in found)
    ctx.exit(EXIT_PARTLY if is_partial else 0)


def _asked(settings: Settings, name: str | None) -> list[Account]:
    return [account_named(settings, name)] if name else list(accounts_of(settings).values())


def _standing(account: Account) -> Standing:
    try:
        return check_standing(account)
    except ConfigError as error:
        return Standing(is_well=False, is_answered=False, reason=str(error), balance=None)


def _checked(engine: Engine, account: Account) -> dict[str, Any]:
    """Check an account; lift its trouble when it is well."""
    standing = _standing(account)
    if standing.is_well:
        with writing(engine) as connection:
            trouble.note_check(connection, account.name, trouble=None)
    return standing_facts(account, standing)


def _check_words(row: Mapping[str, Any]) -> list[str | None]:
    return [row["name"], _well(row), balance_words(row), row["reason"]]


def _check_facts(row: Mapping[str, Any]) -> dict[str, str | None]:
    return {
        "provider": row["name"],
        "gateway": row["gateway"],
        "well": _well(row),
        "because": row["reason"],
        "login": _LOGIN_WORDS[row["login"]],
        "balance": balance_words(row) if row["tells_balance"] else _NOT_TOLD,
        "can": ", ".join(row["abilities"]),
    }


def _well(row: Mapping[str, Any]) -> str:
    return "yes" if row["is_well"] else "no"


def _balance(account: Account) -> dict[str, Any]:
    """Ask for what is left, where there is a call that tells it."""
    tells, standing = tells_balance(account), _UNASKED
    if tells:
        standing = _standing(account)
    return {
        "name": account.name,
        "gateway": account.provider.gateway,
        **balance_facts(standing),
        "tells_balance": tells,
        "reason": standing.reason if standing.balance is None else None,
    }
