"""What is still to come of a campaign, in words: when it starts, what leaves when, and what waits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import click

from producer.cli.output import echo_table
from producer.cli.times import epoch_ms_of, iso_words, local_words, zone_shown
from worker.ledger.reports import DONE, CampaignReport
from worker.ledger.scheduled import Schedule
from worker.settings import Settings
from worker.states import OPEN_STATES, CampaignState, MessageState
from worker.text.counting import counted
from worker.timing.windows import Opening
from worker.timing.words import duration_words

_MINUTE_MS = 60_000
_LATE_MS = 1000
_SHOWN_PARTS = 3


def local_facts(facts: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Give a campaign, as JSON has it, with the zone in which a person reads its times."""
    return {**facts, "zone": zone_shown(settings, provider=facts["provider"], zone=facts["zone"])}


def is_kept(facts: Mapping[str, Any]) -> bool:
    """Say whether its gateway keeps messages of a campaign until their time."""
    given = sum(facts["counts"][state] for state in (MessageState.ACCEPTED, MessageState.UNKNOWN))
    return given > 0 and _is_ahead(facts["leaves_at"])


def state_words(facts: Mapping[str, Any]) -> str:
    """Write the state of a campaign: nothing is left here of what is done, but its gateway may keep it."""
    return "kept by its gateway" if facts["state"] == DONE and is_kept(facts) else str(facts["state"])


def ending_facts(facts: Mapping[str, Any]) -> dict[str, str | None]:
    """Say when a campaign ended, or about when it will, where anybody can."""
    at, zone = facts["ends_at"], facts["zone"]
    if facts["state"] == CampaignState.RUNNING:
        return {"ends": None if at is None else f"about {_local(at, zone)}"}
    return {} if is_kept(facts) else {"ended": iso_words(at, zone)}


def count_words(counts: Mapping[str, int]) -> str:
    """Write how many messages are in which state."""
    return ", ".join(f"{n} {name}" for name, n in counts.items() if n) or "empty"


def ahead_lines(schedule: Schedule, zone: str) -> list[str]:
    """Say what leaves when of a campaign that is followed, when it may leave, and how late the oldest is."""
    shut = schedule.opening is not None and schedule.opening.opens_at > schedule.now
    lines = [f"Leaves: {_parts(schedule, zone)}"] if schedule.parts else []
    if schedule.opening is not None:
        lines.append(f"Window ({zone}): {_opening_words(schedule.opening, zone)}")
    if schedule.lateness_ms > _LATE_MS and not shut:
        lines.append(f"The oldest that is due waits for {duration_words(_rounded(schedule.lateness_ms))}")
    return lines


def _parts(schedule: Schedule, zone: str) -> str:
    shown = [f"{n} at {local_words(at, zone)}" for at, n in schedule.parts[:_SHOWN_PARTS]]
    rest = schedule.n_later + sum(n for _, n in schedule.parts[_SHOWN_PARTS:])
    return ", ".join(shown) + (f", and {counted(rest, 'message')} later" if rest else "")


def _opening_words(opening: Opening, zone: str) -> str:
    until = "from then on" if opening.closes_at is None else f"until {local_words(opening.closes_at, zone)}"
    is_ahead = opening.opens_at > _now()
    return f"opens {local_words(opening.opens_at, zone)}, {until}" if is_ahead else f"open {until}"


def _rounded(ms: int) -> int:
    """Leave the seconds out where there are minutes."""
    return ms if ms < _MINUTE_MS else ms - ms % _MINUTE_MS


def due_facts(facts: Mapping[str, Any]) -> dict[str, str | None]:
    """Say of a campaign, as `campaign show --json` has it, when it goes on, and what waits since when."""
    next_due_at, opening = facts["next_due_at"], facts["next_opening"]
    shut = opening and epoch_ms_of(opening["opens_at"]) > _now()
    return {
        "starts" if _is_ahead(facts["starts_at"]) else "next": _ahead(next_due_at, facts["zone"]),
        "window": _opening_words(_opening(opening), facts["zone"]) if opening else None,
        "oldest waits": None if shut else _waits(facts),
    }


def _waits(facts: Mapping[str, Any]) -> str | None:
    """Say for how long the oldest that is due waits, and the rate, which is why where nothing else is."""
    if facts["lateness_s"] is None:
        return None
    goes = facts["state"] == CampaignState.RUNNING and not facts["reason"]
    at = f", at {facts['rate']}" if goes and facts["rate"] else ""
    return f"{duration_words(round(1000 * facts['lateness_s']))}{at}"


def _opening(facts: Mapping[str, str | None]) -> Opening:
    opens_at, closes_at = (at and epoch_ms_of(at) for at in (facts["opens_at"], facts["closes_at"]))
    return Opening(opens_at=opens_at or 0, closes_at=closes_at or None)


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
    return f"{'goes on' if has_begun else 'starts'} in {duration_words(_rounded(left_ms))}"


def _ahead(at: str | None, zone: str) -> str | None:
    return (
        None if at is None else f"{_local(at, zone)} (in {duration_words(max(epoch_ms_of(at) - _now(), 0))})"
    )


def _is_ahead(at: str | None) -> bool:
    return at is not None and epoch_ms_of(at) > _now()


def _local(at: str | None, zone: str) -> str:
    return "" if at is None else local_words(epoch_ms_of(at), zone)


def _now() -> int:
    return round(1000 * time.time())
