"""`bulksend remind`: a file of appointments becomes reminders, and the next file catches up with it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import click

from producer.cli.costs import Most, amount, confirm_number, max_cost_option, most_words, require_within
from producer.cli.files import (
    Lists,
    country_options,
    form_options,
    good_rows_option,
    problems_option,
    say_how_read,
)
from producer.cli.order import look_up, make_order
from producer.cli.output import Meter, ask, echo_json, echo_problems, is_interactive
from producer.cli.piped import is_piped
from producer.cli.places import force_option
from producer.cli.released import leave_to_workers
from producer.cli.remind_options import order_options, time_options
from producer.cli.words import author, require_plain
from producer.importing import interrupts_held_back
from producer.reminders.moments import Skip
from producer.reminders.reading import Read, Wish, read
from producer.reminders.run import Comparison, Run
from producer.reminders.sheet import Sheet, Verdict
from worker.errors import ConfigError, InputError
from worker.ledger.engine import open_ledger
from worker.ledger.schema import prepare
from worker.settings import Settings, load_settings
from worker.station import require_broker
from worker.text.counting import counted, counted_of
from worker.timing.words import parse_duration

_SKIPPED = frozenset({*Skip, Verdict.SUPPRESSED})
_LARGEST_SHARE = 0.2  # of what is queued of a series; more is asked about before it is cancelled
_LONGEST_SERIES = 100


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What is agreed to before it is asked."""

    most: Most | None
    good_rows: bool
    keeps_removed: bool
    many: bool
    above: int | None  # new messages: more than so many are typed
    yes: bool


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
@click.option(
    "--remove/--keep-removed",
    "removes",
    default=True,
    help="Cancel what is queued and not in the file any more (default), or leave it.",
)
@click.option("--remove-many", is_flag=True, help="Cancel also more than a fifth of what is queued, unasked.")
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
    max_costs: tuple[str, ...],
    accept_good_rows: bool,
    yes: bool,
    as_json: bool,
    **given: Any,  # noqa: ANN401 - the other options
) -> None:
    """Remind of every appointment in FILE, and follow what the last file of the series said otherwise.

    Each row is one appointment, each --before one message for it. Give the next file with the same command:
    what is the same stays, what was moved is moved, what is gone is cancelled. The same name of the file,
    or the same --series, continues the series. What is moved costs what it did: --max-cost is about what is
    new.
    """
    settings = load_settings()
    wanted = _Wanted(
        most=amount(max_costs),
        good_rows=accept_good_rows or yes,
        keeps_removed=not removes,
        many=remove_many,
        above=settings.send.confirm_above,
        yes=yes,
    )
    lists = Lists.of(settings, given, is_beside=True)
    wish = _wish(settings, given)
    wish.order.account.secret()  # found missing here rather than by the worker
    with closing(Sheet()) as sheet:
        found = _read(wish, sheet, lists)
        _require_usable(found, good_rows=wanted.good_rows)
        engine = open_ledger(settings.ledger)
        require_broker(settings)
        prepare(engine)
        told = _run(Run(engine, wish, found, sheet), wish, found, wanted)
    if as_json:
        echo_json(told)
    campaign_id = told["campaign_id"]
    if isinstance(campaign_id, int):
        ctx.exit(leave_to_workers(settings, engine, campaign_id, provider=wish.order.account.name))


def _wish(settings: Settings, given: Mapping[str, Any]) -> Wish:
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
        order=look_up(settings, replace(order, timing=None), is_needed=True),
        timing=order.timing,
        series=series,
        key=given["key_column"],
        befores_ms=befores,
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


def _require_usable(found: Read, *, good_rows: bool) -> None:
    """Go on with a file that has refused rows only when that is wanted, and never with one of no use."""
    n_refused = found.refused.total()
    if n_refused:
        reasons = ", ".join(f"{code}: {n}" for code, n in found.refused.most_common())
        click.echo(
            f"{counted_of(n_refused, found.found.rows, 'row', verb='is')} refused ({reasons})", err=True
        )
    if not found.keys:
        echo_problems(found.found.problems, total=n_refused)
        raise InputError("No row of the file can be used: nothing was changed", code="nothing_to_send")
    if not n_refused or good_rows:
        return
    echo_problems(found.found.problems, total=n_refused)
    if not is_interactive() or not click.confirm(f"Use the {counted(found.keys, 'good row')}?", err=True):
        raise InputError(
            "Nothing was changed: correct the rows, or use the good ones with --accept-good-rows",
            code="refused_rows",
        )


