"""What is still to come of a campaign, in words: when it starts, what leaves when, and what waits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from producer.cli.output import echo_table
from producer.cli.times import local_words
from worker.ledger.reports import CampaignReport
from worker.settings.hours import RECIPIENT
from worker.states import OPEN_STATES, CampaignState
from worker.timing.words import duration_words

_MINUTE_MS = 60_000


def due_facts(facts: Mapping[str, Any]) -> dict[str, str | None]:
    """Say of a campaign, as `campaign show --json` has it, when it goes on, and what waits since when."""
    next_due_at, opening = facts["next_due_at"], facts["next_opening"]
    shut = opening and _ms(opening["opens_at"]) > _now()
    return {
        "starts" if _is_ahead(facts["starts_at"]) else "next": _ahead(next_due_at, facts["zone"]),
        "window": _shown(opening, facts["zone"]) if opening else None,
        "oldest waits": None if shut else _waits(facts),
    }


def _waits(facts: Mapping[str, Any]) -> str | None:
    """Say for how long the oldest that is due waits, and the rate, which is why where nothing else is."""
    if facts["lateness_s"] is None:
        return None
    goes = facts["state"] == CampaignState.RUNNING and not facts["reason"]
    at = f", at {facts['rate']}" if goes and facts["rate"] else ""
    return f"{duration_words(round(1000 * facts['lateness_s']))}{at}"


def _shown(opening: Mapping[str, str | None], zone: str | None) -> str:
    opens_at, closes_at = opening["opens_at"], opening["closes_at"]
    until = f"until {_local(closes_at, zone)}" if closes_at else "from then on"
    if opens_at and _ms(opens_at) > _now():
        return f"opens {_local(opens_at, zone)}, {until}"
    return f"open {until}"


def echo_scheduled(facts: Mapping[str, Any]) -> None:
    """Print what leaves when, where that is not all at one time."""
    parts, n_later = facts["scheduled"], facts["scheduled_later"]
    if len(parts) > 1 or n_later:
        click.echo()
        rows = [[_local(each["leaves_at"], facts["zone"]), each["messages"]] for each in parts]
        echo_table(["leaves at", "messages"], [*rows, *([["later", n_later]] if n_later else [])])


def goes_on(facts: Mapping[str, Any]) -> str | None:
    """Say of a campaign of the listing when it goes on, where that is known."""
    return _local(facts["until"], facts["zone"]) or None


def countdown(report: CampaignReport) -> str | None:
    """Say in how long a campaign goes on of which nothing is due now: ``starts in 2 h 10 min``."""
    at = report.next_due_at
    left_ms = 0 if at is None else at - _now()
    is_waiting = report.state == CampaignState.RUNNING and not report.is_provider_held
    if left_ms <= 0 or not is_waiting or (report.until is not None and report.until != at):
        return None
    has_begun = report.messages > sum(report.counts[state] for state in OPEN_STATES)
    round_ms = left_ms if left_ms < _MINUTE_MS else left_ms - left_ms % _MINUTE_MS
    return f"{'goes on' if has_begun else 'starts'} in {duration_words(round_ms)}"


def _ahead(at: str | None, zone: str | None) -> str | None:
    return None if at is None else f"{_local(at, zone)} (in {duration_words(max(_ms(at) - _now(), 0))})"


def _is_ahead(at: str | None) -> bool:
    return at is not None and _ms(at) > _now()


def _local(at: str | None, zone: str | None) -> str:
    return "" if at is None else local_words(_ms(at), "UTC" if zone in {None, RECIPIENT} else str(zone))


def _ms(at: str) -> int:
    return round(1000 * datetime.fromisoformat(at).timestamp())


def _now() -> int:
    return round(1000 * time.time())
