"""The command line: Click commands, one file per group; they translate and hold no logic.

Exit codes: 0 done, 1 input problems, 2 usage or configuration, 3 partly done, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.metadata import version

import click

from worker.errors import BrokerError, ConfigError, InputError, LedgerError

EXIT_INPUT = 1
EXIT_USAGE = 2
EXIT_PARTLY = 3
EXIT_INTERRUPTED = 130

_COMMANDS = {  # name -> where it is; imported when it is used, so that help and segments stay quick
    "demo": "producer.cli.demo:demo",
    "init": "producer.cli.init:init",
    "segments": "producer.cli.segments:segments",
    "preview": "producer.cli.preview:preview",
    "send": "producer.cli.send:send",
    "campaign": "producer.cli.campaign:campaign",
    "message": "producer.cli.message:message",
    "worker": "worker.cli:worker",
    "dispatcher": "worker.cli:dispatcher",
    "sandbox": "worker.cli:sandbox",
    "flower": "worker.cli:flower",
    "up": "worker.cli:up",
    "ledger": "producer.cli.ledger:ledger",
}


class _LazyGroup(click.Group):
    """A group that imports a command when it is called or described."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is Click's
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        place = _COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("bulksend"), prog_name="bulksend")
def cli() -> None:
    """Send SMS in bulk: nothing lost, nothing sent twice, what cannot be known is said.

    Begin with `bulksend demo`, then `bulksend init`. Settings are read from bulksend.toml here, or from the
    file that BULKSEND_CONFIG names.
    """


def main() -> None:
    """Run a command and turn what went wrong into one sentence and an exit code."""
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (InputError, ConfigError, LedgerError, BrokerError) as error:
        click.echo(f"Error: {error}", err=True)
        code = EXIT_INPUT if isinstance(error, InputError) else EXIT_USAGE
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        code = EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code if isinstance(code, int) else 0)
