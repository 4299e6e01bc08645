"""The command line: Click commands, one file per group; they translate and hold no logic.

Exit codes: 0 done, 1 input problems, 2 usage or configuration, 3 partly done, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sqlite3
import sys
from importlib.metadata import version
from pathlib import Path

import click

from worker.errors import BrokerError, ConfigError, InputError, LedgerError

EXIT_INPUT = 1
EXIT_USAGE = 2
EXIT_PARTLY = 3
EXIT_INTERRUPTED = 130

_COMMANDS = {  # name -> where it is and what it does; imported when it is used: help and segments stay quick
    "demo": ("producer.cli.demo:demo", "See the whole thing on this machine, in one folder."),
    "init": ("producer.cli.init:init", "Write a commented bulksend.toml."),
    "doctor": ("producer.cli.doctor:doctor", "Check everything, and whether it all adds up."),
    "segments": ("producer.cli.segments:segments", "Show the parts of a text, and what makes it costly."),
    "preview": ("producer.cli.preview:preview", "Show every problem, part and price before sending."),
    "send": ("producer.cli.send:send", "Send one message to every recipient of a file."),
    "remind": ("producer.cli.remind:remind", "Remind of appointments, and follow a file of them."),
    "campaign": (
        "producer.cli.campaigns:campaign",
        "See campaigns, and give them orders.",
    ),
    "unknown": ("producer.cli.unknown:unknown", "List and settle what nobody knows the outcome of."),
    "optout": ("producer.cli.optout:optout", "Note who wants no messages, and of what kind."),
    "provider": (
        "producer.cli.provider:provider",
        "See, check, pause and resume providers; balance, rate.",
    ),
    "message": ("producer.cli.message:message", "Show one message's whole history."),
    "person": ("producer.cli.person:person", "Show, or erase, what is held on a number."),
    "worker": ("worker.cli:worker", "Send what is due, until stopped."),
    "dispatcher": ("worker.cli:dispatcher", "Run the dispatch tick alone."),
    "receipts": ("worker.cli:receipts", "Take the delivery reports in that gateways push."),
    "sandbox": ("worker.cli:sandbox", "Simulate the SMS gateways; nothing leaves this machine."),
    "flower": ("worker.cli:flower", "Show the tasks of all workers in a browser."),
    "up": ("worker.cli:up", "Run every role on this machine, stop them together."),
    "ledger": ("producer.cli.ledger:ledger", "Look after the ledger."),
}


class _SeenEnoughError(Exception):
    """Who reads our output wants no more; of a broken pipe Click would make exit code 1."""


class _LazyGroup(click.Group):
    """A group that imports a command when it is called, not when it is listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is Click's
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise _SeenEnoughError from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, does) for name, (_, does) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("bulksend"), prog_name="bulksend")
def cli() -> None:
    """Send SMS in bulk: nothing lost, nothing sent twice, what cannot be known is said.

    Begin with `bulksend demo`, then `bulksend init`. Settings are read from bulksend.toml here, or from the
    file that BULKSEND_CONFIG names.
    """


def main() -> None:
    """Run a command and turn what went wrong into one sentence and an exit code."""
    _open_input()
    try:
        code = cli.main(prog_name="bulksend", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = EXIT_USAGE
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "bulksend"
        click.echo(f"Error: {error.format_message().rstrip('.')}; see `{path} --help`", err=True)
        code = EXIT_USAGE
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (InputError, ConfigError, LedgerError, BrokerError) as error:
        click.echo(f"Error: {error}", err=True)
        code = EXIT_INPUT if isinstance(error, InputError) else EXIT_USAGE
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        code = EXIT_INTERRUPTED
    except _SeenEnoughError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except (OSError, sqlite3.Error) as error:  # such as a full disk; what a ledger says is a LedgerError
        click.echo(f"Error: {_said_of(error)}; correct that, then give the same command again", err=True)
        code = EXIT_USAGE
    sys.exit(code if isinstance(code, int) else 0)


def _open_input() -> None:
    """Have nothing to read where standard input was closed, as `<&-` does."""
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - until the end


def _said_of(error: OSError | sqlite3.Error) -> str:
    """Say what is wrong with the disk."""
    if isinstance(error, sqlite3.Error):  # of a file without a name
        return f"the folder for temporary files cannot be used ({error})"
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or type(error).__name__}"
