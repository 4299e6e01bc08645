"""`bulksend unknown`: messages of which nobody knows whether the gateway has them, for a person to settle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click
from sqlalchemy import Engine

from producer.cli.opening import ready_ledger
from producer.cli.output import ask, echo_json, echo_table
from producer.cli.times import iso_words, zone_shown
from producer.cli.words import author
from producer.reports import NO_NUMBER, iso, number_of
from worker.ledger import orders, reports, settling
from worker.ledger.engine import now_of, reading, writing
from worker.ledger.findings import age
from worker.ledger.orders import Counted
from worker.ledger.settling import UnknownMessage
from worker.providers import Account, accounts_of
from worker.settings import Settings, load_settings
from worker.states import MessageState
from worker.text.counting import counted

_RISK = (
    "The gateway may have sent every one of these messages already: up to {n} people may get theirs twice, "
    "and you may pay twice."
)


@click.group()
def unknown() -> None:
    """See and settle messages of which nobody knows whether the gateway has them."""


@unknown.command("list")
@click.option("--campaign", "campaign_id", metavar="ID", type=int, help="Only this campaign.")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 1_000_000), help="Oldest so many."
)
@click.option("--json", "as_json", is_flag=True, help="A JSON list on standard output.")
def list_(*, campaign_id: int | None, limit: int, as_json: bool) -> None:
    """List unknown messages, oldest first."""
    settings = load_settings()
    patience_ms = int(settings.timers.patience * 1000)
    with reading(ready_ledger(settings)) as connection:
        found = settling.unknown(connection, campaign_id=campaign_id, limit=limit, patience_ms=patience_ms)
    accounts = accounts_of(settings)
    rows = [_facts(each) | _settlers(each, account=accounts.get(each.provider)) for each in found]
    if as_json:
        echo_json(rows)
    else:
        _echo(rows, settings)


def _settlers(message: UnknownMessage, *, account: Account | None) -> dict[str, bool]:
    """Say whether it went to another login than its provider has now, and whether the gateway is asked."""
    is_elsewhere = account is not None and message.login not in {None, account.login}
    can_be_asked = account is not None and account.capabilities.lookup is not None and not is_elsewhere
    return {"elsewhere": is_elsewhere, "asked": can_be_asked and not message.is_final}


def _facts(message: UnknownMessage) -> dict[str, Any]:
    return {
        "id": message.id,
        "campaign": message.campaign_id,
        "provider": message.provider,
        "msisdn": number_of(message.msisdn),
        "line": message.line,
        "since": iso(message.since),
        "age_s": message.age_ms / 1000,
        "final": message.is_final,
        "reference": message.reference,
        "code": message.code,
        "detail": message.detail,
        "asked_at": iso(message.asked_at),
    }


def _echo(rows: list[dict[str, Any]], settings: Settings) -> None:
    if not rows:
        click.echo("Nothing is unknown", err=True)
        return
    headers = ["id", "campaign", "provider", "number", "since", "age", "reference", "gateway", "because"]
    echo_table(
        headers,
        (
            [
                *(row[name] for name in ("id", "campaign", "provider")),
                row["msisdn"] or NO_NUMBER,
                iso_words(row["since"], zone_shown(settings, provider=row["provider"])),
                age(int(row["age_s"] * 1000)),
                row["reference"],
                _outlook(row),
                " ".join(word for word in (row["code"], row["detail"]) if word),
            ]
            for row in rows
        ),
    )


def _outlook(row: Mapping[str, Any]) -> str:
    """Say who settles a message."""
    if row["final"]:
        return "final: for you"
    if row["elsewhere"]:
        return "went to another login: for you"
    return "is asked by itself" if row["asked"] else "cannot be asked: for you"


@unknown.command()
@click.argument("message_ids", metavar="[MESSAGE_ID]...", nargs=-1, type=click.IntRange(min=1))
@click.option("--campaign", "campaign_id", metavar="ID", type=int, help="All that is unknown of a campaign.")
@click.option("--as", "verdict", type=click.Choice(["accepted", "failed"]), help="What became of them.")
@click.option("--resend", is_flag=True, help="Send them again, at the risk of sending them twice.")
@click.option("--yes", is_flag=True, help="Answer the question with yes.")
def settle(
    message_ids: tuple[int, ...],
    *,
    campaign_id: int | None,
    verdict: str | None,
    resend: bool,
    yes: bool,
) -> None:
    """Settle unknown messages: as accepted, as failed, or by sending them again.

    Ask the gateway or look into its panel first: only --resend can make somebody get a message twice.
    """
    if resend == (verdict is not None):
        raise click.UsageError("Give one of --as accepted, --as failed and --resend")
    if bool(message_ids) == (campaign_id is not None):
        raise click.UsageError("Give ids of messages, or --campaign")
    engine = ready_ledger(load_settings())
    meant = _look(engine, message_ids, campaign_id)
    if resend and meant.n:
        _ask_to_resend(meant, yes=yes)
    n_settled = _settle(engine, meant, target=MessageState(verdict or MessageState.QUEUED))
    words = f"{counted(n_settled, 'message', verb='counts')} as {verdict} now"
    if verdict is None:
        words = _resent(n_settled, n_gone=meant.n_gone)
    click.echo(words if n_settled else "Nothing was unknown any more", err=True)


def _ask_to_resend(meant: _Meant, *, yes: bool) -> None:
    if meant.n_gone:
        click.echo(
            f"Not sent again but cancelled, since their numbers were removed: {meant.n_gone}", err=True
        )
    if n := meant.n - meant.n_gone:
        click.echo(_RISK.format(n=n), err=True)
    ask("Send them again?" if n else "Cancel them?", yes=yes)


def _resent(n_settled: int, *, n_gone: int) -> str:
    """Say what became of messages that were to be sent again."""
    n_gone = min(n_gone, n_settled)
    cancelled = f"{counted(n_gone, 'message', verb='is')} cancelled"
    if n_settled == n_gone:
        return cancelled
    queued = f"{counted(n_settled - n_gone, 'message', verb='is')} queued again, unless their campaign is"
    return f"{queued} cancelled; {cancelled}" if n_gone else f"{queued} cancelled"


@dataclass(frozen=True, kw_only=True)
class _Meant:
    """What a person orders to be settled, as it was when the question was asked."""

    message_ids: tuple[int, ...] | None
    campaign_id: int | None
    until: int  # what becomes unknown after this instant is not meant
    n: int
    n_gone: int  # of them, without a number (any more)


def _look(engine: Engine, message_ids: tuple[int, ...], campaign_id: int | None) -> _Meant:
    """Count what is to be settled.

    Raises:
        InputError: a message is not unknown, or there is no such campaign.
    """
    with reading(engine) as connection:
        until = now_of(connection)  # before anything is counted
        if campaign_id is not None:
            n_unknown = reports.report(connection, campaign_id).counts[MessageState.UNKNOWN]
        else:
            settling.require_unknown(connection, message_ids)
            n_unknown = len(set(message_ids))
        n_gone = settling.n_gone(connection, campaign_id=campaign_id, message_ids=message_ids or None)
    return _Meant(
        message_ids=message_ids or None, campaign_id=campaign_id, until=until, n=n_unknown, n_gone=n_gone
    )


def _settle(engine: Engine, meant: _Meant, *, target: MessageState) -> int:
    """Settle batch by batch, so that nobody waits long for the ledger."""
    by, n_settled = author(), 0
    order = Counted(what=orders.SETTLE, author=by, detail=f"as {target}")
    if target is MessageState.QUEUED:
        order = Counted(what=orders.RESEND, author=by)
    while True:
        with writing(engine) as connection:
            n_moved = settling.settle(
                connection,
                target,
                author=by,
                campaign_id=meant.campaign_id,
                message_ids=meant.message_ids,
                until=meant.until,
                order=order,
            )
        if n_moved is None:
            return n_settled
        n_settled += n_moved
