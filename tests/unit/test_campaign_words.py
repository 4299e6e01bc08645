"""A campaign in words: what was sent of what was ordered, and what its gateway keeps."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from producer.cli.campaign import sum_facts
from producer.cli.scheduled import ending_facts, state_words


def test_what_was_sent_is_told_beside_what_was_ordered() -> None:
    facts = {
        "parts": 40,
        "ordered_parts": 400,
        "cost": {"DKK": "14.00"},
        "ordered_cost": {"DKK": "140.00"},
    }

    assert sum_facts(facts) == {
        "parts": "40 sent, of 400 ordered",
        "cost": "14.00 DKK for what was sent, of 140.00 DKK ordered",
    }


def test_what_was_sent_is_told_once_where_that_was_all() -> None:
    facts = {"parts": 2, "ordered_parts": 2, "cost": {"DKK": "0.70"}, "ordered_cost": {"DKK": "0.70"}}

    assert sum_facts(facts) == {"parts": "2", "cost": "0.70 DKK"}


def kept(*, accepted: int, hours: float, state: str = "done") -> dict[str, Any]:
    leaves_at = datetime.now(tz=UTC) + timedelta(hours=hours)
    return {
        "state": state,
        "counts": {"accepted": accepted, "unknown": 0, "cancelled": 3 - accepted},
        "leaves_at": leaves_at.isoformat(timespec="seconds"),
        "ends_at": "2026-11-22T20:00:00Z",
        "zone": "Europe/Copenhagen",
    }


ENDED = {"ended": "2026-11-22 21:00:00 +01:00"}


@pytest.mark.parametrize(
    ("facts", "state", "ending"),
    [
        (kept(accepted=3, hours=1), "kept by its gateway", {}),
        (kept(accepted=0, hours=1), "done", ENDED),
        (kept(accepted=3, hours=-1), "done", ENDED),
        (kept(accepted=0, hours=1, state="cancelled"), "cancelled", ENDED),
        (kept(accepted=0, hours=1, state="running"), "running", {"ends": "about 2026-11-22 21:00 +01:00"}),
    ],
)
def test_what_its_gateway_keeps_has_not_ended(
    facts: dict[str, Any], state: str, ending: dict[str, str]
) -> None:
    assert (state_words(facts), ending_facts(facts)) == (state, ending)
