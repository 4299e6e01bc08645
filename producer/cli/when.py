"""When an order leaves, as a preview tells it: for programs, and in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from producer.cli.times import local_words
from producer.reports import iso
from producer.schedule.forecast import Stretch
from producer.schedule.plan import Odd, Plan
from worker.settings.hours import RECIPIENT
from worker.text.counting import counted
from worker.timing.local import Oddity

_SHOWN = 20
_TOLD = 1000
_ODD = {
    Oddity.GAP: "does not exist there: the clocks skip it; taken for",
    Oddity.TWICE: "comes twice there, as the clocks go back; taken for the first,",
}


def when_facts(plan: Plan) -> dict[str, Any]:
    """Give when an order leaves, as `preview --json` and `send --json` print it.

    ``starts_at`` is null where it begins at once; ``ends_at`` is at the provider's rate, null where it has
    none, and ``ends_at_is_latest`` where how many share a request is not known before. ``moved`` counts
    messages that a window has moved, ``overflow`` those that the rate does not let leave in their opening,
    ``expiring`` those whose validity ends before they can.
    """
    return {
        "starts_at": iso(plan.starts_at),
        "ends_at": iso(plan.forecast.ends_at),
        "ends_at_is_latest": plan.is_latest,
        "openings": [_opening(each) for each in plan.openings[:_TOLD]],
        "moved": plan.moved,
        "overflow": plan.forecast.overflow,
        "expiring": plan.forecast.expiring,
        "zone": plan.zone,
        "several_zones": plan.several,
        "oddities": [_odd(each, n) for each, n in plan.oddities.items()],
    }


def _opening(stretch: Stretch) -> dict[str, Any]:
    return {
        "starts_at": iso(stretch.first_at),
        "ends_at": iso(stretch.last_at),
        "closes_at": iso(stretch.closes_at),
        "messages": stretch.messages,
    }


def _odd(odd: Odd, n: int) -> dict[str, Any]:
    return {"local": odd.local, "zone": odd.zone, "what": odd.what, "at": iso(odd.at_ms), "messages": n}


def when_line(plan: Plan) -> str | None:
    """Say in a line when an order leaves; None where nothing does."""
    ends_at, ends = plan.forecast.ends_at, None
    if ends_at is not None:
        ends = local_words(ends_at, plan.shown_in)
        ends = f"{ends} at the latest" if plan.is_latest else f"about {ends}"
    if plan.kept_until is not None:
        return f"at {local_words(plan.kept_until, plan.shown_in)}, when the gateway lets it go"
    if plan.starts_at is None:
        return _at_once(plan, ends)
    starts = local_words(plan.starts_at, plan.shown_in)
    if plan.forecast.is_beyond:
        return f"from {starts}, for years"
    return f"from {starts} to {ends}" if ends else f"from {starts}"


def _at_once(plan: Plan, ends: str | None) -> str | None:
    if not plan.is_at_once:
        return None
    if plan.forecast.is_beyond:
        return "at once, for years"
    return f"at once, the last {ends}" if ends else "at once, as fast as the gateway answers (no rate is set)"


def when_sentences(plan: Plan) -> Iterator[str]:
    """Say what a person should know of the times: what they were moved for, and what was odd."""
    forecast, most = plan.forecast, "At most " if plan.is_latest else ""
    if plan.moved:
        yield f"{_n(plan.moved)} moved by {_movers(plan)}."
    if plan.gives_up is not None:
        yield _validity_words(*plan.gives_up, zone=plan.shown_in)
    if forecast.overflow:
        words = "too many for their opening at this rate: they wait for the next."
        yield f"{most}{_n(forecast.overflow)} {words}"
    if forecast.expiring:
        words = "likely to be given up: at this rate their validity ends before."
        yield f"{most}{_n(forecast.expiring)} {words}"
    if plan.zone == RECIPIENT and plan.starts_at is not None:
        yield "The time is that of each recipient's own clock, by the number."
    if plan.several:
        yield (
            f"{_n(plan.several)} for numbers whose country lies in several time zones: "
            "they leave only when it is right in all of them."
        )
    for odd, n in list(plan.oddities.items())[:_SHOWN]:
        taken = local_words(odd.at_ms, plan.shown_in)
        yield f"{odd.local} in {odd.zone} {_ODD[odd.what]} {taken} ({counted(n, 'message')})."


def _validity_words(first_at: int, last_at: int, *, zone: str) -> str:
    first, last = local_words(first_at, zone), local_words(last_at, zone)
    if first == last:
        return f"What could not leave until {first} is given up."
    return f"What could not leave in time is given up: the first of them at {first}, the last at {last}."


def _movers(plan: Plan) -> str:
    quiet = f"the quiet hours of {plan.quiet_of}"
    if plan.quiet_of is None:
        return "a window to when it opens"
    return f"a window or {quiet}" if plan.windows.open else f"{quiet} to when they end"


def opening_rows(plan: Plan) -> Iterator[list[object]]:
    """Give a table of what leaves in which opening, where there is more than one; twenty lines at most."""
    openings = plan.openings
    if len(openings) > 1:
        shown = _SHOWN if len(openings) <= _SHOWN else _SHOWN - 1
        for each in openings[:shown]:
            yield [*(local_words(at, plan.shown_in) for at in (each.first_at, each.last_at)), each.messages]
        if rest := openings[shown:]:
            yield [f"and {len(rest)} later", "", sum(each.messages for each in rest)]


def _n(n: int) -> str:
    return "1 message is" if n == 1 else f"{n} messages are"
