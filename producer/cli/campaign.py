"""`bulksend campaign`: list, show, watch; what changes a campaign is in ``control``."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

import click

from producer import watch
from producer.cli import EXIT_PARTLY
from producer.cli.control import cancel, discard, pause, resume, retry
from producer.cli.costs import cost_words
from producer.cli.opening import ready_ledger
from producer.cli.output import Meter, echo_facts, echo_json, echo_orders, echo_table
from producer.cli.reschedule import reschedule
from producer.cli.scheduled import countdown, due_facts, echo_scheduled, goes_on
from producer.cli.speed import campaign_because, pace_words
from producer.reports import explained, is_complete, listed, shown
from producer.standings import rate_in_force
from worker.ledger import reports, waits
from worker.ledger.engine import reading
from worker.ledger.reports import CampaignReport
from worker.settings import Settings, load_settings
from worker.states import OPEN_STATES
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
    names = ("state", "provider", "lane", "created_at")
    rows = (
        [
            row["id"],
            row["name"] if row["series"] is None else f"{row['name']} (series {row['series']})",
            *(row[name] for name in names),
            _count_words(row["counts"]),
            goes_on(row),
            row["reason"],
        ]
        for row in found
    )
    echo_table(headers, rows)


@campaign.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def show(campaign_id: int, *, as_json: bool) -> None:
    """Show one campaign: its state, counts, parts and cost."""
    settings = load_settings()
    with reading(ready_ledger(settings)) as connection:
        found = waits.told(connection, reports.report(connection, campaign_id))
        facts = shown(connection, explained(found, settings), settings)
    if as_json:
        echo_json(facts)
    else:
        echo_report(facts)


@campaign.command("watch")
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output at the end.")
@click.pass_context
def watch_(ctx: click.Context, /, campaign_id: int, *, as_json: bool) -> None:
    """Follow a campaign until it is done; Ctrl-C only stops watching."""
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
        echo_report(facts)
    ctx.exit(0 if is_complete(report) else EXIT_PARTLY)


class Dashboard:
    """The live view of a campaign: a bar with rate, time left and counts, or plain lines in a pipe."""

    def __init__(self, campaign_id: int, settings: Settings) -> None:
        self._title = f"Campaign {campaign_id}"
        self._settings = settings
        self._meter: Meter | None = None
        self._pace = watch.Pace()
        self._rate: str | None = None

    def __enter__(self) -> Self:
        """Wait for the first look, which tells the size."""
        return self

    def show(self, report: CampaignReport) -> None:
        """Show one look."""
        done = report.messages - sum(report.counts[state] for state in OPEN_STATES)
        if self._meter is None:
            self._meter = Meter(self._title, total=report.messages)
            self._meter.__enter__()
        pace = self._pace_words(report, done)
        facts = listed(explained(report, self._settings))
        reason = countdown(report) or campaign_because(facts)
        self._meter.show(done, f"{pace}, {_count_words(facts['counts'])}{f' - {reason}' if reason else ''}")

    def _pace_words(self, report: CampaignReport, done: int) -> str:
        """Write the pace beside the limit; where that is another, say so at once and take the pace anew."""
        configured = self._settings.providers.get(report.provider)
        before, self._rate = self._rate, rate_in_force(report.rate, configured)
        unit = configured.unit if configured else "parts"
        if before not in {None, self._rate}:
            limit = f"at most {self._rate} ({unit})" if self._rate else "without limit"
            self.say(f"From now on {limit}")
            self._pace = watch.Pace()
        per_second = self._pace.per_second(done, now_s=time.monotonic())
        return pace_words(per_second, rate=self._rate, unit=unit)

    def say(self, words: str) -> None:
        """Print a line that stays."""
        if self._meter:
            self._meter.say(words)
        else:
            click.echo(words, err=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the view away."""
        if self._meter:
            self._meter.__exit__(kind, error, trace)


def echo_report(facts: dict[str, Any]) -> None:
    """Print one campaign for a person."""
    counts = facts["counts"]
    words = {
        "campaign": f"{facts['id']} {facts['name']}",
        "series": facts["series"],
        "state": facts["state"],
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
        "parts": facts["parts"],
        "cost": cost_words(facts["cost"]),
        "pruned": facts["pruned_at"],
        "kept by its gateway until": facts["leaves_at"],
        "ends" if facts["state"] == "running" else "ended": facts["ends_at"],
    }
    echo_facts(words)
    echo_scheduled(facts)
    if facts["orders"]:
        click.echo("\nOrders:")
        echo_orders(facts["orders"])


def silence_words(facts: dict[str, Any]) -> str | None:
    """Say how many messages were accepted, and nothing was heard of them since."""
    if not facts["no_report"]:
        return None
    patience = duration_words(round(1000 * facts["no_report_after_s"]))
    return f"{facts['no_report']} accepted messages, for {patience}"


def _count_words(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in counts.items() if n) or "empty"
