"""What a running campaign waits for while nothing is wrong with it; reads only (DESIGN 4.9)."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, case, func, select

from worker.ledger import accounts
from worker.ledger.batches import campaign_is_running
from worker.ledger.engine import now_ms
from worker.ledger.models import BATCHES, CAMPAIGNS
from worker.ledger.reports import CampaignReport
from worker.states import BatchState, CampaignState, Lane, MessageState

URGENT = "urgent work goes first"
TURN = "it is another campaign's turn"
AGAIN = "what is left is tried again"
SCHEDULED = "it is scheduled"
SHUT = "its window is shut"


def told(connection: Connection, report: CampaignReport) -> CampaignReport:
    """Give a campaign for which no reason is known the one why nothing of it leaves now, if there is one."""
    if report.reason or report.state != CampaignState.RUNNING or not report.counts[MessageState.QUEUED]:
        return report
    n_leased, due_at = _batches(connection, report.id)
    if report.lane is Lane.BULK and _urgent_goes_first(connection, report.provider):
        return replace(report, reason=URGENT)
    if n_leased:
        return report
    if due_at is not None:
        return replace(report, reason=_why_later(connection, report.id), until=due_at)
    return replace(report, reason=TURN) if _others_are_worked(connection, report) else report


def _batches(connection: Connection, campaign_id: int) -> tuple[int, int | None]:
    """Return how many batches are worked now, and when the first is due where none is yet."""
    worked = func.count(case((BATCHES.c.state == BatchState.LEASED, 1)))
    first = func.min(case((BATCHES.c.state == BatchState.OPEN, BATCHES.c.next_due_at)))
    query = select(worked, first, now_ms()).where(BATCHES.c.campaign_id == campaign_id)
    n_leased, due_at, now = connection.execute(query).one()
    return int(n_leased), due_at if due_at is not None and due_at > now else None


def _why_later(connection: Connection, campaign_id: int) -> str:
    """Say why what is next is due later: it was to be, it waits for an opening, or it is tried again."""
    query = (
        select(BATCHES.c.fence, CAMPAIGNS.c.windows)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == BATCHES.c.campaign_id)
        .where(BATCHES.c.campaign_id == campaign_id, BATCHES.c.state == BatchState.OPEN)
    )
    fence, windows = connection.execute(query.order_by(BATCHES.c.next_due_at).limit(1)).one()
    if not fence:
        return SCHEDULED
    return AGAIN if windows is None else SHUT


def _urgent_goes_first(connection: Connection, provider: str) -> bool:
    """Say whether urgent messages of the same account are due, worked already or not."""
    query = select(BATCHES.c.id).where(
        BATCHES.c.provider.in_(accounts.sharing(connection, provider)),
        BATCHES.c.lane == Lane.URGENT,
        BATCHES.c.state.in_([BatchState.OPEN, BatchState.LEASED]),
        BATCHES.c.queued > 0,
        BATCHES.c.next_due_at <= now_ms(),
        accounts.account_is_open(BATCHES.c.provider),
        campaign_is_running(BATCHES.c.campaign_id),
    )
    return connection.execute(query.limit(1)).one_or_none() is not None


def _others_are_worked(connection: Connection, report: CampaignReport) -> bool:
    query = select(BATCHES.c.id).where(
        BATCHES.c.provider.in_(accounts.sharing(connection, report.provider)),
        BATCHES.c.lane == report.lane,
        BATCHES.c.state == BatchState.LEASED,
        BATCHES.c.campaign_id != report.id,
    )
    return connection.execute(query.limit(1)).one_or_none() is not None
