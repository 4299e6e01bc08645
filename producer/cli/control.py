"""`bulksend campaign pause|resume|cancel|retry|discard`: orders that hold when the command has returned."""

from __future__ import annotations

import click
from sqlalchemy import Engine

from producer import campaigns, importing
from producer.cli.opening import ready_ledger
from producer.cli.order import make_identity, read_order, remake_order
from producer.cli.output import Meter, ask
from producer.cli.words import author, require_plain
from producer.spool import Spool
from worker.ledger import control, interrupted, reports, retrying
from worker.ledger.engine import reading, writing
from worker.settings import Settings, load_settings
from worker.states import CampaignState, MessageState


@click.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--reason", default="paused by hand", show_default=True, help="Shown with the campaign.")
def pause(campaign_id: int, reason: str) -> None:
    """Stop a campaign: what is not on its way to the gateway stays queued."""
    require_plain("--reason", reason)
    with writing(ready_ledger(load_settings())) as connection:
        control.pause(connection, campaign_id, reason=reason, author=author())
    click.echo(
        f"Campaign {campaign_id} is paused; `bulksend campaign resume {campaign_id}` undoes it", err=True
    )


@click.command()
@click.argument("campaign_id", metavar="ID", type=int)
def resume(campaign_id: int) -> None:
    """Let a campaign go on that is paused, that has batches held, or whose import was interrupted."""
    settings = load_settings()
    engine = ready_ledger(settings)
    with reading(engine) as connection:
        state = reports.report(connection, campaign_id).state
    if state == CampaignState.IMPORTING:
        _finish_import(settings, engine, campaign_id)
        return
    n_opened = campaigns.resume(engine, campaign_id, author=author())
    held = f"; batches that were held and are tried again: {n_opened}" if n_opened else ""
    click.echo(f"Campaign {campaign_id} goes on{held}", err=True)


def _finish_import(settings: Settings, engine: Engine, campaign_id: int) -> None:
    """Read the file again, as it was read when the import began, and import what is missing."""
    with reading(engine) as connection:
        kept = interrupted.find(connection, campaign_id)
    spool = Spool()
    try:
        found = read_order(remake_order(settings, kept), on_message=spool.add)
        key = kept.reading.get("key")
        identity = make_identity(settings, found, key=None if key is None else str(key))
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
    click.echo(f"Campaign {campaign_id}: {found.messages} messages, {found.parts} parts", err=True)


@click.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--yes", is_flag=True, help="Answer the question with yes.")
def cancel(campaign_id: int, *, yes: bool) -> None:
    """End a campaign for good: what is still queued is never sent."""
    ask(f"End campaign {campaign_id} for good?", yes=yes)
    n_cancelled = campaigns.cancel(ready_ledger(load_settings()), campaign_id, author=author())
    click.echo(f"Campaign {campaign_id} is cancelled; {n_cancelled} messages were still queued", err=True)


@click.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--yes", is_flag=True, help="Answer the question with yes.")
def discard(campaign_id: int, *, yes: bool) -> None:
    """Put a campaign away whose import was interrupted: nothing of it was sent, and nothing ever is."""
    ask(f"Put campaign {campaign_id} away?", yes=yes)
    n_removed = campaigns.discard(ready_ledger(load_settings()), campaign_id)
    click.echo(f"Campaign {campaign_id} is discarded; {n_removed} messages were imported", err=True)


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
    n_queued = 0
    if found.n:
        ask(f"Send {found.n} messages of campaign {campaign_id} once more?", yes=yes)
        n_queued = campaigns.retry(engine, campaign_id, states)
    click.echo(f"Campaign {campaign_id}: {n_queued} messages are queued again", err=True)
