"""`bulksend preview`: what an order comes to, without any side effect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from producer.cli.costs import most_words
from producer.cli.order import make_order, order_options, read_order, summary, sums, target_words
from producer.cli.output import echo_facts, echo_json, echo_problems, echo_table
from producer.cli.when import opening_rows, when_line, when_sentences
from producer.preview import OnMessage, Preview
from producer.reports import MessageRows
from worker.errors import ConfigError
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
    with _rows_to(rows, source=order.path) if rows else nullcontext() as on_message:
        found = read_order(order, on_message=on_message)
    if as_json:
        echo_json(_as_json(found))
        return
    _echo(found)


@contextmanager
def _rows_to(target: Path, *, source: Path) -> Iterator[OnMessage]:
    """Open the file of --rows, which is not the one that is read."""
    try:
        if target.exists() and source.exists() and target.samefile(source):
            raise ConfigError("--rows would write over the recipients: name another file")
        with target.open("w", encoding="utf-8", newline="") as file:
            yield MessageRows(file).add
    except OSError as error:
        raise ConfigError(f"--rows {target}: {error.strerror}; name another file") from None


def _as_json(found: Preview) -> dict[str, object]:
    return {
        **summary(found),
        "unpriced": found.unpriced,
        "encodings": dict(found.encodings),
        "reasons": dict(found.reasons),
        "problems": [asdict(problem) for problem in found.problems],
        "texts": [asdict(sample) for sample in found.samples],
    }


def _echo(found: Preview) -> None:
    echo_problems(found.problems, total=found.refused)
    targets = found.targets or None
    known = {"targets": targets, "cost": most_words(found), "cost_fallback": None}
    echo_facts({**sums(found), **known, "leaves": when_line(found.plan)})
    if targets:
        click.echo(f"{target_words(found)}.", err=True)
    for sentence in when_sentences(found.plan):
        click.echo(sentence, err=True)
    if rows := list(opening_rows(found.plan)):
        click.echo()
        echo_table(["from", "to about", "messages"], rows)
    for sample in found.samples:
        parts = "1 part" if sample.parts == 1 else f"{sample.parts} parts"
        click.echo(f"\nThe text of line {sample.line} ({parts}, {sample.encoding}):")
        for line in sample.text.splitlines():
            click.echo(f"  {line}")
