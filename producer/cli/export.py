"""`bulksend campaign export`: the rows of a campaign, and what became of each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
from sqlalchemy import Engine

from producer import export as use_case
from producer.cli.opening import ready_ledger
from producer.cli.output import Meter, echo_json
from producer.cli.places import require_place
from producer.export import Format, Wanted
from producer.output_file import appearing_text, is_standard_output
from producer.reports import iso
from worker.ledger import exporting, reports
from worker.ledger.engine import reading
from worker.ledger.exporting import Choice, Exported
from worker.providers import telling
from worker.settings import Settings, load_settings
from worker.states import MessageState
from worker.text.counting import counted


@click.command(
    epilog="\b\nExamples:\n  bulksend campaign export 3 > out.csv"
    "\n  bulksend campaign export 3 --failed --to again.csv"
)
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--to", type=click.Path(path_type=Path), default=Path("-"), help="File; default: -")
@click.option(
    "--format",
    "written_as",
    type=click.Choice([each.value for each in Format]),
    help="Default: by the ending of the file, else csv.",
)
@click.option("--failed", is_flag=True, help="Only what failed, as it was written: to be sent again.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in MessageState]),
    help="Only this state; may be repeated.",
)
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output; needs --to.")
def export(  # noqa: PLR0913 - one argument per option
    campaign_id: int,
    *,
    to: Path,
    written_as: str | None,
    failed: bool,
    states: tuple[str, ...],
    force: bool,
    as_json: bool,
) -> None:
    """Write the rows of a campaign to standard output, with what became of each.

    The columns of the file come first, in their order; those of `campaign add` that are new come after them.
    What is added begins with `bulksend_`. Rows that were refused, skipped or double are not in it: they never
    were in the ledger.

    --failed gives what failed, was rejected, was not delivered or expired, in the columns of the file alone:
    `bulksend send` takes it as it is, with the same --column if one was given. What a gateway may have
    accepted all the same is left out.
    """
    if failed and states:
        raise click.UsageError("Give --failed or --state, not both")
    if as_json and is_standard_output(to):
        raise click.UsageError("--json tells of a file: give --to FILE; --format jsonl writes rows as JSON")
    settings = load_settings()
    require_place(settings, "--to", to, force=force)
    engine = ready_ledger(settings)
    choice = Choice(campaign_id=campaign_id, states=[MessageState(each) for each in states or MessageState])
    if failed:
        choice = use_case.failed(campaign_id)
    found, total = _look(engine, choice, is_again=failed)
    wanted = _wanted(settings, choice, _format(to, written_as), is_again=failed)
    with appearing_text(to, may_replace=force) as file, Meter("Exporting", total=total) as meter:
        written = use_case.export(engine, found, wanted, file, on_rows=meter.advance)
    _tell(found, written, to, as_json=as_json)


def _look(engine: Engine, choice: Choice, *, is_again: bool) -> tuple[Exported, int]:
    """Return the campaign, and how many rows there are at most; say what is left out."""
    with reading(engine) as connection:
        found = exporting.campaign(connection, choice.campaign_id)
        counts = reports.report(connection, choice.campaign_id).counts
        n_doubtful, n_bare = exporting.n_left_out(connection, choice) if is_again else (0, 0)
    if is_again:
        use_case.require_rows(found, n_bare)
    if n_doubtful:
        click.echo(f"Left out, since the gateway may have accepted them: {n_doubtful}", err=True)
    if found.pruned_at is not None:
        since = f"on {iso(found.pruned_at)}" if found.pruned_at else "and that is not finished"
        words = f"Campaign {found.id} was pruned {since}"
        click.echo(f"{words}: its numbers, texts and columns are gone", err=True)
    elif found.headers is None:
        click.echo(f"The columns of campaign {found.id} were not kept", err=True)
    return found, sum(counts[state] for state in choice.states)


def _format(to: Path, written_as: str | None) -> Format:
    if written_as is not None:
        return Format(written_as)
    return Format.JSONL if to.suffix.lower() in {".jsonl", ".ndjson"} else Format.CSV


def _wanted(settings: Settings, choice: Choice, form: Format, *, is_again: bool) -> Wanted:
    return Wanted(
        choice=choice,
        format=form,
        telling=telling(settings),
        silent_ms=round(1000 * settings.timers.patience),
        is_again=is_again,
    )


def _tell(found: Exported, written: Counter[str], to: Path, *, as_json: bool) -> None:
    n_rows = written.total()
    if as_json:
        facts = {"campaign_id": found.id, "rows": n_rows, "file": str(to), "states": dict(written)}
        echo_json({**facts, "pruned_at": iso(found.pruned_at)})
        return
    rows = (
        counted(n_rows, "row") if is_standard_output(to) else f"{counted(n_rows, 'row', verb='is')} in {to}"
    )
    click.echo(f"Campaign {found.id}: {rows}", err=True)
