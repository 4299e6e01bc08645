"""`bulksend send`: a recipient file becomes a campaign, and, with --wait, SMS."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import click
from sqlalchemy import Engine

from producer import importing
from producer.cli.costs import Most, amount, confirm_number, max_cost_option, most_words, require_within
from producer.cli.figures import require_messages, summary, target_words
from producer.cli.files import Lists, duplicates_option, good_rows_option, problems_option
from producer.cli.handing import handing_over
from producer.cli.order import (
    look_up,
    make_identity,
    make_order,
    order_options,
    read_order,
    require_ahead,
    require_key,
)
from producer.cli.output import Meter, ask, echo_n_doubles, echo_problems, echo_reasons, is_interactive
from producer.cli.places import force_option
from producer.cli.released import Released, see_off
from producer.cli.trying import try_out
from producer.cli.when import when_line, when_sentences
from producer.preview import Order, Preview
from producer.spool import Spool
from worker.errors import InputError
from worker.ledger.engine import open_ledger
from worker.ledger.schema import prepare
from worker.settings import Settings, load_settings
from worker.states import Lane
from worker.station import require_broker
from worker.text.counting import counted


@click.command(
    epilog='\b\nExample:\n  bulksend send members.csv --text "Hi {{ first_name }}" --via acme-dk --wait'
)
@order_options
@problems_option(default="FILE.problems.csv beside it, none with --problems none")
@duplicates_option
@force_option
@max_cost_option
@good_rows_option
@click.option("--key", help="Send only once what has this key: 1 to 100 characters of your choice.")
@click.option("--urgent", is_flag=True, help="Send before campaigns that are not urgent.")
@click.option("--again", is_flag=True, help="Send it although the same was sent before.")
@click.option(
    "--test",
    "numbers",
    multiple=True,
    metavar="NUMBER",
    help="Send only the first message, at once and to a number of your own; up to 5 of them.",
)
@click.option("--yes", is_flag=True, help="Answer every question with yes.")
@click.option("--wait", is_flag=True, help="Wait until all is sent; without a broker, send it from here.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.pass_context
def send(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    /,
    *,
    max_costs: tuple[str, ...],
    accept_good_rows: bool,
    key: str | None,
    urgent: bool,
    again: bool,
    numbers: tuple[str, ...],
    yes: bool,
    wait: bool,
    as_json: bool,
    **given: Any,  # noqa: ANN401 - the shared options
) -> None:
    """Send one message to every recipient of FILE."""
    settings = load_settings()
    most = amount(max_costs)
    require_key(key)
    lists = Lists.of(settings, given, is_beside=True)
    order = replace(make_order(settings, given), lane=Lane.URGENT if urgent else Lane.BULK)
    order.account.secret()  # found missing here rather than by the worker
    if numbers:
        ledger = partial(_ready_ledger, settings, brings_own=True)
        ctx.exit(try_out(settings, order, numbers, most=most, open_ledger=ledger, as_json=as_json))
    order, spool = look_up(settings, order, is_needed=True), Spool()
    found = read_order(order, on_message=spool.add, lists=lists)
    require_wanted(found, most=most, good_rows=accept_good_rows or yes)
    engine = _ready_ledger(settings, brings_own=wait)
    identity = make_identity(settings, order, found, key=key, again=again)
    importing.refuse_repeat(engine, identity)
    say_when(found)
    confirm(order, found, yes=yes)
    confirm_number(found, above=settings.send.confirm_above, yes=yes)
    prepared = importing.Prepared(found=found, messages=spool, identity=identity)
    released = Released(
        id=_create(engine, order, prepared), provider=order.account.name, summary=summary(found)
    )
    ctx.exit(see_off(settings, engine, released, waits=wait, as_json=as_json))


def _ready_ledger(settings: Settings, *, brings_own: bool) -> Engine:
    """Check all that sending needs, then open the ledger."""
    engine = open_ledger(settings.ledger)
    require_broker(settings, brings_own=brings_own)
    prepare(engine)
    return engine


def require_wanted(found: Preview, *, most: Most | None, good_rows: bool) -> None:
    """Refuse what would send other rows, nothing, or for more money than is wanted."""
    echo_n_doubles(found)
    _accept(found, good_rows=good_rows)
    require_messages(found)
    require_within(found, most)


def _accept(found: Preview, *, good_rows: bool) -> None:
    """Go on with a file that has refused rows only when that is wanted."""
    echo_reasons(found)
    if not found.refused or good_rows:
        return
    echo_problems(found.problems, total=found.refused)
    rows, parts = counted(found.messages, "good row"), counted(found.parts, "part")
    words = f"Send the {rows} ({parts}, {most_words(found)})?"
    if not is_interactive() or not click.confirm(words, err=True):
        raise InputError(
            "Nothing was sent: correct the rows, or send the good ones with --accept-good-rows",
            code="refused_rows",
        )


def say_when(found: Preview) -> None:
    """Say when it leaves, where that is said of it."""
    if found.plan.starts_at is not None:
        click.echo(f"It leaves {when_line(found.plan)}", err=True)
        for sentence in when_sentences(found.plan):
            click.echo(sentence, err=True)


def confirm(order: Order, found: Preview, *, yes: bool) -> None:
    """Say what escapes from our hands, and go on only when that is wanted."""
    if found.targets:
        click.echo(f"{target_words(found)}.", err=True)
        ask("Send them?", yes=yes)
    if order.leaves_at is not None:
        click.echo(handing_over(order, leaves_at=order.leaves_at), err=True)
        ask("Give it to the gateway now?", yes=yes)
        require_ahead(order, "give a later one with --at")  # reading and asking took their time


def _create(engine: Engine, order: Order, prepared: importing.Prepared) -> int:
    try:
        for number in importing.make_room(engine, prepared.identity):
            click.echo(
                f"Campaign {number} was discarded: its import was interrupted, nothing of it was sent",
                err=True,
            )
        with Meter("Importing", total=prepared.found.messages) as meter:
            return importing.create(engine, order, prepared, on_messages=meter.advance)
    except importing.LateInterrupt as late:
        click.echo(late, err=True)
        raise
    except KeyboardInterrupt:
        click.echo("Nothing was sent; the same command begins again.", err=True)
        raise
    finally:
        prepared.messages.close()
