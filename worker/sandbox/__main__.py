"""The command `python -m worker.sandbox`, which is also `bulksend sandbox`."""

import sys

import click

from worker.sandbox.app import CONTROL, GATEWAYS, make_app
from worker.sandbox.endings import FATES, MARK
from worker.sandbox.server import serve

_NAMES = max(len(gateway.name) for gateway in GATEWAYS)
_PLACES = "\n".join(f"  {gateway.name:{_NAMES}}  {gateway.prefix}" for gateway in GATEWAYS)
_FATES = "\n".join(f"  {MARK}{digits}  {fate.says}" for digits, fate in FATES.items())
_HELP = f"""Simulate the SMS gateways on this machine; nothing leaves it.

\b
Base paths, for base_url of a provider:
{_PLACES}

Every user name with any secret is let in, except the user name "bad".

\b
A number chooses its own outcome by its ending, such as +4599990001:
{_FATES}
Refused ones are refused alone where the gateway can do that; others follow
the knobs. Reports are pushed to this machine only.

\b
Control, under {CONTROL}:
  GET  accepted  every accepted message, as JSON lines
  GET  stats     counts by gateway: accepted, unique, duplicates, violations
  GET  faults    the faults and knobs of each gateway, as they are set
  POST faults    sets some: {{"cpsms": {{"hang_after": 2, "rate": "50/s"}}}}
  POST reset     forgets everything
"""


@click.command("sandbox", help=_HELP, short_help="Simulate the SMS gateways on this machine.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8025, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one."
)
def main(host: str, port: int) -> None:
    """Serve until stopped."""
    try:
        serve(make_app(), host=host, port=port)
    except OSError as error:
        reason = error.strerror or "no such address"
        click.echo(
            f"Cannot listen on {host}:{port} ({reason}); choose another with --host or --port.", err=True
        )
        sys.exit(2)


if __name__ == "__main__":
    main()
