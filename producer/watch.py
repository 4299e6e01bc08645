"""Following a campaign until it is done or waits for a person."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import Engine

from worker.ledger import notices, reports, waits
from worker.ledger.engine import LedgerUnavailableError, now_of, reading
from worker.ledger.reports import CampaignReport
from worker.ledger.scheduled import Schedule, schedule_of
from worker.waiting import within

LOOK_S = 0.5
NOBODY_SENDS_S = 3.0
_TOLD_S = 45.0  # a command may take 30 s, a webhook 10 s
NOBODY_SENDS = (
    "No worker has begun with it yet: none runs, all are busy, or the provider is held "
    "(`bulksend worker` runs one)"
)
PACE_S = 10.0
"""What a pace, and the time left, is taken from: the last seconds, not the whole life of a campaign."""


class Pace:
    """How fast a campaign goes now: over the last ten seconds, from the first message on."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque()

    def per_second(self, done: int, *, now_s: float) -> float:
        """Take a look, which follows the earlier ones, and return messages per second."""
        self._looks.append((now_s, done))
        while len(self._looks) > 1 and (self._looks[1][0] <= now_s - PACE_S or self._has_not_begun()):
            self._looks.popleft()
        began_s, before = self._looks[0]
        return (done - before) / max(now_s - began_s, LOOK_S)

    def _has_not_begun(self) -> bool:
        """Whether nothing has left in all this time: a worker that starts is not slow."""
        return self._looks[0][1] == self._looks[-1][1]


def follow(
    engine: Engine,
    campaign_id: int,
    *,
    on_look: Callable[[CampaignReport, Schedule], None],
    in_between: Callable[[], None] = lambda: None,
    on_idle: Callable[[], None] = lambda: None,
) -> CampaignReport:
    """Look twice a second until the campaign is done or waits for a person; return the last look.

    A ledger that is away for a moment is looked at again. ``on_idle`` is called once, three seconds after
    something is due, when no worker has begun by then.
    """
    idle_at_s = time.monotonic() + NOBODY_SENDS_S
    while True:
        in_between()
        with suppress(LedgerUnavailableError):
            report, schedule, is_begun, is_due = _look(engine, campaign_id)
            on_look(report, schedule)
            if report.is_done or report.is_stuck:
                return report
            if not is_due:
                idle_at_s = max(idle_at_s, time.monotonic() + NOBODY_SENDS_S)
            if time.monotonic() >= idle_at_s:
                idle_at_s = math.inf
                if not is_begun:
                    on_idle()
        time.sleep(LOOK_S)


def _look(engine: Engine, campaign_id: int) -> tuple[CampaignReport, Schedule, bool, bool]:
    """Return a campaign, what is to come of it, whether a worker has begun, and whether any was due."""
    with reading(engine) as connection:
        found = waits.told(connection, reports.report(connection, campaign_id))
        schedule = schedule_of(connection, campaign_id)
        is_due = found.due_at is None or found.due_at <= schedule.now
        return found, schedule, reports.has_been_worked(connection, campaign_id), is_due


def starts_at(engine: Engine, campaign_id: int) -> int | None:
    """Return when a campaign starts of which nothing is due yet, in epoch milliseconds; None: it is due."""
    with reading(engine) as connection:
        due_at = reports.report(connection, campaign_id).due_at
        return due_at if due_at is not None and due_at > now_of(connection) else None


def is_told(engine: Engine, campaign_id: int) -> bool:
    """Wait until it was tried to tell of the end of a campaign; say whether it was."""

    def is_settled() -> bool:
        with reading(engine) as connection:
            return notices.is_settled(connection, campaign_id)

    return within(_TOLD_S, is_settled, every_s=0.1)


def is_worked_soon(engine: Engine, campaign_id: int) -> bool:
    """Say, within three seconds, whether some worker has begun with the campaign."""
    ends_at = time.monotonic() + NOBODY_SENDS_S
    while time.monotonic() < ends_at:
        with reading(engine) as connection:
            if reports.has_been_worked(connection, campaign_id):
                return True
        time.sleep(0.1)
    return False
