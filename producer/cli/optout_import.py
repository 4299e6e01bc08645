"""`bulksend optout import`: a list of opt-outs from a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from producer import stoplist
from producer.cli import EXIT_PARTLY
from producer.cli.files import Lists, form_options, make_form, problems_option
from producer.cli.opening import ready_ledger
from producer.cli.optout_options import only_country, scope_options, scopes_of
from producer.cli.output import Meter, echo_facts, echo_json, echo_problems
from producer.cli.piped import as_file
from producer.cli.places import force_option
from producer.cli.words import author
from producer.recipients import open_recipients
from producer.stop_rows import TAKEN
from worker.ledger.scopes import ALL
from worker.settings import load_settings
from worker.text.counting import counted


@click.command("import", epilog="\b\nExample:\n  bulksend optout import stopped.csv --purpose marketing")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--column", help="Column with the numbers, where it has no usual name.")
@click.option("--country", help="Country of numbers without country code, such as DK.")
@scope_options
@form_options
@problems_option(default="FILE.problems.csv beside it, none with --problems none")
@force_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.pass_context
def import_(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    /,
    file: Path,
    *,
    column: str | None,
    country: str | None,
    purposes: Sequence[str],
    senders: Sequence[str],
    as_json: bool,
    **given: Any,  # noqa: ANN401 - the options about the file
) -> None:
    """Note all opt-outs of FILE: CSV or a workbook, as for `send`.

    - is standard input. Doing it again changes nothing.

    One number a row; the columns scope (all, purpose:NAME, sender:NAME), source, time (ISO 8601, UTC where it
    says nothing else) and provider may be there. A row without a scope has that of --purpose or --sender, or
    all. The sources are operator, import, gateway and reply; another one is noted as import, a time that
    cannot be read as now, and both are said. Rows without a number or with an unknown scope are shown and
    listed, the others are noted: exit code 3 then. One that has ended by a later opt-in does not come back.
    """
    settings = load_settings()
    lists = Lists.of(settings, {**given, "file": file}, is_beside=True)
    form, path = make_form(given), as_file(file)
    engine = ready_ledger(settings)
    found = stoplist.Imported()
    work = stoplist.Import(
        engine=engine,
        scopes=scopes_of(purposes, senders) or (ALL,),
        keeps_numbers=not settings.optouts.hashed,
        author=author(),
    )
    size = path.stat().st_size if path.is_file() else 0
    try:
        with lists.filled() as refused, Meter("Reading", total=size, unit="bytes") as meter:
            region = country or only_country(settings)
            recipients = open_recipients(
                path, column=column, region=region, form=form, pads=True, on_bytes=meter.advance
            )
            if refused:
                found.on_problem = lambda problem: refused(problem, recipients.headers)
            work.run(recipients, found)
    except KeyboardInterrupt:
        click.echo(f"Opt-outs noted so far: {found.added}; the same command notes the others.", err=True)
        raise
    for code, n in found.doubts.items():
        click.echo(f"{counted(n, 'row', verb='has')} {TAKEN[code]} [{code}]", err=True)
    echo_problems(found.problems, total=found.refused)
    facts = {"rows": found.rows, "added": found.added, "known": found.known, "refused": found.refused}
    if as_json:
        problems = [each.facts for each in found.problems]
        echo_json(
            {**facts, "reasons": dict(found.reasons), "doubts": dict(found.doubts), "problems": problems}
        )
    else:
        echo_facts(facts)
    ctx.exit(EXIT_PARTLY if found.refused else 0)
