"""What `remind` asks, or refuses, before it changes anything."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass

import click

from producer.cli.costs import Most, confirm_number, require_within
from producer.cli.output import ask, echo_problems, echo_reasons, is_interactive
from producer.reminders.comparing import Comparison
from producer.reminders.reading import Read, Wish
from producer.reminders.run import Run
from worker.errors import InputError
from worker.text.counting import counted

_LARGEST_SHARE = 0.2  # of what is queued of a series; more is asked about before it is cancelled


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is agreed to before it is asked."""

    most: Most | None
    good_rows: bool
    keeps_removed: bool
    many: bool
    again: bool
    above: int | None  # new messages: more than so many are typed
    yes: bool


def require_usable(found: Read, *, good_rows: bool) -> None:
    """Go on with a file that has refused rows only when that is wanted, and never with one of no use."""
    n_refused = found.refused.total()
    echo_reasons(found.found)
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


def require_wanted(run: Run, wish: Wish, found: Read, compared: Comparison, wanted: Wanted) -> None:
    """Refuse what would cost too much, or cancel so many that the file may be another one."""
    if not wanted.keeps_removed and (rows := keyless(found)):
        click.echo(rows, err=True)
    require_single(wish, compared.doubled, again=wanted.again)
    figures = run.figures()
    require_within(figures, wanted.most)
    confirm_number(figures, above=wanted.above, yes=wanted.yes)
    words = many(wish, compared)
    if not words or wanted.many:
        return
    click.echo(words, err=True)
    if not is_interactive():
        raise InputError(
            "Nothing was changed: check the file; --remove-many cancels them, --keep-removed keeps those "
            "that it does not have",
            code="many_removed",
        )
    ask("Cancel them?", yes=False)


def require_single(wish: Wish, found: Counter[str], *, again: bool, so: str = "Nothing was changed") -> None:
    """Refuse to begin a series with what another one has queued: its file has another name today."""
    words = doubled(wish, found)
    if not words:
        return
    if again:
        click.echo(words, err=True)
        return
    series = found.most_common(1)[0][0]
    raise InputError(
        f"{words}. {so}: give --series {shlex.quote(series)} to go on with that one, or --again to send both",
        code="queued_elsewhere",
    )


def keyless(found: Read) -> str | None:
    """Say that there are rows of which nobody can say whose appointment they hold."""
    if not found.n_keyless:
        return None
    rows = counted(found.n_keyless, "row")
    return f"Nobody can say whose appointment is in {rows}: nothing is cancelled as removed"


def many(wish: Wish, compared: Comparison) -> str | None:
    """Say that so many would be cancelled that somebody must want it."""
    n_open, n_gone = compared.n_open, compared.n_gone
    if n_gone <= n_open * _LARGEST_SHARE:
        return None
    return (
        f"{n_gone} of the {counted(n_open, 'queued reminder')} of the series {wish.series} would be "
        "cancelled: the file does not have their appointments any more, or has them too late to remind of"
    )


def doubled(wish: Wish, found: Counter[str]) -> str | None:
    """Say that another series has the same queued."""
    if not found:
        return None
    (series, n), *others = found.most_common()
    more = f" and {counted(len(others), 'other')}" if others else ""
    return (
        f"{n} of the new reminders of the series {wish.series} {'is' if n == 1 else 'are'} queued already by "
        f"the series {series}{more}: the same number, appointment and time before it"
    )
