"""`bulksend preview`: what an order comes to, without any side effect."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from producer.cli.order import cost_words, make_order, order_options, read_order, summary
from producer.cli.output import echo_facts, echo_json, echo_problems
from producer.preview import Preview
from producer.reports import MessageRows
from worker.settings import load_settings


@click.command(
    epilog='\b\nExample:\n  bulksend preview members.csv --text "Hi {{ first_name }}" --via acme-dk'
)
@order_options
@click.option("--rows", type=click.Path(path_type=Path, dir_okay=False), help="Write every message to a CSV.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def preview(*, rows: Path | None, as_json: bool, **given: Any) -> None:  # noqa: ANN401 - the shared options
    """Show every problem, duplicate, part and price before anything is sent."""
    order = make_order(load_settings(), given)
    with ExitStack() as opened:
        on_message = None
        if rows:
            file = opened.enter_context(rows.open("w", encoding="utf-8", newline=""))
            on_message = MessageRows(file).add
        found = read_order(order, on_message=on_message)
    if as_json:
        echo_json(_as_json(found))
        return
    _echo(found)


def _as_json(found: Preview) -> dict[str, object]:
    return {
        **summary(found),
        "unpriced": found.unpriced,
        "encodings": dict(found.encodings),
        "reasons": dict(found.reasons),
        "problems": [asdict(problem) for problem in found.problems],
    }


def _echo(found: Preview) -> None:
    echo_problems(found.problems, total=found.refused)
    echo_facts({**summary(found), "cost": cost_words(found.cost.render())})
