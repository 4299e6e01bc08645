"""`bulksend init`: a commented settings file to begin with."""

from __future__ import annotations

import os
from pathlib import Path

import click

from worker.errors import ConfigError
from worker.settings import CONFIG_VARIABLE, DEFAULT_FILE

_EXAMPLE = Path(__file__).with_name("example.toml")


@click.command()
def init() -> None:
    """Write a commented bulksend.toml; an existing one is never touched."""
    target = Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_FILE)
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(_EXAMPLE.read_text(encoding="utf-8"))
    except FileExistsError:
        raise ConfigError(f"{target} exists already; edit it, or move it away") from None
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error.strerror}") from None
    click.echo(f"Wrote {target}: put your provider in, then try `bulksend preview`")
