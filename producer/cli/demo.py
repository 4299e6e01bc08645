"""`bulksend demo`: the whole thing on this machine."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from pathlib import Path

import click

from producer import demo as demonstration
from worker.errors import LedgerError
from worker.ledger.engine import open_ledger


@click.command()
@click.option(
    "--gateway",
    type=click.Choice(list(demonstration.GATEWAYS)),
    default=demonstration.USUAL,
    show_default=True,
    help="Which of the gateways is simulated and sent through.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=demonstration.FOLDER,
    show_default=True,
    help="Where everything of the demo goes.",
)
@click.pass_context
def demo(ctx: click.Context, /, *, gateway: str, folder: Path) -> None:
    """Send a real file through Redis, a worker and a simulated gateway, and check the result.

    Starts everything it needs on this machine, stops it again, and leaves one folder. Where the gateway
    pushes delivery reports, they are taken in too.
    """
    began = time.monotonic()
    place = demonstration.make_folder(folder)
    click.echo(f"Everything of this demo is in {place}")
    with demonstration.simulator(place) as running:
        address = demonstration.address_of(running)
        path = demonstration.GATEWAYS[gateway].path
        click.echo(f"The simulated gateway, {gateway}, listens on {address}{path}")
        demonstration.write_settings(place, address, gateway=gateway)
        demonstration.use_environment(place)
        with demonstration.receiving(place, address, gateway=gateway) as reports_to:
            if reports_to:
                click.echo(f"Delivery reports are taken in at {reports_to}")
            _run_commands(ctx, place, gateway=gateway)
            engine = open_ledger(f"sqlite:///{place}/bulksend.db")
            same, different = demonstration.compare(engine, address, gateway=gateway)
            delivered = demonstration.await_delivered(engine, same) if reports_to else None
    _require_equal(same, different, delivered=delivered)
    click.echo(
        f"\nThe simulator accepted {same} messages; the ledger has the same {same}, number for number,"
    )
    told = "" if delivered is None else f" All {delivered} were reported as delivered."
    click.echo(f"text for text and part for part.{told}")
    click.echo(f"That took {time.monotonic() - began:.0f} s; nothing runs any more.")
    click.echo(
        f"Look around: cd {place} && {_program()} campaign show 1; delete the folder when you are done."
    )


def _run_commands(ctx: click.Context, /, place: Path, *, gateway: str) -> None:
    """Run what a person would type, each command shown before; end with the code of one that fails."""
    for words in demonstration.commands(gateway):
        click.secho(f"\n$ bulksend {shlex.join(words)}", bold=True)
        code = demonstration.run(place, words)
        if code:
            ctx.exit(code)


def _require_equal(same: int, different: int, *, delivered: int | None) -> None:
    if different:
        raise LedgerError(
            f"{different} messages stand in the simulator or in the ledger only, {same} in both"
        )
    if delivered not in {None, same}:
        raise LedgerError(f"{delivered} of {same} messages were reported as delivered, the others never")


def _program() -> str:
    """Return how this shell can call us: by name, or by the path of the environment that we run in."""
    own = Path(sys.executable).with_name("bulksend")
    return "bulksend" if shutil.which("bulksend") == str(own) else str(own)
