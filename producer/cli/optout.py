"""`bulksend optout`: who wants no messages, and of what kind."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from producer import stoplist
from producer.cli import EXIT_INPUT
from producer.cli.opening import ready_ledger
from producer.cli.optout_import import import_
from producer.cli.optout_options import (
    number_options,
    read_given,
    read_numbers,
    scope_options,
    scopes_of,
)
from producer.cli.output import ask, echo_facts, echo_json, echo_table
from producer.cli.places import force_option, require_place
from producer.cli.timing import now
from producer.cli.words import author
from producer.output_file import appearing_text
from producer.stop_rows import read_time
from worker.errors import ConfigError, InputError
from worker.ledger import optouts
from worker.ledger.engine import reading
from worker.ledger.scopes import ALL
from worker.settings import load_settings
from worker.states import OptOutSource

_SHOWN = 50


@click.group()
def optout() -> None:
    """Note who wants no messages: none at all, none of a purpose, or none of a sender.

    What `add` or `import` has noted holds when the command has returned: nothing of it leaves any more, also
    of campaigns that are being sent, on every host. A STOP to marketing leaves reminders alone.

    It cannot stop what a gateway has already, also not what that keeps until a later time: `bulksend campaign
    cancel` takes such messages back, where the gateway lets it.
    """


optout.add_command(import_)


@optout.command(epilog="\b\nExample:\n  echo +4520304050 | bulksend optout add --purpose marketing -")
@number_options
@scope_options
@click.option(
    "--source",
    type=click.Choice([each.value for each in OptOutSource]),
    default=OptOutSource.OPERATOR.value,
    help="Who said so: operator (you, the default), import, gateway or reply.",
)
@click.option(
    "--at", metavar="TIME", help="Since when: ISO 8601, in UTC where it says nothing else; default is now."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def add(*, source: str, at: str | None, as_json: bool, **given: Any) -> None:  # noqa: ANN401 - as click gives them
    """Note that numbers want no messages.

    None of a purpose, none of a sender, or, without either, none at all.

    A number that is written here stays in the history of the shell: with - they are read from standard input,
    one a line. If one of them is no number, nothing is noted. With --at, what has ended since then by an
    opt-in does not come back.
    """
    settings = load_settings()
    since = _since(at)
    numbers, scopes = read_given(settings, given)
    scopes = scopes or [ALL]
    n = stoplist.add(
        ready_ledger(settings),
        numbers,
        scopes,
        author=author(),
        keeps_numbers=not settings.optouts.hashed,
        source=OptOutSource(source),
        at=since,
    )
    known = len(numbers) * len(scopes) - n
    _say({"numbers": len(numbers), "scopes": scopes, "added": n, "known": known}, as_json=as_json)


def _since(written: str | None) -> int | None:
    if written is None:
        return None
    if not written.strip():
        raise ConfigError("--at: write a time, or leave it out")
    try:
        return read_time(written, now_ms=now())
    except InputError as error:
        raise ConfigError(f"--at: {error}") from None


@optout.command()
@number_options
@scope_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def remove(*, as_json: bool, **given: Any) -> None:  # noqa: ANN401 - as click gives them
    """Let numbers have messages again.

    Those of a purpose, of a sender, or, without either, of every kind.

    Who opted out of all messages is not let in by --purpose or --sender. What was suppressed stays so. A
    number that is written here stays in the history of the shell: with - they are read from standard input.
    """
    settings = load_settings()
    numbers, scopes = read_given(settings, given)
    engine = ready_ledger(settings)
    n = stoplist.remove(engine, numbers, scopes, author=author())
    with reading(engine) as connection:
        n_left = sum(bool(optouts.of_number(connection, number)) for number in numbers)
    _say({"numbers": len(numbers), "removed": n, "still_opted_out": n_left}, as_json=as_json)


@optout.command()
@click.argument("number", metavar="NUMBER")
@click.option("--country", help="Country of a number without country code, such as DK.")
@scope_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.pass_context
def check(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    /,
    number: str,
    *,
    country: str | None,
    purposes: Sequence[str],
    senders: Sequence[str],
    as_json: bool,
) -> None:
    """Say what a number has opted out of, and since when.

    With --purpose or --sender: what keeps such a message from it. Exit code 0: nothing does; 1: it has opted
    out; 2: that could not be told. With - the number is read from standard input.
    """
    settings = load_settings()
    wanted = scopes_of(purposes, senders)
    try:
        (msisdn,) = read_numbers(settings, (number,), country)
    except InputError as error:
        raise ConfigError(str(error)) from None
    except ValueError:
        raise ConfigError("-: give one number") from None
    with reading(ready_ledger(settings)) as connection:
        held = optouts.of_number(connection, msisdn)
    held = [each for each in held if not wanted or each["scope"] in {ALL, *wanted}]
    rows = [
        {"scope": each["scope"], "since": stoplist.instant_words(each["at"]), "source": each["source"]}
        | {"provider": each["provider"]}
        for each in held
    ]
    if as_json:
        echo_json({"opted_out": bool(rows), "scopes": rows})
    elif rows:
        echo_table(list(rows[0]), (list(each.values()) for each in rows))
    else:
        click.echo("Nothing keeps messages from this number", err=True)
    ctx.exit(EXIT_INPUT if rows else 0)


@optout.command("list")
@click.option(
    "--csv",
    "csv_file",
    metavar="FILE",
    help="Write all of it as `optout import` reads it; - is standard output.",
)
@click.option(
    "--limit", type=click.IntRange(1, 10_000_000), help=f"Newest so many; without --json and --csv {_SHOWN}."
)
@force_option
@click.option(
    "--json", "as_json", is_flag=True, help="A JSON list on standard output: all of it, or the newest."
)
def list_(*, csv_file: str | None, limit: int | None, force: bool, as_json: bool) -> None:
    """List who has opted out of what: counts, and the newest."""
    if csv_file and as_json:
        raise click.UsageError("give --json or --csv, not both")
    settings = load_settings()
    if csv_file:
        require_place(settings, "--csv", Path(csv_file), force=force)
    engine = ready_ledger(settings)
    if csv_file:
        n = _to_csv(csv_file, stoplist.listed(engine, limit=limit), may_replace=force)
        click.echo(f"Opt-outs that were written: {n}", err=True)
        return
    if as_json:
        stoplist.write_json(sys.stdout, stoplist.listed(engine, limit=limit))
        return
    with reading(engine) as connection:
        counts = optouts.counts(connection)
    if not counts:
        click.echo("Nobody has opted out", err=True)
        return
    echo_table(["scope", "source", "numbers"], counts)
    click.echo()
    found = list(stoplist.listed(engine, limit=limit or _SHOWN))
    names = ("msisdn", "scope", "source", "time", "provider")
    echo_table(["number", "scope", "source", "since", "provider"], (_row(each, names) for each in found))


def _row(facts: dict[str, str | None], names: Sequence[str]) -> list[str | None]:
    return [facts["msisdn"] or "(digest)", *(facts[name] for name in names[1:])]


@optout.command()
@click.option("--yes", is_flag=True, help="Answer the question with yes.")
def forget(*, yes: bool) -> None:
    """Remove all numbers from the list.

    Their digests stay, so what is noted goes on to hold.

    `hashed = true` in [optouts] keeps numbers out from the beginning. A number can be checked as before, but
    the list does not show it any more.
    """
    settings = load_settings()
    engine = ready_ledger(settings)
    ask("Remove all numbers from the list, for good?", yes=yes)
    n = stoplist.forget(engine, author=author())
    click.echo(f"Numbers that were removed: {n}", err=True)


def _to_csv(place: str, rows: Iterable[dict[str, str | None]], *, may_replace: bool) -> int:
    try:
        with appearing_text(Path(place), may_replace=may_replace) as file:
            return stoplist.write_csv(file, rows)
    except BrokenPipeError:  # whoever reads it has seen enough
        raise
    except OSError as error:
        raise ConfigError(f"--csv {place}: {error.strerror}; name another file") from None


def _say(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        echo_json(facts)
        return
    words = {
        name.replace("_", " "): ", ".join(each) if isinstance(each, list) else each
        for name, each in facts.items()
    }
    echo_facts(words)
