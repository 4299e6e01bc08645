"""The options of `remind`: what is sent, of which appointments, and when."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from producer.cli.texts import text_options
from worker.states import Late

F = TypeVar("F", bound=Callable[..., Any])


def order_options(command: F) -> F:
    """Add the file, the appointments, the text and the provider."""
    for option in reversed(
        (
            click.argument("file", type=click.Path(path_type=Path)),
            text_options(
                help_text="The message; {{ appointment }} takes a column's value, {{ before }} is as 2 h."
            ),
            click.option("--via", "provider", required=True, help="Provider, as named in bulksend.toml."),
            click.option(
                "--column", "at_column", required=True, metavar="COLUMN", help="Column with the appointments."
            ),
            click.option(
                "--before",
                "befores",
                required=True,
                multiple=True,
                metavar="TIME",
                help="How long before it, such as 24h; give it again for another reminder.",
            ),
            click.option(
                "--key",
                "key_column",
                required=True,
                metavar="COLUMN",
                help="Column with what names an appointment for good, also when it is moved.",
            ),
            click.option(
                "--series", help="Which reminders this file continues; default is --name, or the file's name."
            ),
            click.option("--sender", help="What the handset shows; default is the provider's."),
            click.option("--name", help="Name of the campaign; default is the file's."),
            click.option(
                "--number-column", "column", help="Column with the numbers, where it has no usual name."
            ),
            click.option("--country", help="Country of numbers without country code, such as DK."),
            click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Gateway option."),
            click.option(
                "--purpose",
                metavar="NAME",
                default="reminders",
                show_default=True,
                help="What it is for: who opted out of that is left out.",
            ),
        )
    ):
        command = option(command)
    return command


def time_options(command: F) -> F:
    """Add what says when a reminder may leave."""
    for option in reversed(
        (
            click.option(
                "--zone",
                metavar="ZONE",
                help="Of the appointments: Europe/Copenhagen, or recipient: each one's.",
            ),
            click.option("--at-format", metavar="FORMAT", help='How these are written: "%d/%m/%Y %H:%M".'),
            click.option(
                "--window", multiple=True, metavar="HOURS", help="Leave only in these: 09:00-20:00."
            ),
            click.option("--weekdays", metavar="DAYS", help="Of the windows: mon-fri."),
            click.option("--validity", metavar="TIME", help="Give up what could not leave in this time: 6h."),
            click.option(
                "--late",
                type=click.Choice([each.value for each in Late]),
                default=Late.SKIP.value,
                help="If it could not leave for an hour: skip (default), hold for a person, or send.",
            ),
        )
    ):
        command = option(command)
    return command


def run_options(command: F) -> F:
    """Add what is done about what the file does not have, and what is only shown."""
    for option in reversed(
        (
            click.option(
                "--preview", "is_preview", is_flag=True, help="Say what it would do, and change nothing."
            ),
            click.option(
                "--rows",
                type=click.Path(path_type=Path, dir_okay=False),
                help="With --preview: write every new message to a CSV, or to JSON lines (.jsonl);"
                " - is standard output.",
            ),
            click.option(
                "--remove/--keep-removed",
                "removes",
                default=True,
                help="Cancel what is queued and not in the file any more (default), or leave it.",
            ),
            click.option(
                "--remove-many",
                is_flag=True,
                help="Cancel also more than a fifth of what is queued, unasked.",
            ),
            click.option(
                "--again", is_flag=True, help="Begin a series although another has the same queued."
            ),
        )
    ):
        command = option(command)
    return command