def _run(run: Run, wish: Wish, found: Read, wanted: _Wanted) -> dict[str, object]:
    """Compare, ask, and catch up; return what is told of it."""
    for number in run.discarded:
        click.echo(f"Campaign {number} was discarded: its import was interrupted", err=True)
    try:
        with Meter("Comparing", total=found.keys * len(wish.befores_ms)) as meter:
            compared = run.compare(keeps_removed=wanted.keeps_removed, on_rows=meter.advance)
        _require_wanted(run, wish, found, compared, wanted)
    except BaseException:
        run.give_up()
        raise
    return _told(run, wish, found, _caught_up(run))


def _caught_up(run: Run) -> int | None:
    """Change and write what the file says, and return the campaign of what is new."""
    try:
        with interrupts_held_back() as check, Meter("Importing", total=run.figures().messages) as meter:
            run.apply(author=author(), check=check, on_rows=meter.advance)
            check()
            return run.end(author=author())
    except BaseException:
        number = run.campaign_id
        words = "Nothing new was released; the same command goes on where this one ended."
        if not run.give_up():
            words = f"Campaign {number} may be released: see `bulksend campaign show {number}`"
        click.echo(words, err=True)
        raise


def _require_wanted(run: Run, wish: Wish, found: Read, compared: Comparison, wanted: _Wanted) -> None:
    """Refuse what would cost too much, or cancel so many that the file may be another one."""
    if found.n_keyless and not wanted.keeps_removed:
        click.echo(
            f"Nobody can say whose appointment is in {counted(found.n_keyless, 'row')}: nothing is cancelled "
            "as removed",
            err=True,
        )
    figures = run.figures()
    require_within(figures, wanted.most)
    confirm_number(figures, above=wanted.above, yes=wanted.yes)
    n_open, n_gone = compared.n_open, compared.n_gone
    if n_gone <= n_open * _LARGEST_SHARE or wanted.many:
        return
    click.echo(
        f"{n_gone} of the {counted(n_open, 'queued reminder')} of the series {wish.series} would be "
        "cancelled: "
        "the file does not have their appointments any more, or has them too late to remind of",
        err=True,
    )
    if not is_interactive():
        raise InputError(
            "Nothing was changed: check the file; --remove-many cancels them, --keep-removed keeps those "
            "that it does not have",
            code="many_removed",
        )
    ask("Cancel them?", yes=False)


def _told(run: Run, wish: Wish, found: Read, campaign_id: int | None) -> dict[str, object]:
    """Say what was done, on standard error, and return it for programs."""
    figures, counts, skips = run.figures(), run.counts(), run.skips()
    n_moved, n_after = run.n_of(Verdict.MOVED, Verdict.AGAIN), run.n_of(Verdict.AFTER)
    done = {
        "new": figures.messages,
        "unchanged": skips.get(Verdict.SAME, 0),
        "moved": n_moved,
        "moved after sending, so sent once more": n_after,
        "cancelled": run.n_cancelled,
        **{f"skipped ({reason})": n for reason, n in skips.items() if reason in _SKIPPED},
    }
    words = ", ".join(f"{name}: {n}" for name, n in done.items() if n) or "nothing to do"
    click.echo(f"Reminders of the series {wish.series}: {words}", err=True)
    if campaign_id is not None:
        click.echo(
            f"Campaign {campaign_id}: {counted(figures.messages, 'message')}, "
            f"{counted(figures.parts, 'part')}, {most_words(figures)}",
            err=True,
        )
    return {
        "rows": figures.rows,
        "sends": len(wish.befores_ms),
        "messages": figures.messages,
        "duplicates": figures.duplicates,
        "refused": figures.refused,
        "skipped": counts.skipped,
        "skips": skips,
        "reasons": dict(found.refused),
        "parts": figures.parts,
        "cost": figures.cost.render(),
        "fallback": figures.fallback,
        "cost_fallback": figures.cost_fallback.render(),
        "moved": n_moved,
        "moved_after_sending": n_after,
        "cancelled": run.n_cancelled,
        "removed": run.n_removed,
        "series": wish.series,
        "campaign_id": campaign_id,
    }
