"""`bulksend ledger`: the database itself."""

from __future__ import annotations

import click

from producer.cli.backup import backup
from producer.cli.prune import prune
from worker.ledger.engine import open_ledger
from worker.ledger.schema import upgrade as upgrade_ledger
from worker.settings import load_settings


@click.group()
def ledger() -> None:
    """Look after the ledger."""


ledger.add_command(backup)
ledger.add_command(prune)


@ledger.command()
def upgrade() -> None:
    """Bring an older ledger to this program's schema, after a backup and with the workers stopped."""
    before, after = upgrade_ledger(open_ledger(load_settings().ledger))
    click.echo(f"The ledger has schema {after}" + (f" (was {before})" if before != after else ""))
