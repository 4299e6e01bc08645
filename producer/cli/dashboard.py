"""The live view of a campaign that is followed."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

import click

from producer import watch
from producer.cli.output import Meter
from producer.cli.scheduled import ahead_lines, count_words, countdown, local_facts
from producer.cli.speed import campaign_because, pace_words
from producer.reports import explained, listed
from producer.schedule.pace import rate_in_force
from worker.ledger.reports import CampaignReport
from worker.ledger.scheduled import Schedule
from worker.settings import Settings
from worker.states import OPEN_STATES


class Dashboard:
    """A bar with rate, time left and counts, and below it what is still to come; or plain lines in a pipe."""

    def __init__(self, campaign_id: int, settings: Settings) -> None:
        self._title = f"Campaign {campaign_id}"
        self._settings = settings
        self._meter: Meter | None = None
        self._pace = watch.Pace()
        self._rate: str | None = None

    def __enter__(self) -> Self:
        """Wait for the first look, which tells the size."""
        return self

    def show(self, report: CampaignReport, schedule: Schedule) -> None:
        """Show one look."""
        done = report.messages - sum(report.counts[state] for state in OPEN_STATES)
        if self._meter is None:
            self._meter = Meter(self._title, total=report.messages)
            self._meter.__enter__()
        pace = self._pace_words(report, done)
        facts = local_facts(listed(explained(report, self._settings)), self._settings)
        reason = countdown(report) or campaign_because(facts)
        self._meter.show(done, f"{pace}, {count_words(facts['counts'])}{f' - {reason}' if reason else ''}")
        self._meter.add(ahead_lines(schedule, facts["zone"]))

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
