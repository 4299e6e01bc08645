"""`bulksend campaign pause|resume|cancel`: orders that hold when the command has returned."""

from __future__ import annotations

import getpass

import click

from producer import campaigns
from producer.cli.opening import ready_ledger
from producer.cli.output import ask
from worker.ledger import control
from worker.ledger.engine import writing
from worker.settings import load_settings


@click.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--reason", default="paused by hand", show_default=True, help="Shown with the campaign.")
def pause(campaign_id: int, reason: str) -> None:
    """Stop a campaign: what is not on its way to the gateway stays queued."""
    with writing(ready_ledger(load_settings())) as connection:
        control.pause(connection, campaign_id, reason=reason, author=getpass.getuser())
    click.echo(
        f"Campaign {campaign_id} is paused; `bulksend campaign resume {campaign_id}` undoes it", err=True
    )


@click.command()
@click.argument("campaign_id", metavar="ID", type=int)
def resume(campaign_id: int) -> None:
    """Let a paused campaign go on."""
    with writing(ready_ledger(load_settings())) as connection:
        control.resume(connection, campaign_id, author=getpass.getuser())
    click.echo(f"Campaign {campaign_id} goes on", err=True)


@click.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--yes", is_flag=True, help="Answer the question with yes.")
def cancel(campaign_id: int, *, yes: bool) -> None:
    """End a campaign for good: what is still queued is never sent."""
    ask(f"End campaign {campaign_id} for good?", yes=yes)
    n_cancelled = campaigns.cancel(ready_ledger(load_settings()), campaign_id, author=getpass.getuser())
    click.echo(f"Campaign {campaign_id} is cancelled; {n_cancelled} messages were still queued", err=True)
