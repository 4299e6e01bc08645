"""The command `python -m worker.sandbox`, which is also `bulksend sandbox`."""

import sys

import click

from worker.sandbox.server import serve


@click.command("sandbox")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8025, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one."
)
def main(host: str, port: int) -> None:
    """Simulate the SMS gateways on this machine; nothing leaves it."""
    try:
        serve(host=host, port=port)
    except OSError as error:
        reason = error.strerror or "no such address"
        click.echo(
            f"Cannot listen on {host}:{port} ({reason}); choose another with --host or --port.", err=True
        )
        sys.exit(2)


if __name__ == "__main__":
    main()
