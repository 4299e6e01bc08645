"""What is reported of campaigns and their messages: plain values for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from producer.schedule.ending import ends_at
from worker.clock import instant
from worker.ledger import orders, reports, scheduled
from worker.ledger.cells import read
from worker.ledger.gone import has_number
from worker.ledger.reports import CampaignReport
from worker.ledger.unreported import n_unreported
from worker.providers import telling
from worker.settings import Settings
from worker.states import MessageState
from worker.text.pricing import Price

NO_NUMBER = "(removed)"
"""For people, in the place of a number that was erased or pruned; programs get null."""

_LATE_MS = 1000
MESSAGE_INSTANTS = ("due_at", "leave_by", "expires_at", "changed_at")


def iso(epoch_ms: int | None) -> str | None:
    """Write a ledger time as ISO 8601 in UTC, to the second."""
    return (
        None if epoch_ms is None else instant(epoch_ms).isoformat(timespec="seconds").replace("+00:00", "Z")
    )


def explained(report: CampaignReport, settings: Settings) -> CampaignReport:
    """Add what the ledger does not say: that a provider has no settings (any more), and what to do."""
    if report.is_interrupted:
        if report.series is not None:
            again = "the same `bulksend remind` puts it away and begins anew"
            return replace(report, reason=f"its import was interrupted: {again}", until=None)
        order = f"bulksend campaign {{}} {report.id}"
        finish, discard = (
            f"`{order.format('resume')}` finishes it",
            f"`{order.format('discard')}` puts it away",
        )
        return replace(report, reason=f"its import was interrupted: {finish}, {discard}", until=None)
    if report.is_provider_held and report.until is None:
        step = "correct it if it is yours to correct: what is queued goes on by itself"
        return replace(report, reason=f"{report.reason}; {step}")
    if report.reason or report.is_done or report.provider in settings.providers:
        return report
    return replace(report, reason=f"provider {report.provider} is not in {settings.source.name}")


def listed(report: CampaignReport) -> dict[str, Any]:
    """Give a campaign as the listing prints it."""
    return {
        "id": report.id,
        "name": report.name,
        "state": report.state,
        "reason": report.reason,
        "until": iso(report.until),
        "provider": report.provider,
        "lane": report.lane,
        "series": report.series,
        "created_at": iso(report.created_at),
        "starts_at": iso(report.due_at),
        "next_due_at": iso(report.next_due_at),
        "zone": report.zone,
        "leaves_at": iso(report.leaves_at),
        "counts": {state.value: n for state, n in report.counts.items()},
    }


def shown(connection: Connection, report: CampaignReport, settings: Settings) -> dict[str, Any]:
    """Give one campaign with its sums over the rows: what `campaign show --json` prints.

    ``parts`` and ``cost`` are of what was sent or may have been, with ``ordered_`` of all that was ordered.
    """
    (ordered_parts, ordered_cost), (parts, cost) = reports.sums(connection, report.id)
    silent_ms = round(1000 * settings.timers.patience)
    n_silent = n_unreported(connection, report.id, telling=telling(settings), silent_ms=silent_ms)
    return {
        **listed(report),
        "sender": report.sender,
        "purpose": report.purpose,
        "source": report.source,
        "rows": report.rows,
        "messages": report.messages,
        "duplicates": report.duplicates,
        "refused": report.refused,
        "skipped": report.skipped,
        "parts": parts,
        "cost": cost.render(),
        "ordered_parts": ordered_parts,
        "ordered_cost": ordered_cost.render(),
        "due_at": iso(report.due_at),
        "ends_at": iso(ends_at(connection, report, settings.providers.get(report.provider))),
        **_scheduled(connection, report),
        "no_report": n_silent,
        "no_report_after_s": settings.timers.patience,
        "pruned_at": iso(report.pruned_at),
        "codes": reports.codes(connection, report.id),
        "orders": [order_facts(each) for each in orders.of_campaign(connection, report.id)],
    }


def _scheduled(connection: Connection, report: CampaignReport) -> dict[str, Any]:
    """Give what is still to come of a campaign, since when the oldest that is due waits, at which rate."""
    found = scheduled.schedule_of(connection, report.id)
    opening = found.opening
    lateness_ms = 0 if report.is_done else found.lateness_ms
    return {
        "lateness_s": lateness_ms / 1000 if lateness_ms > _LATE_MS else None,
        "rate": report.rate or None,
        "next_opening": opening and {"opens_at": iso(opening.opens_at), "closes_at": iso(opening.closes_at)},
        "scheduled": [{"leaves_at": iso(at), "messages": n} for at, n in found.parts],
        "scheduled_later": found.n_later,
    }


def order_facts(order: Mapping[str, Any]) -> dict[str, Any]:
    """Give one line of who ordered what, and when."""
    return {"at": iso(order["at"]), **{name: order[name] for name in ("author", "what", "detail")}}


def number_of(recipient: str) -> str | None:
    """Return the recipient of a message; None where it was removed."""
    return recipient if has_number(recipient) else None


def message_shown(history: Mapping[str, Any]) -> dict[str, Any]:
    """Give one message's history as `message show --json` prints it; the price is of all its parts."""
    price = None
    if history["price_micros"] is not None:
        price = str(Price.of_micros(history["price_micros"], currency=history["currency"]))
    hidden = {"price_micros", "currency", "submission_id", "group_limit"}
    facts = {name: value for name, value in history.items() if name not in hidden}
    facts["cells"], facts["msisdn"] = read(facts["cells"]), number_of(facts["msisdn"])
    instants = {name: iso(facts[name]) for name in MESSAGE_INSTANTS}
    return {
        **facts,
        **instants,
        "price": price,
        "submissions": [_submission(s) for s in history["submissions"]],
        "reports": [_report(r) for r in history["reports"]],
    }


def _submission(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, **{name: iso(row[name]) for name in ("started_at", "ended_at", "taking_at")}}


def _report(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "received_at": iso(row["received_at"]), "told_at": iso(row["told_at"])}


def is_complete(report: CampaignReport) -> bool:
    """Say whether every message was accepted by the gateway, or better."""
    good = {MessageState.ACCEPTED, MessageState.DELIVERED}
    return report.is_done and all(n == 0 for state, n in report.counts.items() if state not in good)
