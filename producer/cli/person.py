"""`bulksend person`: everything that is held on one number, shown and erased."""

from __future__ import annotations

import sys
from typing import Any

import click

from producer import people
from producer.cli import EXIT_PARTLY
from producer.cli.opening import ready_ledger
from producer.cli.optout_options import only_country
from producer.cli.output import ask, echo_json
from producer.cli.words import author
from worker.ledger import cleaning
from worker.settings import Settings, load_settings
from worker.text.counting import counted
from worker.text.msisdn import check_region, parse

_number = click.argument("number", metavar="NUMBER|-")
_country = click.option("--country", help="Country of a number without country code, such as DK.")


@click.group()
def person() -> None:
    """Show, or erase, everything that is held on a number.

    `-` reads the number from standard input: an argument stays in the history of the shell.
    """


@person.command()
@_number
@_country
def export(number: str, *, country: str | None) -> None:
    """Print what is held on a number as JSON: messages, texts, columns, requests, reports, orders."""
    settings = load_settings()
    msisdn = _read(settings, number, country)
    found = people.everything(ready_ledger(settings), msisdn)
    if not (found["messages"] or found["pushed_reports"] or found["opt_outs"]):
        click.echo("Nothing is held on this number", err=True)
    echo_json(found)


@person.command()
@_number
@_country
@click.option(
    "--vacuum", is_flag=True, help="Write the whole file anew afterwards; nobody can send meanwhile."
)
@click.option("--yes", is_flag=True, help="Answer the question with yes.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.pass_context
def erase(  # noqa: PLR0913 - one argument per option
    ctx: click.Context, /, number: str, *, country: str | None, vacuum: bool, yes: bool, as_json: bool
) -> None:
    """Erase everything that is held on a number, for good; what is queued to it is cancelled.

    States, counts, parts and prices stay, without a number. Returns when nothing is on its way to the number
    any more; exit code 3 when something hangs. What it opted out of still holds.

    A file that names the number brings it back, when it is sent or reminded of again: `bulksend optout add`
    keeps messages from it. So does a report that its gateway tells later: give the command once more, 72 h
    after the last message.
    """
    settings = load_settings()
    msisdn = _read(settings, number, country)
    engine = ready_ledger(settings)
    found = people.held(engine, msisdn)
    if found.n:
        click.echo(f"Messages to this number: {found.n}, of which are queued: {found.n_queued}", err=True)
        if found.n_kept:
            words = (
                "The gateway keeps some until their time, and sends them: `bulksend campaign cancel` before"
            )
            click.echo(f"{words} takes back what it can: {found.n_kept}", err=True)
        ask("Erase them for good?", yes=yes)
    done = people.erase(
        engine,
        msisdn,
        author=author(),
        patience_s=settings.timers.order_wait,
        on_wait=lambda n: click.echo(f"On their way to the gateway: {n}; waiting for the answer", err=True),
    )
    leftover = done.leftover
    if vacuum:
        cleaning.rewrite(engine)
        leftover = False
    if as_json:
        echo_json(_facts(done))
    _say(done, leftover=leftover)
    ctx.exit(EXIT_PARTLY if done.on_their_way else 0)


def _read(settings: Settings, number: str, country: str | None) -> str:
    """Return a number as the ledger has it; without a country, in that of all providers.

    Raises:
        InputError: it is none; the sentence does not show it.
        ConfigError: the country is not known.
    """
    written = sys.stdin.readline() if number == "-" else number
    region = check_region(country) if country else only_country(settings)
    return parse(written.strip(), region=region).e164


def _facts(done: people.Erasure) -> dict[str, Any]:
    return {
        "messages": done.messages,
        "cancelled": done.cancelled,
        "reports": done.pushes,
        "opt_outs": done.opt_outs,
        "on_their_way": done.on_their_way,
    }


def _say(done: people.Erasure, *, leftover: bool) -> None:
    if not (done.messages or done.pushes or done.on_their_way or done.opt_outs):
        click.echo("Nothing is held on this number", err=True)
        return
    erased, raw = counted(done.messages, "message"), counted(done.pushes, "raw report")
    click.echo(f"Erased: {erased}, of which were queued: {done.cancelled}; {raw}", err=True)
    if done.opt_outs:
        click.echo(f"Opt-outs that hold without the number from now on: {done.opt_outs}", err=True)
    if done.on_their_way:
        click.echo(
            f"Not erased, since they are on their way: {done.on_their_way}; repeat the command", err=True
        )
    if leftover:
        click.echo(
            "Copies of it are left in the file of the ledger: in unused parts of it, which --vacuum writes "
            "anew, or in texts and columns of other people",
            err=True,
        )
