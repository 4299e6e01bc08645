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
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=demonstration.FOLDER,
    show_default=True,
    help="Where everything of the demo goes.",
)
@click.pass_context
def demo(ctx: click.Context, /, folder: Path) -> None:
    """Send a real file through Redis, a worker and a simulated gateway, and check the result.

    Starts everything it needs on this machine, stops it again, and leaves one folder.
    """
    began = time.monotonic()
    place = demonstration.make_folder(folder)
    click.echo(f"Everything of this demo is in {place}")
    with demonstration.simulator(place) as running:
        address = demonstration.address_of(running)
        click.echo(f"The simulated gateway listens on {address}")
        demonstration.write_settings(place, address)
        for words in demonstration.commands():
            click.secho(f"\n$ bulksend {shlex.join(words)}", bold=True)
            code = demonstration.run(place, words)
            if code:
                ctx.exit(code)
        same, different = demonstration.compare(open_ledger(f"sqlite:///{place}/bulksend.db"), address)
    if different:
        raise LedgerError(
            f"{different} messages stand in the simulator or in the ledger only, {same} in both"
        )
    click.echo(
        f"\nThe simulator accepted {same} messages; the ledger has the same {same}, number for number,"
    )
    click.echo(
        f"text for text and part for part. That took {time.monotonic() - began:.0f} s; nothing runs any more."
    )
    click.echo(
        f"Look around: cd {place} && {_program()} campaign show 1; delete the folder when you are done."
    )


def _program() -> str:
    """Return how this shell can call us: by name, or by the path of the environment that we run in."""
    own = Path(sys.executable).with_name("bulksend")
    return "bulksend" if shutil.which("bulksend") == str(own) else str(own)
