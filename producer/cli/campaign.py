"""`bulksend campaign`: list, show, watch; what changes a campaign is in ``control``."""

from __future__ import annotations

from typing import Any

import click

from producer import watch
from producer.cli import EXIT_PARTLY
from producer.cli.control import cancel, discard, pause, resume, retry
from producer.cli.costs import cost_words
from producer.cli.dashboard import Dashboard
from producer.cli.opening import ready_ledger
from producer.cli.output import echo_facts, echo_json, echo_orders, echo_table
from producer.cli.reschedule import reschedule
from producer.cli.scheduled import (
    count_words,
    due_facts,
    echo_scheduled,
    ending_facts,
    goes_on,
    is_kept,
    local_facts,
    state_words,
)
from producer.cli.speed import campaign_because
from producer.cli.times import iso_words
from producer.reports import explained, is_complete, listed, shown
from worker.ledger import reports, waits
from worker.ledger.engine import reading
from worker.settings import Settings, load_settings
from worker.text.counting import counted
from worker.timing.durations import duration_words


@click.group()
def campaign() -> None:
    """See campaigns, and give them orders."""


for _order in (pause, resume, cancel, reschedule, retry, discard):
    campaign.add_command(_order)


@campaign.command("list")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Newest so many."
)
@click.option("--confirmations", is_flag=True, help="Also those of one message that confirm an opt-out.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list on standard output.")
def list_(*, limit: int, confirmations: bool, as_json: bool) -> None:
    """List campaigns, newest first; those that wait for a time with when they go on."""
    settings = load_settings()
    with reading(ready_ledger(settings)) as connection:
        newest = reports.reports(connection, limit=limit, with_confirmations=confirmations)
        told = [waits.told(connection, each) for each in newest]
    found = [listed(explained(each, settings)) for each in told]
    if as_json:
        echo_json(found)
        return
    headers = ["id", "name", "state", "provider", "lane", "created", "counts", "goes on", "because"]
    rows = (
        [
            row["id"],
            row["name"] if row["series"] is None else f"{row['name']} (series {row['series']})",
            state_words(row),
            row["provider"],
            row["lane"],
            iso_words(row["created_at"], row["zone"]),
            count_words(row["counts"]),
            goes_on(row),
            row["reason"],
        ]
        for row in (local_facts(each, settings) for each in found)
    )
    echo_table(headers, rows)


@campaign.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def show(campaign_id: int, *, as_json: bool) -> None:
    """Show one campaign: its state, counts, and parts and cost of what was sent, of how much."""
    settings = load_settings()
    with reading(ready_ledger(settings)) as connection:
        found = waits.told(connection, reports.report(connection, campaign_id))
        facts = shown(connection, explained(found, settings), settings)
    if as_json:
        echo_json(facts)
    else:
        echo_report(facts, settings)


@campaign.command("watch")
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output at the end.")
@click.pass_context
def watch_(ctx: click.Context, /, campaign_id: int, *, as_json: bool) -> None:
    """Follow a campaign until it is done; Ctrl-C only stops watching.

    Shown are its pace, what leaves when, the next opening, and how late the oldest is that is due.
    """
    settings = load_settings()
    engine = ready_ledger(settings)
    with Dashboard(campaign_id, settings) as dashboard:
        report = watch.follow(
            engine, campaign_id, on_look=dashboard.show, on_idle=lambda: dashboard.say(watch.NOBODY_SENDS)
        )
    with reading(engine) as connection:
        facts = shown(connection, explained(report, settings), settings)
    if as_json:
        echo_json(facts)
    else:
        echo_report(facts, settings)
    ctx.exit(0 if is_complete(report) else EXIT_PARTLY)


def echo_report(facts: dict[str, Any], settings: Settings) -> None:
    """Print one campaign for a person."""
    facts, counts = local_facts(facts, settings), facts["counts"]
    zone = facts["zone"]
    words = {
        "campaign": f"{facts['id']} {facts['name']}",
        "series": facts["series"],
        "state": state_words(facts),
        "because": campaign_because(facts),
        **due_facts(facts),
        "provider": facts["provider"],
        "lane": facts["lane"],
        "purpose": facts["purpose"],
        "rows": facts["rows"],
        "messages": facts["messages"],
        "duplicates": facts["duplicates"],
        "refused": facts["refused"],
        "skipped": facts["skipped"] or None,
        **{name: n for name, n in counts.items() if n},
        "no report": silence_words(facts),
        "codes": ", ".join(f"{code}: {n}" for code, n in facts["codes"].items()) or None,
        **sum_facts(facts),
        "pruned": iso_words(facts["pruned_at"], zone),
        "leaves its gateway": iso_words(facts["leaves_at"], zone) if is_kept(facts) else None,
        **ending_facts(facts),
    }
    echo_facts(words)
    echo_scheduled(facts)
    if facts["orders"]:
        click.echo("\nOrders:")
        echo_orders(facts["orders"], zone=zone)


def sum_facts(facts: dict[str, Any]) -> dict[str, str]:
    """Say what was sent and what that costs, and of how much that was ordered where that is more."""
    parts, cost = str(facts["parts"]), cost_words(facts["cost"])
    if facts["parts"] != facts["ordered_parts"]:
        parts = f"{parts} sent, of {facts['ordered_parts']} ordered"
    if facts["cost"] != facts["ordered_cost"]:
        cost = f"{cost} for what was sent, of {cost_words(facts['ordered_cost'])} ordered"
    return {"parts": parts, "cost": cost}


def silence_words(facts: dict[str, Any]) -> str | None:
    """Say how many messages were accepted, and nothing was heard of them since."""
    if not facts["no_report"]:
        return None
    patience = duration_words(round(1000 * facts["no_report_after_s"]))
    return f"{counted(facts['no_report'], 'accepted message')}, for {patience}"
