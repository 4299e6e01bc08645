"""`bulksend provider`: the configured accounts, and orders to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from sqlalchemy import Connection

from producer.cli.handing import late_words_of
from producer.cli.opening import ready_ledger
from producer.cli.output import ask, echo_json, echo_orders, echo_table
from producer.cli.rate import rate
from producer.cli.settling_down import settle_down
from producer.cli.speed import connection_words, rate_words
from producer.cli.standing import balance, check
from producer.cli.times import iso_words, time_words, zone_shown
from producer.cli.words import author, require_plain
from producer.live import standings_now
from producer.reports import order_facts
from producer.standings import live_facts, provider_facts
from worker.errors import ConfigError
from worker.ledger import accounts, kept, orders, settling, tally
from worker.ledger.accounts import AccountStanding
from worker.ledger.engine import now_of, reading, writing
from worker.ledger.findings import age
from worker.ledger.flight import Scope
from worker.settings import Settings, load_settings
from worker.text.counting import counted


@click.group()
def provider() -> None:
    """See the configured providers, and give them orders."""


for _command in (balance, check, rate):
    provider.add_command(_command)


@provider.command("list")
@click.option("--json", "as_json", is_flag=True, help="A JSON list on standard output.")
def list_(*, as_json: bool) -> None:
    """List providers: how each stands and how fast it sends, what of it is queued, in flight and unknown."""
    settings = load_settings()
    with reading(ready_ledger(settings)) as connection:
        standings = accounts.standings(connection)
        counts = tally.counts_by_provider(connection)
        requests = tally.requests_out(connection)
        urgent = tally.urgent_by_provider(connection)
        unknown = settling.ages(connection)
        now = now_of(connection)
        given = {
            name: [order_facts(each) for each in orders.of_provider(connection, name, limit=_SHOWN_ORDERS)]
            for name in settings.providers.keys() | standings.keys()
        }
    live = standings_now(settings, standings.values())
    names = settings.providers.keys() | standings.keys() | counts.keys()
    found = [
        {
            **provider_facts(
                name,
                settings,
                standing=standings.get(name),
                counts=counts.get(name, {}),
                unknown_ms=now - unknown[name][1] if name in unknown else None,
            ),
            "urgent": urgent.get(name, 0),
            "requests": requests.get(name, 0),
            "orders": given.get(name, []),
            **live_facts(live.get(name)),
        }
        for name in sorted(names)
    ]
    if as_json:
        echo_json(found)
    else:
        _echo(found, settings)


_SHOWN_ORDERS = 10
_SHOWN = {  # name of the fact -> header of its column
    "name": "provider",
    "gateway": "gateway",
    "state": "state",
    "queued": "queued",
    "urgent": "urgent",
    "in_flight": "in flight",
    "unknown": "unknown",
    "requests": "requests",
}


def _echo(found: list[dict[str, Any]], settings: Settings) -> None:
    headers = [*_SHOWN.values(), "connections", "rate", "oldest", "until", "because"]
    rows = (
        [
            *(row[name] for name in _SHOWN),
            connection_words(row),
            rate_words(row),
            None if row["oldest_unknown_s"] is None else age(int(row["oldest_unknown_s"] * 1000)),
            iso_words(row["until"] or row["throttled_until"], zone_shown(settings, provider=row["name"])),
            row["reason"]
            or row["throttled_reason"]
            or (None if row["gateway"] else "it is not in the settings"),
        ]
        for row in found
    )
    echo_table(headers, rows)


@provider.command()
@click.argument("name")
@click.option("--reason", default="paused by hand", show_default=True, help="Shown with the provider.")
@click.pass_context
def pause(ctx: click.Context, /, name: str, *, reason: str) -> None:
    """Let nothing leave through a provider: what is not on its way to the gateway stays queued.

    Returns when nothing is on its way there any more; exit code 3 when something hangs.
    """
    require_plain("--reason", reason)
    settings = load_settings()
    engine, zone = ready_ledger(settings), zone_shown(settings, provider=name)
    with writing(engine) as connection:
        _require_known(name, settings, accounts.standings(connection))
        is_new = accounts.pause_account(connection, name, reason=reason, author=author())
        by = "" if is_new else _by(connection, name, zone=zone)
        n_kept = kept.kept_by(connection, name)
    state = "is paused" if is_new else f"is paused already, {by}"
    click.echo(f"Provider {name} {state}; `bulksend provider resume {name}` undoes it", err=True)
    if n_kept:
        click.echo(
            f"What its gateway keeps until its time is not held back by that: {counted(n_kept, 'message')}; "
            "`bulksend campaign cancel` takes back what it gives back",
            err=True,
        )
    scope = Scope(provider=name)
    ctx.exit(settle_down(engine, scope, order="pause", patience_s=settings.timers.order_wait, zone=zone))


def _by(connection: Connection, name: str, *, zone: str) -> str:
    """Say who paused a provider, when and why."""
    standing = accounts.standings(connection)[name]
    paused = [each["at"] for each in orders.of_provider(connection, name) if each["what"] == orders.PAUSE]
    since = f" since {time_words(paused[-1], zone)}" if paused else ""
    return f"by {standing.author}{since} ({standing.reason})"


@provider.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Answer the question with yes.")
def resume(name: str, *, yes: bool) -> None:
    """Open a provider again, whatever closed it: a pause, trouble, or answers that could not be read.

    What its gateway was to keep until a time that is over leaves then, late: only after a yes.
    """
    settings = load_settings()
    engine = ready_ledger(settings)
    with reading(engine) as connection:
        standings = accounts.standings(connection)
        late = kept.late_for(connection, name)
    _require_known(name, settings, standings)
    if late and name in standings and standings[name].state != "open":
        click.echo(late_words_of(late, zone=zone_shown(settings, provider=name)), err=True)
        ask("Send them now?", yes=yes)
    with writing(engine) as connection:
        accounts.resume_account(connection, name, author=author())
    click.echo(f"Provider {name} goes on", err=True)


@provider.command("orders")
@click.argument("name")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Newest so many."
)
@click.option("--json", "as_json", is_flag=True, help="A JSON list on standard output.")
def orders_(name: str, *, limit: int, as_json: bool) -> None:
    """List who ordered what of a provider, and when, oldest first."""
    settings = load_settings()
    with reading(ready_ledger(settings)) as connection:
        _require_known(name, settings, accounts.standings(connection))
        found = [order_facts(each) for each in orders.of_provider(connection, name, limit=limit)]
    if as_json:
        echo_json(found)
    else:
        echo_orders(found, zone=zone_shown(settings, provider=name))


def _require_known(name: str, settings: Settings, standings: Mapping[str, AccountStanding]) -> None:
    """Refuse a name that neither the settings nor the ledger know: a pause of it would hold nothing."""
    known = sorted(settings.providers.keys() | standings.keys())
    if name not in known:
        words = ", ".join(known) or "none yet: add a section [providers.NAME] to bulksend.toml"
        raise ConfigError(f"There is no provider {name}; known are: {words}")
