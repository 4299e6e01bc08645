"""`bulksend send`: a recipient file becomes a campaign, and, with --wait, SMS."""

from __future__ import annotations

from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import click
from sqlalchemy import Engine

from producer import campaigns, watch
from producer.cli import EXIT_INTERRUPTED, EXIT_PARTLY
from producer.cli.campaign import Dashboard, echo_report
from producer.cli.order import (
    amount,
    make_identity,
    make_order,
    most_words,
    order_options,
    read_order,
    require_key,
    require_messages,
    require_within,
    summary,
)
from producer.cli.output import Meter, echo_json, echo_problems, is_interactive
from producer.own_worker import own_worker
from producer.preview import Order, Preview
from producer.reports import explained, is_complete, shown
from producer.spool import Spool
from worker.errors import BrokerError, InputError
from worker.ledger.engine import open_ledger, reading
from worker.ledger.reports import CampaignReport
from worker.ledger.schema import prepare
from worker.settings import Settings, idle_settings, load_settings
from worker.station import require_broker, running_broker


@click.command(
    epilog='\b\nExample:\n  bulksend send members.csv --text "Hi {{ first_name }}" --via acme-dk --wait'
)
@order_options
@click.option("--max-cost", metavar="AMOUNT", help="Refuse to send when it costs more, such as 250.00.")
@click.option("--accept-good-rows", is_flag=True, help="Send the good rows of a file that has refused ones.")
@click.option("--key", help="Send only once what has this key: 1 to 100 characters of your choice.")
@click.option("--again", is_flag=True, help="Send it although the same was sent before.")
@click.option("--yes", is_flag=True, help="Answer every question with yes.")
@click.option("--wait", is_flag=True, help="Wait until all is sent; without a broker, send it from here.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.pass_context
def send(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    /,
    *,
    max_cost: str | None,
    accept_good_rows: bool,
    key: str | None,
    again: bool,
    yes: bool,
    wait: bool,
    as_json: bool,
    **given: Any,  # noqa: ANN401 - the shared options
) -> None:
    """Send one message to every recipient of FILE."""
    settings = load_settings()
    most = amount(max_cost)
    require_key(key)
    order = make_order(settings, given)
    order.account.secret()  # found missing here rather than by the worker
    spool = Spool()
    found = read_order(order, on_message=spool.add)
    _require_wanted(found, most=most, good_rows=accept_good_rows or yes)
    engine = _ready_ledger(settings, brings_own=wait)
    identity = make_identity(settings, found, key=key, again=again)
    prepared = campaigns.Prepared(found=found, messages=spool, identity=identity)
    campaign_id = _create(engine, order, prepared)
    click.echo(f"Campaign {campaign_id}: {found.messages} messages, {found.parts} parts", err=True)
    _publish(settings, engine, order.account.name)
    if wait:
        ctx.exit(_wait(settings, engine, campaign_id, found=found, as_json=as_json))
    if as_json:
        echo_json({**summary(found), "campaign_id": campaign_id})
    if not watch.is_worked_soon(engine, campaign_id):
        click.echo(watch.NOBODY_SENDS, err=True)


def _ready_ledger(settings: Settings, *, brings_own: bool) -> Engine:
    """Check all that sending needs, then open the ledger."""
    engine = open_ledger(settings.ledger)
    require_broker(settings, brings_own=brings_own)
    prepare(engine)
    for sentence in idle_settings(settings):
        click.echo(sentence, err=True)
    return engine


def _require_wanted(found: Preview, *, most: Decimal | None, good_rows: bool) -> None:
    """Refuse what would send other rows, nothing, or for more money than is wanted."""
    _accept(found, good_rows=good_rows)
    require_messages(found)
    require_within(found, most)


def _accept(found: Preview, *, good_rows: bool) -> None:
    """Go on with a file that has refused rows only when that is wanted."""
    if not found.refused:
        return
    reasons = ", ".join(f"{code}: {n}" for code, n in found.reasons.most_common())
    click.echo(f"{found.refused} of {found.rows} rows are refused ({reasons})", err=True)
    if good_rows:
        return
    echo_problems(found.problems, total=found.refused)
    words = f"Send the {found.messages} good rows ({found.parts} parts, {most_words(found)})?"
    if not is_interactive() or not click.confirm(words, err=True):
        raise InputError(
            "Nothing was sent: correct the rows, or send the good ones with --accept-good-rows",
            code="refused_rows",
        )


def _create(engine: Engine, order: Order, prepared: campaigns.Prepared) -> int:
    try:
        for number in campaigns.make_room(engine, prepared.identity):
            click.echo(
                f"Campaign {number} was discarded: its import was interrupted, nothing of it was sent",
                err=True,
            )
        with Meter("Importing", total=prepared.found.messages) as meter:
            return campaigns.create(engine, order, prepared, on_messages=meter.advance)
    except KeyboardInterrupt:
        click.echo("Nothing was sent; the same command begins again.", err=True)
        raise
    finally:
        prepared.messages.close()


def _publish(settings: Settings, engine: Engine, provider: str) -> None:
    """Tell a worker at once; when Redis has just gone away, the tick does it later."""
    broker = running_broker(settings)
    if broker is None:
        return
    from worker.dispatch import Dispatcher  # noqa: PLC0415 - Celery takes longer to import than all else here

    dispatcher = Dispatcher.of(settings, engine=engine, broker=broker)
    try:
        dispatcher.publish_due(provider)
    except BrokerError as error:
        click.echo(f"{error}. The campaign is in the ledger and goes on by itself.", err=True)


def _wait(settings: Settings, engine: Engine, campaign_id: int, *, found: Preview, as_json: bool) -> int:
    """Follow the campaign to its end, with a worker of our own where no broker says that others send."""
    dashboard = Dashboard(campaign_id, settings)
    with ExitStack() as opened:
        in_between, on_idle = _nothing, lambda: dashboard.say(watch.NOBODY_SENDS)
        if settings.broker is None:
            in_between = opened.enter_context(own_worker(settings, say=dashboard.say)).see_to
            on_idle = _nothing  # ours starts
            click.echo("Sending from here, unless a worker runs already; Ctrl-C stops cleanly", err=True)
        try:
            with dashboard:
                report = watch.follow(
                    engine, campaign_id, on_look=dashboard.show, in_between=in_between, on_idle=on_idle
                )
        except KeyboardInterrupt:
            _say_how_to_go_on(campaign_id, sends_here=settings.broker is None)
            return EXIT_INTERRUPTED
    return _report(engine, explained(report, settings), found=found, as_json=as_json)


def _nothing() -> None:
    """Do nothing."""


def _say_how_to_go_on(campaign_id: int, *, sends_here: bool) -> None:
    if sends_here:
        click.echo("Stopping: what is under way ends, the rest stays queued.", err=True)
        click.echo(
            f"`bulksend worker` goes on; `bulksend campaign show {campaign_id}` tells where it is.", err=True
        )
    else:
        click.echo(
            f"Campaign {campaign_id} goes on; `bulksend campaign watch {campaign_id}` shows it.", err=True
        )


def _report(engine: Engine, report: CampaignReport, *, found: Preview, as_json: bool) -> int:
    with reading(engine) as connection:
        facts = shown(connection, report)
    if as_json:
        echo_json({**summary(found), **facts, "campaign_id": report.id})
    else:
        echo_report(facts)
    return 0 if is_complete(report) else EXIT_PARTLY
