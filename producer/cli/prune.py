"""`bulksend ledger prune`: texts, rows and numbers of what is over for long are removed."""

from __future__ import annotations

from typing import Any

import click
from sqlalchemy import Engine

from producer.cli.opening import ready_ledger
from producer.cli.output import Meter, ask, echo_json
from producer.cli.words import author
from producer.pruning import Found, Pruned, look, require_old
from producer.pruning import prune as remove
from worker.ledger import cleaning
from worker.settings import load_settings
from worker.text.counting import counted
from worker.timing.durations import duration_words, parse_duration

_POSTGRES_STEP = "`VACUUM FULL messages` takes them out of the files of Postgres, backups and its log apart"
_SQLITE_STEP = (
    "older copies may lie in unused parts of the file: --vacuum writes it anew, and nobody can send meanwhile"
)


@click.command()
@click.option(
    "--older-than", required=True, metavar="AGE", help="Such as 90d: nothing has changed for so long."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option(
    "--vacuum", is_flag=True, help="Write the whole file anew afterwards; nobody can send meanwhile."
)
@click.option("--yes", is_flag=True, help="Answer the question with yes.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def prune(*, older_than: str, dry_run: bool, vacuum: bool, yes: bool, as_json: bool) -> None:
    """Remove texts, columns and numbers of campaigns that are over, and the raw reports of gateways.

    A campaign is old when it is done or cancelled, and nothing of it has changed for AGE, 72 h at least: no
    request, outcome or delivery report. States, counts, parts, prices, times and codes stay; a number becomes
    a digest under a key of this ledger, and what was sent is still known as sent. There is no way back: what
    was pruned cannot be retried, added to, or exported with its columns.
    """
    settings = load_settings()
    older_ms = parse_duration(older_than)
    require_old(older_ms, patience_s=settings.timers.patience)
    engine = ready_ledger(settings)
    found = look(engine, older_ms=older_ms)
    _say_found(found, older_ms=older_ms)
    if dry_run:
        _finish(_facts(found, None), as_json=as_json)
        return
    if found.campaigns or found.n_pushes:
        ask("Remove them for good?", yes=yes)
    done = _remove(engine, found, older_ms=older_ms)
    is_clean = _clean(engine, vacuum=vacuum)
    for campaign_id in done.left_out:
        click.echo(f"Campaign {campaign_id} goes on meanwhile, and was left out", err=True)
    click.echo(
        f"Removed: {done.messages} messages of {done.campaigns} campaigns, {done.pushes} reports", err=True
    )
    if not vacuum and (done.messages or done.pushes):
        click.echo(f"Next: {_SQLITE_STEP if engine.dialect.name == 'sqlite' else _POSTGRES_STEP}", err=True)
    if not is_clean:
        click.echo(
            "Somebody reads the ledger all the time: its log keeps older copies until that ends", err=True
        )
    _finish(_facts(found, done), as_json=as_json)


def _say_found(found: Found, *, older_ms: int) -> None:
    age = duration_words(older_ms)
    for each in found.campaigns:
        click.echo(f"  campaign {each.id} {each.name}: {counted(each.n_messages, 'message')}", err=True)
    campaigns, messages = counted(len(found.campaigns), "campaign"), counted(found.n_messages, "message")
    raw = counted(found.n_pushes, "raw report")
    click.echo(f"Older than {age}: {campaigns} with {messages}, and {raw}", err=True)


def _remove(engine: Engine, found: Found, *, older_ms: int) -> Pruned:
    try:
        with Meter("Removing", total=found.n) as meter:
            return remove(engine, found, older_ms=older_ms, author=author(), on_rows=meter.advance)
    except KeyboardInterrupt:
        click.echo("What was removed stays so; the same command goes on.", err=True)
        raise


def _clean(engine: Engine, *, vacuum: bool) -> bool:
    if vacuum:
        click.echo("Writing the database anew", err=True)
        cleaning.rewrite(engine)
    return cleaning.clean(engine)


def _facts(found: Found, done: Pruned | None) -> dict[str, Any]:
    return {
        "campaigns": done.campaigns if done else len(found.campaigns),
        "messages": done.messages if done else found.n_messages,
        "reports": done.pushes if done else found.n_pushes,
        "left_out": list(done.left_out) if done else [],
        "is_done": done is not None,
    }


def _finish(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        echo_json(facts)
