"""`bulksend send --test`: the first message of an order, sent to numbers of one's own, and its outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click
from sqlalchemy import Engine

from producer.cli.costs import Most, require_within
from producer.cli.figures import require_messages, summary
from producer.cli.output import echo_problems, echo_table
from producer.cli.released import Released, see_off
from producer.preview import Order, Preview
from producer.trying import Trial, create, prepare
from worker.ledger import messages
from worker.ledger.engine import reading
from worker.settings import Settings
from worker.text.counting import counted
from worker.text.pricing import Price


def try_out(  # noqa: PLR0913 - an order, and how it is tried
    settings: Settings,
    order: Order,
    numbers: Sequence[str],
    *,
    most: Most | None,
    open_ledger: Callable[[], Engine],
    as_json: bool,
) -> int:
    """Send the first message of an order to some numbers, wait for what becomes of it, return the exit code.

    Raises:
        InputError: a number is none, the file has no row that can be sent to, or it costs too much.
        ConfigError: the account cannot carry it.
    """
    trial = prepare(order, numbers)
    if isinstance(trial, Preview):
        echo_problems(trial.problems, total=trial.refused)
        require_messages(trial)
        return 0
    found = trial.figures
    require_within(found, most)
    _say(order, trial)
    engine = open_ledger()
    campaign_id = create(engine, trial)
    tried = {"test": True, "text": trial.text}
    facts = {**summary(found), **tried}
    released = Released(id=campaign_id, provider=order.account.name, summary=facts)
    code = see_off(settings, engine, released, waits=True, as_json=as_json)
    if not as_json:
        _echo(engine, campaign_id)
    return code


def _say(order: Order, trial: Trial) -> None:
    if order.leaves_at is not None or order.schedule is not None:
        click.echo("A test leaves at once, whatever is said of time", err=True)
    refused = counted(trial.n_refused, "row", verb="is")
    before = f"; {refused} refused before it" if trial.n_refused else ""
    size = f"{counted(trial.messages[0].parts, 'part')}, {trial.messages[0].encoding}"
    click.echo(f"The text of line {trial.line} ({size}){before}:", err=True)
    for line in trial.text.splitlines():
        click.echo(f"  {line}", err=True)


def _echo(engine: Engine, campaign_id: int) -> None:
    """Print what became of each message."""
    with reading(engine) as connection:
        found = messages.of_campaign(connection, campaign_id, limit=100)
    click.echo()
    headers = ["message", "number", "parts", "price", "state", ""]
    echo_table(headers, ([row["id"], row["msisdn"], row["parts"], _price(row), *_end(row)] for row in found))


def _price(row: dict[str, Any]) -> str | None:
    if row["price_micros"] is None:
        return None
    return str(Price.of_micros(row["price_micros"], currency=row["currency"]))


def _end(row: dict[str, Any]) -> tuple[str, str]:
    return row["state"], " ".join(word for word in (row["code"], row["detail"]) if word)
