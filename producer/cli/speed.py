"""Speed in a few words: how fast something goes, how fast it may, and what it waits for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from worker.settings import rates_of
from worker.timing.local import clock_of

_EXACT_BELOW = 10  # a second: slower than that, tenths matter


def rate_words(facts: Mapping[str, Any]) -> str | None:
    """Write a provider's rate with what it counts, behind what leaves now where that is known."""
    if facts["unit"] is None:
        return None
    limit = f"{facts['rate']} ({facts['unit']})" if facts["rate"] else "no limit"
    if facts["per_second"] is None:
        return limit
    return f"{facts['per_second']}/s{' of' if facts['rate'] else ','} {limit}"


def connection_words(facts: Mapping[str, Any]) -> str:
    """Write how many connections a provider may have, behind how many are held where that is known."""
    known = (facts["connections_held"], facts["connections"])
    return " of ".join(str(n) for n in known if n is not None)


def pace_words(per_second: float, *, rate: str, unit: str) -> str:
    """Write how fast messages leave, and how fast they may: ``97/s of 100/s``, ``33/s of 100 parts/s``.

    Of several rates it is the one of the shortest time; an empty one is no limit.
    """
    pace = f"{per_second:.0f}/s" if per_second >= _EXACT_BELOW else f"{round(per_second, 1):g}/s"
    if not rate:
        return pace
    limit = rates_of(rate)[0]
    return f"{pace} of {limit.amount}{'' if unit == 'messages' else f' {unit}'}/{limit.window}"


def campaign_because(facts: Mapping[str, Any]) -> str | None:
    """Write why a campaign does not go on, and when it does in the zone of its times, if that is known."""
    reason: str | None = facts["reason"]
    if reason is None or facts["until"] is None:
        return reason
    at = datetime.fromisoformat(facts["until"]).astimezone(clock_of(facts["zone"]))
    is_today = at.date() == datetime.now(tz=at.tzinfo).date()
    clock = at.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S")
    return f"{reason}{',' if ':' in reason else ':'} next at {clock} {at.isoformat()[-6:]}"
