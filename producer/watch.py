"""Following a campaign until it is done or paused."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Engine

from worker.ledger import campaigns
from worker.ledger.campaigns import CampaignReport
from worker.ledger.engine import LedgerUnavailableError, reading
from worker.states import CampaignState

LOOK_S = 0.5
NOBODY_SENDS_S = 3.0


def follow(
    engine: Engine,
    campaign_id: int,
    *,
    on_look: Callable[[CampaignReport], None],
    in_between: Callable[[], None] = lambda: None,
) -> CampaignReport:
    """Look twice a second until the campaign is done or paused; return the last look.

    A ledger that is away for a moment is looked at again.
    """
    while True:
        in_between()
        try:
            with reading(engine) as connection:
                report = campaigns.report(connection, campaign_id)
        except LedgerUnavailableError:
            time.sleep(LOOK_S)
            continue
        on_look(report)
        if report.is_done or report.state == CampaignState.PAUSED:
            return report
        time.sleep(LOOK_S)


def is_worked_soon(engine: Engine, campaign_id: int) -> bool:
    """Say, within three seconds, whether some worker has begun with the campaign."""
    ends_at = time.monotonic() + NOBODY_SENDS_S
    while time.monotonic() < ends_at:
        with reading(engine) as connection:
            if campaigns.has_been_worked(connection, campaign_id):
                return True
        time.sleep(0.1)
    return False
