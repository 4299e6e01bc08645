"""When the last message of a campaign leaves, as far as anybody can say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from producer.schedule.forecast import forecast
from producer.schedule.pace import rate_in_force
from producer.schedule.timetable import Group
from worker.errors import ConfigError
from worker.ledger import remaining, reports
from worker.ledger.engine import now_of
from worker.ledger.remaining import Departed, Remaining
from worker.ledger.reports import CampaignReport
from worker.settings import Provider, Rate, rates_of
from worker.states import CampaignState, MessageState

_LATELY_MS = 60_000
_FINE = 100
"""Units are counted in hundredths: the figures of a rate are whole, and those of a pace are not."""
_BEHIND_MS = 5_000
"""What waits so long beyond its time does not keep up: then the pace tells more than the rate does."""


def ends_at(connection: Connection, report: CampaignReport, configured: Provider | None) -> int | None:
    """Return when a campaign ended, or when it will; epoch ms, None where nobody can say.

    It ended with its last request, or ends when its gateway lets go of what it keeps. What is still to leave
    does so at the pace of the last minute where it is late, else at the provider's rate; never before it is
    due. Nobody can say it of a campaign that is paused or held, or that waits for others.
    """
    if report.is_done:
        ended_at = reports.ended_at(connection, report.id)
        if ended_at is None or report.leaves_at is None or not _has_given(report):
            return ended_at
        return max(ended_at, report.leaves_at)
    if report.state != CampaignState.RUNNING or report.n_held or report.is_provider_held:
        return None
    if configured is not None and configured.unit == "requests":
        return None  # how many share a request is not known before
    return _Rest(
        connection=connection,
        report=report,
        left=remaining.remaining(connection, report.id),
        now=now_of(connection),
        is_in_parts=configured is None or configured.unit == "parts",
        rate=rate_in_force(report.rate, configured),
    ).ends_at()


def is_kept(connection: Connection, report: CampaignReport) -> bool:
    """Say whether the gateway of a campaign that is done keeps what it was given until its time."""
    is_ahead = report.leaves_at is not None and report.leaves_at > now_of(connection)
    return report.is_done and is_ahead and _has_given(report)


def _has_given(report: CampaignReport) -> bool:
    return report.counts[MessageState.ACCEPTED] + report.counts[MessageState.UNKNOWN] > 0


@dataclass(frozen=True, kw_only=True)
class _Rest:
    """What of a campaign is still to leave by itself."""

    connection: Connection
    report: CampaignReport
    left: Sequence[Remaining]
    now: int
    is_in_parts: bool
    rate: str

    def ends_at(self) -> int | None:
        rates = self._rates()
        if not self.left or (not rates and self.left[-1].due_at <= self.now):
            return None
        try:
            windows = remaining.windows_of(self.connection, self.report.id)
            last = forecast(self._groups(), rates=rates, windows=windows, shown_in="UTC").ends_at
        except ConfigError:  # a zone that nobody knows any more: the worker says so
            return None
        return last and max(last, *(each.last_due_at for each in self.left))

    def _rates(self) -> Sequence[Rate]:
        """Return how fast it leaves, nothing where nobody knows; limits of more than a second hold anyway."""
        rates = [Rate(amount=_FINE * each.amount, window_s=each.window_s) for each in rates_of(self.rate)]
        longer = [each for each in rates if each.window_s > 1]
        if len(longer) == len(rates) > 0:
            return rates
        if self.left and self.left[0].due_at < self.now - _BEHIND_MS:
            since = self.now - _LATELY_MS
            lately = remaining.departed(self.connection, self.report.id, since=since)
            if lately is not None:
                return [self._pace(lately), *longer]
            if self.report.until is None and self.left[0].due_at < since:
                return []
        return rates

    def _pace(self, lately: Departed) -> Rate:
        units = lately.parts if self.is_in_parts else lately.messages
        lasted_s = max((self.now - lately.since) / 1000, 1.0)
        return Rate(amount=max(round(_FINE * units / lasted_s), 1), window_s=1)

    def _groups(self) -> Iterator[Group]:
        goes_on_at = self.report.until or self.now  # with its provider, where a longer limit is used up
        for each in self.left:
            yield Group(
                due_at=max(each.due_at, self.now, goes_on_at),
                leave_by=each.leave_by,
                expires_at=each.expires_at,
                zones=each.zones,
                n=each.n,
                units=_FINE * (each.parts if self.is_in_parts else each.n),
            )
