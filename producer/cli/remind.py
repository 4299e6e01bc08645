"""`bulksend remind`: a file of appointments becomes reminders, and the next file catches up with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from producer.cli.costs import amount, max_cost_option
from producer.cli.files import (
    Lists,
    country_options,
    form_options,
    good_rows_option,
    problems_option,
    say_how_read,
)
from producer.cli.order import look_up, make_order
from producer.cli.output import Meter, echo_json, echo_problems, echo_reasons
from producer.cli.piped import is_piped
from producer.cli.places import force_option
from producer.cli.released import leave_to_workers
from producer.cli.remind_asked import (
    Wanted,
    doubled,
    keyless,
    many,
    require_single,
    require_usable,
    require_wanted,
)
from producer.cli.remind_options import order_options, run_options, time_options
from producer.cli.remind_told import Told, echo_preview, echo_told, facts, told_of
from producer.cli.rows_file import rows_into
from producer.cli.words import author, require_plain
from producer.importing import interrupts_held_back
from producer.reminders.comparing import Comparison, compare
from producer.reminders.reading import Read, Wish, read
from producer.reminders.run import Run, campaign_of
from producer.reminders.sheet import Sheet
from worker.errors import ConfigError, InputError
from worker.ledger.engine import open_ledger
from worker.ledger.schema import open_if_current, prepare
from worker.settings import Settings, load_settings
from worker.station import require_broker
from worker.timing.words import parse_duration

_LONGEST_SERIES = 100


@click.command(
    epilog="\b\nExample:\n  bulksend remind week.csv --column appointment --before 24h --before 2h \\\n"
    '    --key booking_id --text "See you at {{ appointment }}" --via acme-dk --series visits'
)
@order_options
@time_options
@form_options
@country_options
@problems_option(default="FILE.problems.csv beside it, none with --problems none")
@force_option
@run_options
@max_cost_option
@good_rows_option
@click.option("--yes", is_flag=True, help="Answer questions with yes, but for that of --remove-many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.pass_context
def remind(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    /,
    *,
    removes: bool,
    remove_many: bool,
    again: bool,
    is_preview: bool,
    rows: Path | None,
    max_costs: tuple[str, ...],
    accept_good_rows: bool,
    yes: bool,
    as_json: bool,
    **given: Any,  # noqa: ANN401 - the other options
) -> None:
    """Remind of every appointment in FILE, and follow what the last file of the series said otherwise.

    Each row is one appointment, each --before one message for it. Give the next file with the same command:
    what is the same stays, what was moved is moved, what is gone is cancelled; a number that was corrected
    is taken while the reminder is queued. The same name of the file, or the same --series, continues the
    series. --max-cost is about new messages, not about what is moved.
    """
    settings = load_settings()
    wanted = Wanted(
        most=amount(max_costs),
        good_rows=accept_good_rows or yes,
        keeps_removed=not removes,
        many=remove_many,
        again=again,
        above=settings.send.confirm_above,
        yes=yes,
    )
    if rows is not None and not is_preview:
        raise ConfigError("--rows: it is for --preview alone")
    lists = Lists.of(settings, {**given, "rows": rows}, is_beside=not is_preview)
    wish = _wish(settings, given, is_needed=not is_preview)
    if not is_preview:
        wish.order.account.secret()  # found missing here rather than by the worker
    with closing(Sheet()) as sheet:
        found = _read(wish, sheet, replace(lists, advice=_advice(given["file"])))
        if is_preview:
            with rows_into(rows, wish.order.characters, may_replace=lists.may_replace) as on_message:
                compared = _compare(settings, wish, found, sheet, keeps_removed=not removes)
                if on_message:
                    for draft in sheet.to_write():
                        on_message(draft.message, draft.message.text or found.found.text or "")
            _preview(wish, found, sheet, compared, as_json=as_json)
            return
        require_usable(found, good_rows=wanted.good_rows)
        engine = open_ledger(settings.ledger)
        require_broker(settings)
        prepare(engine)
        told = _run(Run(engine, wish, found, sheet), wish, found, sheet, wanted)
    if as_json:
        echo_json(facts(told))
    if told.campaign_id is not None:
        ctx.exit(leave_to_workers(settings, engine, told.campaign_id, provider=wish.order.account.name))


def _advice(file: Path) -> str:
    where = "where they come from" if is_piped(file) else f"in {file.name} itself"
    return f"correct {{them}} {where} and give that again: what is there already stays as it is"


def _wish(settings: Settings, given: Mapping[str, Any], *, is_needed: bool) -> Wish:
    """Make a wish of what was given on the command line; raises as ``make_order``."""
    befores = tuple(sorted({_before(written) for written in given["befores"]}, reverse=True))
    if is_piped(given["file"]) and not (given["series"] or given["name"]):
        raise ConfigError("--series: name it, where the file comes from a pipe and has no name")
    order = make_order(settings, {**given, "at": None, "over": None, "schedule_at": None})
    series = given["series"] or order.name
    require_plain("--series", series)
    if len(series) > _LONGEST_SERIES:
        raise ConfigError(f"--series: write at most {_LONGEST_SERIES} characters")
    if order.timing is None:
        raise ConfigError("--column: name the column with the appointments")
    return Wish(
        order=look_up(settings, replace(order, timing=None), is_needed=is_needed),
        timing=order.timing,
        series=series,
        key=given["key_column"],
        befores_ms=befores,
        is_named=bool(given["series"] or given["name"]),
    )


def _before(written: str) -> int:
    try:
        return parse_duration(written)
    except ConfigError as error:
        raise ConfigError(f"--before: {error}") from None


def _read(wish: Wish, sheet: Sheet, lists: Lists) -> Read:
    try:
        size = wish.order.path.stat().st_size
    except OSError:
        size = 0  # opening it says what is wrong
    with lists.filled() as refused, Meter("Reading", total=size, unit="bytes") as meter:
        found = read(wish, sheet, on_bytes=meter.advance, on_problem=refused)
    say_how_read(found.found)
    if found.found.no_fallback:
        click.echo(found.found.no_fallback, err=True)
    return found


def _compare(settings: Settings, wish: Wish, found: Read, sheet: Sheet, *, keeps_removed: bool) -> Comparison:
    """Find what a run would do; nothing is changed."""
    engine, _ = open_if_current(settings.ledger)  # why there is none was said of the opt-outs
    with Meter("Comparing", total=found.keys * len(wish.befores_ms)) as meter:
        return compare(
            engine,
            campaign_of(wish, found),
            sheet,
            now_ms=wish.timing.now_ms,
            keeps_removed=keeps_removed or found.n_keyless > 0,
            on_rows=meter.advance,
        )


def _preview(wish: Wish, found: Read, sheet: Sheet, compared: Comparison, *, as_json: bool) -> None:
    told = told_of(wish, found, sheet, compared, gone=compared.gone, n_removed=compared.n_removed)
    if as_json:
        echo_json(facts(told))
        return
    echo_problems(found.found.problems, total=found.refused.total())
    echo_reasons(found.found)
    for words in filter(None, (keyless(found), many(wish, compared), doubled(wish, compared.doubled))):
        click.echo(words, err=True)
    echo_preview(told)


def _run(run: Run, wish: Wish, found: Read, sheet: Sheet, wanted: Wanted) -> Told:
    """Compare, ask, and catch up; return what is told of it."""
    for number in run.discarded:
        click.echo(f"Campaign {number} was discarded: its import was interrupted", err=True)
    try:
        with Meter("Comparing", total=found.keys * len(wish.befores_ms)) as meter:
            compared = run.compare(keeps_removed=wanted.keeps_removed, on_rows=meter.advance)
        require_wanted(run, wish, found, compared, wanted)
    except BaseException:
        run.give_up()
        raise
    released = _caught_up(run, wish, again=wanted.again)
    told = told_of(wish, found, sheet, compared, gone=run.gone, n_removed=run.n_removed, campaign_id=released)
    echo_told(told)
    return told


def _caught_up(run: Run, wish: Wish, *, again: bool) -> int | None:
    """Change and write what the file says, and return the campaign of what is new."""

    def on_doubled(found: Counter[str]) -> None:
        require_single(wish, found, again=again, so="Nothing new was released")

    try:
        with interrupts_held_back() as check, Meter("Importing", total=run.figures().messages) as meter:
            run.apply(author=author(), check=check, on_rows=meter.advance)
            check()
            return run.end(author=author(), on_doubled=on_doubled)
    except InputError:  # the same command would be refused too
        run.give_up()
        raise
    except BaseException:
        number = run.campaign_id
        words = "Nothing new was released; the same command goes on where this one ended."
        if not run.give_up():
            words = f"Campaign {number} may be released: see `bulksend campaign show {number}`"
        click.echo(words, err=True)
        raise
