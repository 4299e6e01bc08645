"""`bulksend campaign add`: a further file of a campaign, in its words, at its prices, in its windows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Engine

from producer import adding as use_case
from producer.cli.costs import amount, confirm_number, max_cost_option
from producer.cli.figures import summary
from producer.cli.files import (
    Lists,
    duplicates_option,
    form_options,
    good_rows_option,
    make_form,
    problems_option,
)
from producer.cli.opening import ready_ledger
from producer.cli.order import read_order, remake_order, require_ahead, say_forgotten
from producer.cli.output import Meter, echo_json
from producer.cli.piped import as_file
from producer.cli.places import force_option
from producer.cli.released import Released, see_off
from producer.cli.send import confirm, require_wanted, say_when
from producer.cli.words import author, require_plain
from producer.importing import LateInterrupt
from producer.optouts import look_up
from producer.preview import Order, Preview
from producer.spool import Spool
from worker.errors import InputError
from worker.ledger import adding, reports
from worker.ledger.adding import Addition, Ground
from worker.ledger.drafts import SourceCounts
from worker.ledger.engine import reading
from worker.settings import Settings, load_settings
from worker.states import CampaignState
from worker.station import require_broker
from worker.text.counting import counted


@click.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--column", help="Column with the numbers, where it is another than in the first file.")
@form_options
@problems_option(default="FILE.problems.csv beside it, none with --problems none")
@duplicates_option
@force_option
@max_cost_option
@good_rows_option
@click.option("--again", is_flag=True, help="Add it although the same file was added before.")
@click.option("--yes", is_flag=True, help="Answer every question with yes.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.pass_context
def add(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    /,
    campaign_id: int,
    file: Path,
    *,
    column: str | None,
    max_costs: tuple[str, ...],
    accept_good_rows: bool,
    again: bool,
    yes: bool,
    as_json: bool,
    **given: Any,  # noqa: ANN401 - the options about the file
) -> None:
    """Add the recipients of a further FILE to a campaign.

    They get the text of the campaign, at its prices and in its windows. A number that it has already is a
    duplicate. Nothing of FILE leaves before all of it is imported; a campaign that is done then runs again,
    one that is paused stays so. Where each row has its own time, it leaves at that, also in a campaign that
    was rescheduled; else with what is left of the campaign.
    """
    settings = load_settings()
    most = amount(max_costs)
    lists = Lists.of(settings, {**given, "file": file}, is_beside=True)
    form, file = make_form(given), as_file(file)
    require_plain("the name of the file", file.name, advice="rename it")
    engine = ready_ledger(settings)
    content = _digest(file)
    with reading(engine) as connection:
        ground = adding.ground(connection, campaign_id)
        if not again:
            adding.require_new(connection, campaign_id, content)
    how: dict[str, Any] = {"path": str(file.absolute()), "form": form.kept}
    if column is not None:
        how["column"] = column
    order = _order(settings, engine, ground, how)
    order.account.secret()  # found missing here rather than by the worker
    spool = Spool()
    found = read_order(order, on_message=spool.add, lists=lists)
    _require_fallback(ground, found)
    require_wanted(found, most=most, good_rows=accept_good_rows or yes)
    say_when(found)
    if ground.was_rescheduled and order.timing is not None and order.timing.column:
        click.echo(
            f"Campaign {campaign_id} was rescheduled: that holds for what it had. The rows of this file "
            "leave at their own times",
            err=True,
        )
    confirm(order, found, yes=yes)
    confirm_number(found, above=settings.send.confirm_above, yes=yes)
    require_broker(settings)
    addition = Addition(
        content=content,
        counts=SourceCounts(
            rows=found.rows, duplicates=found.duplicates, refused=found.refused, skipped=found.skipped
        ),
        author=author(),
        wants_notice=settings.notice.is_wanted,
        headers=found.headers,
    )
    _add(engine, ground, spool, addition)
    released = Released(id=campaign_id, provider=order.account.name, summary=summary(found))
    ctx.exit(_see_off(settings, engine, released, as_json=as_json))


def _digest(file: Path) -> str:
    try:
        return use_case.digest(file)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}", code="file_missing") from None


def _order(settings: Settings, engine: Engine, ground: Ground, how: Mapping[str, Any]) -> Order:
    """Make the order again that the campaign was begun with, for another file."""
    kept = ground.campaign
    order = remake_order(settings, replace(kept, reading={**kept.reading, "looked_at": None, **how}))
    require_ahead(order, "send what is left as a campaign of its own")
    order, there = look_up(engine, order), use_case.look_up(engine, ground.id)
    say_forgotten(settings, order)
    return use_case.as_frozen(order, ground, there=there, now_ms=round(1000 * time.time()))


def _require_fallback(ground: Ground, found: Preview) -> None:
    """Refuse what the fallback of the campaign could not carry: it may take over everything."""
    fallback = ground.campaign.fallback
    if fallback is not None and found.messages and found.fallback != fallback:
        raise InputError(
            f"The fallback of the campaign, {fallback}, cannot carry all of this file: send it as a campaign "
            "of its own",
            code="not_carried",
        )


def _add(engine: Engine, ground: Ground, spool: Spool, addition: Addition) -> None:
    try:
        with Meter("Importing", total=spool.n_messages) as meter:
            told = use_case.Told(
                on_cleared=lambda n: meter.say(_CLEARED.format(n=n)), on_messages=meter.advance
            )
            use_case.add(engine, ground, spool, addition, told=told)
    except LateInterrupt as late:
        click.echo(late, err=True)
        raise
    except KeyboardInterrupt:
        click.echo("Nothing was added; the same command begins again.", err=True)
        raise
    finally:
        spool.close()


_CLEARED = "Messages that an interrupted addition had left behind were removed: {n}"


def _see_off(settings: Settings, engine: Engine, released: Released, *, as_json: bool) -> int:
    with reading(engine) as connection:
        state = reports.report(connection, released.id).state
    if state != CampaignState.PAUSED:
        return see_off(settings, engine, released, waits=False, as_json=as_json)
    if as_json:
        echo_json({**released.summary, "campaign_id": released.id})
    more = counted(int(str(released.summary["messages"])), "message")
    words = f"Campaign {released.id}: {more} more; it is paused"
    click.echo(f"{words}: `bulksend campaign resume {released.id}` lets it go on", err=True)
    return 0
