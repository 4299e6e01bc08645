"""An order that holds, and what is still on its way to a gateway: waited for, then named."""

from __future__ import annotations

import click
from sqlalchemy import Engine

from producer.cli import EXIT_PARTLY
from producer.cli.times import time_words
from producer.quiet import SHOWN, Rest, wait_until_quiet
from worker.errors import LedgerError
from worker.ledger.flight import Scope
from worker.text.counting import counted


def settle_down(engine: Engine, scope: Scope, *, order: str, patience_s: float, zone: str) -> int:
    """Return only when nothing is on its way any more, or after the patience; return the exit code.

    Args:
        engine: of the ledger.
        scope: what the order concerns.
        order: such as ``pause``: it is said to hold if the waiting ends otherwise.
        patience_s: the longest wait.
        zone: in which a person reads times.

    Raises:
        LedgerError: the ledger is away, so nobody knows what is on its way; the order holds.
    """
    try:
        rest = wait_until_quiet(engine, scope, patience_s=patience_s, on_wait=_say_waiting)
    except KeyboardInterrupt:
        click.echo(f"The {order} holds: nothing new begins. What is on its way ends by itself.", err=True)
        raise
    except LedgerError as error:
        raise LedgerError(f"{error}. The {order} holds; what is on its way is not known") from None
    if rest.is_quiet:
        return 0
    _name(rest, order=order, zone=zone)
    return EXIT_PARTLY


def _say_waiting(n_messages: int) -> None:
    click.echo(
        f"Nothing new begins; on their way to the gateway still: {counted(n_messages, 'message')}", err=True
    )


def _name(rest: Rest, *, order: str, zone: str) -> None:
    click.echo(
        f"The {order} holds: nothing new begins. What became of {counted(rest.n_messages, 'message')} is not "
        "known yet:",
        err=True,
    )
    for each in rest.requests:
        worker = f", worker {each.worker}" if each.worker else ""
        since = f"since {time_words(each.since, zone)} ({each.age_ms / 1000:.0f} s)"
        click.echo(
            f"  request {each.reference}: {counted(each.n_messages, 'message')}, {since}{worker}", err=True
        )
    if len(rest.requests) == SHOWN:
        click.echo("  and perhaps more", err=True)
    click.echo(
        "They end by themselves, or count as unknown once the lease of their worker is over; "
        "the same command looks again",
        err=True,
    )
