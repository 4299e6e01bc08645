"""`bulksend campaign pause|resume|cancel|retry|discard`: orders that hold when the command has returned."""

from __future__ import annotations

import click
from sqlalchemy import Connection, Engine

from producer import campaigns, importing
from producer.cli import EXIT_PARTLY
from producer.cli.handing import kept_words, late_words
from producer.cli.opening import ready_ledger
from producer.cli.order import confirm_late, make_identity, read_order, remake_order, require_ahead
from producer.cli.output import Meter, ask
from producer.cli.settling_down import settle_down
from producer.cli.times import time_words, zone_shown
from producer.cli.words import author, require_plain
from producer.optouts import look_up
from producer.spool import Spool
from producer.taking import take_back
from worker.errors import InputError
from worker.ledger import control, interrupted, kept, reports, retrying
from worker.ledger.engine import reading, writing
from worker.ledger.flight import Scope
from worker.settings import Settings, load_settings
from worker.states import CampaignState, MessageState
from worker.text.counting import counted


@click.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--reason", default="paused by hand", show_default=True, help="Shown with the campaign.")
@click.pass_context
def pause(ctx: click.Context, /, campaign_id: int, *, reason: str) -> None:
    """Stop a campaign: what is not on its way to the gateway stays queued.

    Returns when nothing of it is on its way any more; exit code 3 when something hangs.
    """
    require_plain("--reason", reason)
    settings = load_settings()
    engine = ready_ledger(settings)
    try:
        with writing(engine) as connection:
            is_new = control.pause(connection, campaign_id, reason=reason, author=author())
            by = "" if is_new else _by(settings, connection, campaign_id)
    except InputError:
        _say_kept(engine, campaign_id)  # it may be done, and its messages not gone
        raise
    state = "is paused" if is_new else f"is paused already, {by}"
    click.echo(
        f"Campaign {campaign_id} {state}; `bulksend campaign resume {campaign_id}` undoes it", err=True
    )
    _say_kept(engine, campaign_id)
    ctx.exit(_settle_down(settings, engine, campaign_id, order="pause"))


def _by(settings: Settings, connection: Connection, campaign_id: int) -> str:
    """Say who paused a campaign, when and why, as far as that is known."""
    who, since, why = control.paused_by(connection, campaign_id)
    zone = _zone(settings, reports.report(connection, campaign_id))
    words = [f"by {who}" if who else "", f"since {time_words(since, zone)}" if since else ""]
    return f"{' '.join(filter(None, words))}{f' ({why})' if why else ''}"


def _settle_down(settings: Settings, engine: Engine, campaign_id: int, *, order: str) -> int:
    with reading(engine) as connection:
        zone = _zone(settings, reports.report(connection, campaign_id))
    scope = Scope(campaign_id=campaign_id)
    return settle_down(engine, scope, order=order, patience_s=settings.timers.order_wait, zone=zone)


def _zone(settings: Settings, report: reports.CampaignReport) -> str:
    return zone_shown(settings, provider=report.provider, zone=report.zone)


def _say_kept(engine: Engine, campaign_id: int) -> None:
    with reading(engine) as connection:
        words = kept_words(reports.report(connection, campaign_id))
    if words:
        click.echo(words, err=True)


@click.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--yes", is_flag=True, help="Answer the question with yes.")
def resume(campaign_id: int, *, yes: bool) -> None:
    """Let a campaign go on that is paused, that has batches held, or whose import was interrupted."""
    settings = load_settings()
    engine = ready_ledger(settings)
    with reading(engine) as connection:
        report = reports.report(connection, campaign_id)
    if report.state == CampaignState.IMPORTING:
        _finish_import(settings, engine, campaign_id, yes=yes)
        return
    late = late_words(report, zone=_zone(settings, report))
    if late and report.is_stuck:
        click.echo(late, err=True)
        ask("Send them now?", yes=yes)
    done = campaigns.resume(engine, campaign_id, author=author())
    held = f"; batches that were held and are tried again: {done.n_opened}" if done.n_opened else ""
    words = "goes on" if done.is_new or done.n_opened else "is running already"
    click.echo(f"Campaign {campaign_id} {words}{held}", err=True)


def _finish_import(settings: Settings, engine: Engine, campaign_id: int, *, yes: bool) -> None:
    """Read the file again, as it was read when the import began, and import what is missing."""
    with reading(engine) as connection:
        begun = interrupted.find(connection, campaign_id)
    if begun.series is not None:
        raise InputError(
            f"Campaign {campaign_id} is of reminders: give the same `bulksend remind` again, which puts it "
            "away and begins anew",
            code="reminders",
        )
    spool = Spool()
    try:
        order = look_up(engine, remake_order(settings, begun))
        require_ahead(order, f"put it away with `bulksend campaign discard {campaign_id}` and send again")
        found = read_order(order, on_message=spool.add)
        confirm_late(order, found, late_s=settings.timers.late, yes=yes)
        key = begun.reading.get("key")
        identity = make_identity(settings, order, found, key=None if key is None else str(key))
        prepared = importing.Prepared(found=found, messages=spool, identity=identity)
        with Meter("Importing", total=found.messages) as meter:
            importing.finish(engine, campaign_id, prepared, on_messages=meter.advance)
    except importing.LateInterrupt as late:
        click.echo(late, err=True)
        raise
    except KeyboardInterrupt:
        click.echo(f"`bulksend campaign resume {campaign_id}` goes on with the import.", err=True)
        raise
    finally:
        spool.close()
    click.echo(
        f"Campaign {campaign_id}: {counted(found.messages, 'message')}, {counted(found.parts, 'part')}",
        err=True,
    )


