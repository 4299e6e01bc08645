"""Following a campaign until it is done or waits for a person."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Engine

from worker.ledger import reports
from worker.ledger.engine import LedgerUnavailableError, reading
from worker.ledger.reports import CampaignReport

LOOK_S = 0.5
NOBODY_SENDS_S = 3.0


def follow(
    engine: Engine,
    campaign_id: int,
    *,
    on_look: Callable[[CampaignReport], None],
    in_between: Callable[[], None] = lambda: None,
) -> CampaignReport:
    """Look twice a second until the campaign is done or waits for a person; return the last look.

    A ledger that is away for a moment is looked at again.
    """
    while True:
        in_between()
        try:
            with reading(engine) as connection:
                report = reports.report(connection, campaign_id)
        except LedgerUnavailableError:
            time.sleep(LOOK_S)
            continue
        on_look(report)
        if report.is_done or report.is_stuck:
            return report
        time.sleep(LOOK_S)


def is_worked_soon(engine: Engine, campaign_id: int) -> bool:
    """Say, within three seconds, whether some worker has begun with the campaign."""
    ends_at = time.monotonic() + NOBODY_SENDS_S
    while time.monotonic() < ends_at:
        with reading(engine) as connection:
            if reports.has_been_worked(connection, campaign_id):
                return True
        time.sleep(0.1)
    return False
