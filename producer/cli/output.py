"""What people and programs see: data on standard output, progress and problems on standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, Self

import click
from rich.cells import cell_len, set_cell_size
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from producer.cli.times import iso_words
from producer.findings import OPTED_OUT, REACHED, Preview
from producer.recipients import Problem
from producer.watch import PACE_S
from worker.errors import InputError
from worker.text.counting import counted_of

PLAIN_INTERVAL_S = 2.0
"""Between two lines of progress where there is no terminal."""

BELOW_INTERVAL_S = 30.0
"""Between two times that it is told there what is to come."""

SHOWN_PROBLEMS = 20

_LEFT_OUT = {
    OPTED_OUT: "its number has opted out",
    REACHED: "its number got, or may have got, the same text lately",
}


def echo_json(value: object) -> None:
    """Print one JSON object on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def echo_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print aligned columns, in full: in a pipe nothing may be cut off."""
    lines = [headers, *(["" if cell is None else str(cell) for cell in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (set_cell_size(cell, width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def echo_facts(facts: Mapping[str, object]) -> None:
    """Print names and values, one a line; what is None is left out."""
    shown = {name: value for name, value in facts.items() if value is not None and value != ""}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        click.echo(f"{name:<{width}}  {value}")


def echo_problems(problems: Sequence[Problem], *, total: int, is_listed: bool = True) -> None:
    """Print the first refused rows and how many more there are, on standard error."""
    for problem in problems[:SHOWN_PROBLEMS]:
        column = f", column {problem.column}" if problem.column else ""
        click.echo(f"  line {problem.line}{column}: {problem.message} [{problem.code}]", err=True)
    rest = total - min(len(problems), SHOWN_PROBLEMS)
    if rest > 0:
        click.echo(f"  and {rest} more{'' if is_listed else ': --problems FILE lists them all'}", err=True)


def echo_reasons(found: Preview) -> None:
    """Print how many rows are refused, and for what, on standard error."""
    if found.refused:
        reasons = ", ".join(f"{code}: {n}" for code, n in found.reasons.most_common())
        click.echo(f"{counted_of(found.refused, found.rows, 'row', verb='is')} refused ({reasons})", err=True)


def echo_n_doubles(found: Preview) -> None:
    """Print how many rows were dropped because their recipient has it already, on standard error."""
    if found.duplicates:
        n = counted_of(found.duplicates, found.rows, "row", verb="is")
        click.echo(
            f"{n} double: --duplicates FILE lists {'it' if found.duplicates == 1 else 'them'}", err=True
        )


def echo_doubles(found: Preview) -> None:
    """Print how many rows were dropped, and the first of them, on standard error."""
    echo_n_doubles(found)
    for double in islice(found.doubles, SHOWN_PROBLEMS):
        where = "the campaign has its recipient already"
        if double.first is not None:
            where = f"it has the recipient of line {double.first}"
        click.echo(f"  line {double.line}: {where} [duplicate]", err=True)
    if (rest := len(found.doubles) - SHOWN_PROBLEMS) > 0:
        click.echo(f"  and {rest} more", err=True)


def echo_left_out(found: Preview) -> None:
    """Print the first rows that are left out and how many there are, on standard error."""
    reasons = ", ".join(f"{code}: {n}" for code, n in found.skips.most_common())
    n = counted_of(found.skipped, found.rows, "row", verb="is")
    click.echo(f"{n} left out ({reasons})", err=True)
    for each in islice(found.left_out, SHOWN_PROBLEMS):
        click.echo(f"  line {each.line}: {_LEFT_OUT[each.code]} [{each.code}]", err=True)
    if (rest := found.skipped - SHOWN_PROBLEMS) > 0:
        click.echo(f"  and {rest} more: --duplicates FILE lists them all", err=True)


def echo_orders(found: Iterable[Mapping[str, Any]], *, zone: str) -> None:
    """Print who ordered what, and when."""
    names = ("author", "what", "detail")
    rows = ([iso_words(row["at"], zone), *(row[name] for name in names)] for row in found)
    echo_table(["at", *names[:-1], ""], rows)


def is_interactive() -> bool:
    """Say whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, *, yes: bool) -> None:
    """Go on only after a yes: from a person, or from ``--yes`` where nobody can be asked.

    Raises:
        InputError: the answer is no, or there is nobody to ask.
    """
    if yes:
        return
    if not is_interactive():
        raise InputError("Nobody can be asked here: give --yes", code="not_confirmed")
    if not click.confirm(question, err=True):
        raise InputError("Nothing was changed", code="not_confirmed")


class _Bar(Progress):
    """A bar with lines below it."""

    below: Sequence[str] = ()

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        yield from map(Text, self.below)


class Meter:
    """Progress of one piece of work: a bar on a terminal, a line every two seconds elsewhere."""

    def __init__(self, title: str, *, total: int, unit: str = "") -> None:
        self._title = title
        self._total = max(total, 1)
        self._unit = unit
        self._done = 0
        self._printed_at = time.monotonic()
        self._below: Sequence[str] = ()
        self._below_at = 0.0
        self._bar: _Bar | None = None
        self._task = TaskID(0)
        if sys.stderr.isatty():
            self._bar = _Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn() if not unit else TextColumn("{task.percentage:>3.0f} %"),
                TextColumn("{task.fields[note]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
                speed_estimate_period=PACE_S,
            )
            self._task = self._bar.add_task(title, total=self._total, note="")

    def __enter__(self) -> Self:
        """Show the bar."""
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar.stop()

    def say(self, words: str) -> None:
        """Print a line above the bar."""
        if self._bar:
            self._bar.console.print(words, markup=False, highlight=False)
        else:
            click.echo(words, err=True)

    def advance(self, n: int) -> None:
        """Say that so many more are done."""
        self.show(self._done + n)

    def add(self, lines: Sequence[str]) -> None:
        """Show lines below the bar; elsewhere when they are new, but seldom."""
        if self._bar:
            self._bar.below = lines
        elif lines != self._below and time.monotonic() >= self._below_at:
            self._below, self._below_at = lines, time.monotonic() + BELOW_INTERVAL_S
            for line in lines:
                click.echo(f"{self._title}: {line}", err=True)

    def show(self, done: int, note: str = "") -> None:
        """Say how many are done, with a few words beside it."""
        self._done = done
        if self._bar:
            self._bar.update(self._task, completed=done, note=note)
        elif time.monotonic() - self._printed_at >= PLAIN_INTERVAL_S:
            self._printed_at = time.monotonic()
            figures = f"{100 * done // self._total} %" if self._unit else f"{done} of {self._total}"
            click.echo(f"{self._title}: {figures}{f', {note}' if note else ''}", err=True)