@click.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--yes", is_flag=True, help="Answer the question with yes.")
@click.pass_context
def cancel(ctx: click.Context, /, campaign_id: int, *, yes: bool) -> None:
    """End a campaign for good: what is still queued is never sent, what a gateway keeps is taken back.

    Returns when nothing of it is on its way any more; exit code 3 when something hangs.
    """
    settings = load_settings()
    engine = ready_ledger(settings)
    with reading(engine) as connection:
        reports.state_at(connection, campaign_id)  # there is one, or nobody is asked
        was_ahead = not kept.is_over(connection, campaign_id)
    ask(f"End campaign {campaign_id} for good?", yes=yes)
    n_cancelled = campaigns.cancel(engine, campaign_id, author=author())
    were = counted(n_cancelled, "queued message", verb="was")
    click.echo(f"Campaign {campaign_id} is cancelled; {were} cancelled", err=True)
    is_back = _take_back(settings, engine, campaign_id, was_ahead=was_ahead)
    code = _settle_down(settings, engine, campaign_id, order="cancel")
    ctx.exit(code if is_back else EXIT_PARTLY)


def _take_back(settings: Settings, engine: Engine, campaign_id: int, *, was_ahead: bool) -> bool:
    """Take back what its gateway keeps, where it was given a time; say what stays there."""
    with reading(engine) as connection:
        report = reports.report(connection, campaign_id)
    if report.leaves_at is None:
        return True
    try:
        with Meter("Taking back", total=report.counts[MessageState.ACCEPTED]) as meter:
            found = take_back(engine, settings, campaign_id, was_ahead=was_ahead, on_back=meter.advance)
    except KeyboardInterrupt:
        click.echo("Workers go on with taking back what the gateway keeps.", err=True)
        raise
    for sentence in found.sentences():
        click.echo(sentence, err=True)
    return found.is_whole


@click.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--yes", is_flag=True, help="Answer the question with yes.")
def discard(campaign_id: int, *, yes: bool) -> None:
    """Put a campaign away whose import was interrupted: nothing of it was sent, and nothing ever is."""
    engine = ready_ledger(load_settings())
    with reading(engine) as connection:
        reports.state_at(connection, campaign_id)
    ask(f"Put campaign {campaign_id} away?", yes=yes)
    n_removed = campaigns.discard(engine, campaign_id, author=author())
    click.echo(
        f"Campaign {campaign_id} is discarded; {counted(n_removed, 'message', verb='was')} imported", err=True
    )


@click.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--failed", is_flag=True, help="Only what was given up here, or settled so.")
@click.option("--rejected", is_flag=True, help="Only what the gateway refused for good.")
@click.option("--yes", is_flag=True, help="Answer the question with yes.")
def retry(campaign_id: int, *, failed: bool, rejected: bool, yes: bool) -> None:
    """Send the failed and the rejected messages of a campaign once more."""
    chosen = {MessageState.FAILED: failed, MessageState.REJECTED: rejected}
    states = {state for state, is_chosen in chosen.items() if is_chosen} or retrying.RETRIABLE
    engine = ready_ledger(load_settings())
    with reading(engine) as connection:
        found = retrying.retriable(connection, campaign_id, states)
    if found.n_risky:
        click.echo(
            f"Left out, since the gateway may have accepted them: {found.n_risky}; "
            "`bulksend unknown settle --resend` is for such messages, before they are settled as failed",
            err=True,
        )
    if found.n_gone:
        click.echo(f"Left out, since their numbers were erased: {found.n_gone}", err=True)
    if found.n_over:
        click.echo(f"Left out, since the time to send them is over: {found.n_over}", err=True)
    if found.n_withdrawn:
        click.echo(
            f"Left out, since a newer file of appointments took them back: {found.n_withdrawn}", err=True
        )
    n_queued = 0
    if found.n:
        ask(f"Send {counted(found.n, 'message')} of campaign {campaign_id} once more?", yes=yes)
        n_queued = campaigns.retry(engine, campaign_id, states, author=author())
    with reading(engine) as connection:
        is_paused = control.state_of(connection, campaign_id) == CampaignState.PAUSED
    paused = f"; it is paused: `bulksend campaign resume {campaign_id}` lets it go on" if is_paused else ""
    are = counted(n_queued, "message", verb="is")
    click.echo(f"Campaign {campaign_id}: {are} queued again{paused}", err=True)
