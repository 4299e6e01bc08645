"""`bulksend preview`: what an order comes to, without any side effect."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import click

from producer.cli.characters import character_sentences, costly_facts, replaced_facts
from producer.cli.costs import country_facts, most_words, tables
from producer.cli.figures import summary, sums, target_words
from producer.cli.files import Lists, duplicates_option, problems_option
from producer.cli.order import look_up, make_order, order_options, read_order
from producer.cli.output import (
    echo_doubles,
    echo_facts,
    echo_json,
    echo_problems,
    echo_reasons,
    echo_table,
)
from producer.cli.places import force_option
from producer.cli.rows_file import rows_into
from producer.cli.when import opening_rows, when_line, when_sentences
from producer.preview import KEPT_PROBLEMS, Preview
from worker.settings import load_settings
from worker.text.counting import counted


@click.command(
    epilog='\b\nExample:\n  bulksend preview members.csv --text "Hi {{ first_name }}" --via acme-dk'
)
@order_options
@problems_option(default="none")
@duplicates_option
@click.option(
    "--rows",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write every message, and what made it dearer, to a CSV or, as .jsonl, to JSON lines;"
    " - is standard output.",
)
@force_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def preview(*, rows: Path | None, as_json: bool, **given: Any) -> None:  # noqa: ANN401 - the shared options
    """Show every problem, duplicate, part and price before anything is sent."""
    settings = load_settings()
    lists = Lists.of(settings, {**given, "rows": rows}, is_beside=False)
    order = look_up(settings, make_order(settings, given), is_needed=False)
    with rows_into(rows, order.characters, may_replace=lists.may_replace) as on_message:
        found = read_order(order, on_message=on_message, lists=lists)
    if as_json:
        echo_json({**_as_json(found), "optouts_looked_up": order.looked_at is not None})
        return
    _echo(found, is_listed=lists.problems is not None)


def _as_json(found: Preview) -> dict[str, object]:
    return {
        **summary(found),
        "unpriced": found.unpriced,
        "countries": country_facts(found),
        "languages": dict(found.languages),
        "encodings": dict(found.encodings),
        "costly": costly_facts(found),
        "replaced": replaced_facts(found),
        "reasons": dict(found.reasons),
        "problems": [problem.facts for problem in found.problems],
        "source": found.source.facts if found.source else None,
        "repairs": dict(found.repairs),
        "repaired": [{"line": line, "repairs": repairs} for line, repairs in found.repaired],
        "doubles": [double._asdict() for double in islice(found.doubles, KEPT_PROBLEMS)],
        "skips": dict(found.skips),
        "left_out": [asdict(each) for each in islice(found.left_out, KEPT_PROBLEMS)],
        "texts": [asdict(sample) for sample in found.samples],
    }


def _echo(found: Preview, *, is_listed: bool) -> None:
    echo_problems(found.problems, total=found.refused, is_listed=is_listed)
    echo_reasons(found)
    echo_doubles(found)
    for sentence in character_sentences(found):
        click.echo(sentence, err=True)
    targets = found.targets or None
    known = {
        "skipped": found.skipped or None,
        "suppressed": found.suppressed or None,
        "targets": targets,
        "cost": most_words(found),
        "cost_fallback": None,
    }
    echo_facts({**sums(found), **known, "leaves": when_line(found.plan)})
    if targets:
        click.echo(f"{target_words(found)}.", err=True)
    for sentence in when_sentences(found.plan):
        click.echo(sentence, err=True)
    for headers, lines in tables(found):
        click.echo()
        echo_table(headers, lines)
    if rows := list(opening_rows(found.plan)):
        click.echo()
        echo_table(["from", "to about", "messages"], rows)
    echo_samples(found)


def echo_samples(found: Preview) -> None:
    """Print the first text of each language, and the dearest one."""
    for sample in found.samples:
        language = f", {sample.language}" if sample.language else ""
        parts = counted(sample.parts, "part")
        click.echo(f"\nThe text of line {sample.line} ({parts}, {sample.encoding}{language}):")
        for line in sample.text.splitlines():
            click.echo(f"  {line}")
