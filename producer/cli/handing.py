"""What is said of a schedule that is handed to a gateway: what no longer holds it back, and what is late."""

from __future__ import annotations

import math
import time

from producer.cli.times import is_over, time_words, zone_of_country
from producer.preview import Order, Preview
from worker.ledger.kept import Late
from worker.ledger.reports import CampaignReport
from worker.states import CampaignState, MessageState
from worker.taking import ahead_s
from worker.text.counting import counted

_GIVEN = (MessageState.SUBMITTING, MessageState.ACCEPTED, MessageState.UNKNOWN)


def handing_over(order: Order, *, leaves_at: int) -> str:
    """Say what it means to give the gateway an order now."""
    back = _taking_back(ahead_s(order.account.capabilities), leaves_at=leaves_at)
    return (
        f"The gateway is given this at once and keeps it until {time_words(leaves_at, _zone(order))}: "
        f"a pause cannot hold back what it keeps; {back}."
    )


def _zone(order: Order) -> str:
    """Return the zone in which its times are read."""
    return zone_of_country(order.country or order.account.provider.country)


def _taking_back(least_s: float | None, *, leaves_at: int) -> str:
    """Say until when the gateway gives it back."""
    if least_s is None:
        return "nothing takes it back"
    if is_over(leaves_at - round(1000 * least_s)):
        return f"nothing takes it back any more: that ends {least_s / 60:.0f} minutes before"
    ahead = f"until {least_s / 60:.0f} minutes before" if least_s else "until then"
    return f"`bulksend campaign cancel` takes it back {ahead}"


def slow_words(order: Order, found: Preview) -> str | None:
    """Say that handing over lasts beyond the time, at the rate of the settings; None when it need not."""
    if order.leaves_at is None:
        return None
    account = order.account
    n = found.units
    lasts_s = max(  # the first window's worth leaves within it, however long it is
        ((math.ceil(n / rate.amount) - 1) * rate.window_s for rate in account.provider.rate), default=0
    )
    ends_at = round(1000 * (time.time() + lasts_s))
    if ends_at <= order.leaves_at:
        return None
    ends = time_words(ends_at, _zone(order))
    return (
        f"At the rate of {account.name}, handing over lasts until {ends} or longer, beyond the time itself: "
        "what the gateway is given later leaves late"
    )


def late_words(report: CampaignReport, *, zone: str) -> str | None:
    """Say that what is queued of a campaign has missed its time; None when it has not."""
    n_queued = report.counts[MessageState.QUEUED]
    if not n_queued or report.leaves_at is None or not is_over(report.leaves_at):
        return None
    return _late_words(report.leaves_at, n=n_queued, zone=zone)


def late_words_of(late: Late, *, zone: str) -> str:
    """Say what leaves late as soon as its provider is open."""
    return _late_words(late.since, n=late.n, zone=zone)


def _late_words(leaves_at: int, *, n: int, zone: str) -> str:
    are = counted(n, "message", verb="is")
    return f"They were to leave at {time_words(leaves_at, zone)}: {are} queued and late"


def kept_words(report: CampaignReport) -> str | None:
    """Say that the gateway keeps of a campaign what no pause holds back; None when it keeps nothing."""
    is_given = any(report.counts[state] for state in _GIVEN)
    is_kept = is_given and report.leaves_at is not None and not is_over(report.leaves_at)
    if not is_kept or report.state == CampaignState.CANCELLED:
        return None
    return (
        "What its gateway keeps until its time is not held back by a pause: "
        f"`bulksend campaign cancel {report.id}` takes back what it gives back"
    )
