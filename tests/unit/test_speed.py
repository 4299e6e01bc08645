from datetime import UTC, datetime
from typing import Any

import pytest

from producer.cli.scheduled import due_facts, goes_on
from producer.cli.speed import campaign_because, connection_words, pace_words, rate_words


@pytest.mark.parametrize(
    ("per_second", "rate", "unit", "words"),
    [
        (97.4, "100/s", "messages", "97/s of 100/s"),
        (33.3, "100/s", "parts", "33/s of 100 parts/s"),
        (9.96, "10/s", "requests", "10/s of 10 requests/s"),
        (0.1, "5/min", "messages", "0.1/s of 5/min"),
        (0, "50/s, 10000/day", "messages", "0/s of 50/s"),
        (12.5, "", "parts", "12/s"),
    ],
)
def test_a_pace_stands_beside_the_limit(per_second: float, rate: str, unit: str, words: str) -> None:
    assert pace_words(per_second, rate=rate, unit=unit) == words


@pytest.mark.parametrize(
    ("per_second", "rate", "unit", "words"),
    [
        (48, "50/s", "parts", "48/s of 50/s (parts)"),
        (0, "50/s, 10000/day", "messages", "0/s of 50/s, 10000/day (messages)"),
        (None, "50/s", "parts", "50/s (parts)"),
        (48, None, "parts", "48/s, no limit"),
        (None, None, "parts", "no limit"),
        (None, None, None, None),
    ],
)
def test_a_rate_stands_behind_what_leaves(
    per_second: int | None, rate: str | None, unit: str | None, words: str | None
) -> None:
    assert rate_words({"per_second": per_second, "rate": rate, "unit": unit}) == words


@pytest.mark.parametrize(
    ("held", "most", "words"), [(3, 16, "3 of 16"), (None, 16, "16"), (3, None, "3"), (None, None, "")]
)
def test_connections_stand_behind_those_that_are_held(held: int | None, most: int | None, words: str) -> None:
    assert connection_words({"connections_held": held, "connections": most}) == words


def facts(reason: str | None, until: datetime | None) -> dict[str, Any]:
    written = until and until.isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"reason": reason, "until": written, "zone": "UTC"}


@pytest.mark.parametrize("reason", [None, "wrong text"])
def test_a_reason_without_an_end_is_told_as_it_is(reason: str | None) -> None:
    assert campaign_because(facts(reason, None)) == reason


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("100/min is used up", "100/min is used up: next at "),
        ("it is away: check base_url", "it is away: check base_url, next at "),
    ],
)
def test_a_reason_that_ends_is_told_with_the_local_time(reason: str, words: str) -> None:
    midday = datetime.now(tz=UTC).replace(hour=12, minute=0, second=31)

    assert campaign_because(facts(reason, midday)) == f"{words}12:00:31 +00:00"


def test_a_time_of_another_day_is_told_with_the_day() -> None:
    until = datetime(2031, 5, 17, 9, 30, tzinfo=UTC)

    because = campaign_because(facts("1000/day is used up", until))
    assert because == "1000/day is used up: next at 2031-05-17 09:30:00 +00:00"


@pytest.mark.parametrize(
    ("zone", "words"),
    [("Asia/Tokyo", "2031-05-17 18:30:00 +09:00"), ("America/New_York", "2031-05-17 05:30:00 -04:00")],
)
def test_the_time_of_a_scheduled_campaign_is_of_its_zone(zone: str, words: str) -> None:
    told = facts("it is scheduled", datetime(2031, 5, 17, 9, 30, tzinfo=UTC))

    assert campaign_because({**told, "zone": zone}) == f"it is scheduled: next at {words}"


@pytest.mark.parametrize(
    ("until", "words"), [("2131-05-17T09:30:00Z", "2131-05-17 18:30 +09:00"), (None, None)]
)
def test_the_list_tells_when_a_campaign_goes_on_in_its_zone(until: str | None, words: str | None) -> None:
    assert goes_on({"until": until, "zone": "Asia/Tokyo"}) == words


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "25 s, at 4/s"),
        ({"rate": None}, "25 s"),
        ({"lateness_s": None}, None),
        ({"reason": "urgent work goes first"}, "25 s"),
        ({"state": "paused", "reason": "the text is wrong"}, "25 s"),
        ({"next_opening": {"opens_at": "2300-01-01T00:00:00Z", "closes_at": None}}, None),
    ],
)
def test_what_waits_for_the_rate_is_not_called_late(facts: dict[str, Any], words: str | None) -> None:
    known = dict.fromkeys(("next_due_at", "next_opening", "starts_at", "reason"))
    running = {**known, "zone": "UTC", "state": "running", "lateness_s": 25.0, "rate": "4/s"}

    assert due_facts({**running, **facts})["oldest waits"] == words
