from datetime import UTC, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import ConfigError
from worker.timing.hours import Hours, hours_of, minutes_of, parse_hours, parse_weekdays, weekday_words

MINUTE = st.integers(0, 1439)
WEEKDAYS = st.frozensets(st.integers(0, 6), min_size=1)


@pytest.mark.parametrize(
    ("written", "opens", "closes", "printed"),
    [
        ("09:00-20:00", time(9), time(20), "09:00-20:00"),
        (" 9:00 - 20:00 ", time(9), time(20), "09:00-20:00"),
        ("9:00\N{EN DASH}20:00", time(9), time(20), "09:00-20:00"),
        ("22:00-06:00", time(22), time(6), "22:00-06:00"),
        ("18:30-24:00", time(18, 30), time(0), "18:30-24:00"),
        ("00:00-24:00", time(0), time(0), "00:00-24:00"),
    ],
)
def test_hours_are_read_and_written(written: str, opens: time, closes: time, printed: str) -> None:
    hours = parse_hours(written)

    assert hours == Hours(opens=opens, closes=closes)
    assert hours.written == printed


@pytest.mark.parametrize(
    "written", ["", "9-20", "09:00", "09:00-25:00", "24:00-09:00", "09:60-20:00", "09:00-24:01", "9am-8pm"]
)
def test_what_are_no_hours_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(ConfigError, match="like 09:00-20:00"):
        parse_hours(written)


@pytest.mark.parametrize("written", ["09:00-09:00", "00:00-00:00"])
def test_hours_that_are_nothing_or_everything_are_refused(written: str) -> None:
    with pytest.raises(ConfigError, match="00:00-24:00 for the whole day"):
        parse_hours(written)


@pytest.mark.parametrize(
    ("written", "days", "printed"),
    [
        ("mon-fri", {0, 1, 2, 3, 4}, "mon-fri"),
        ("Mon, Wed ,sat", {0, 2, 5}, "mon,wed,sat"),
        ("weekdays", {0, 1, 2, 3, 4}, "mon-fri"),
        ("weekend", {5, 6}, "sat,sun"),
        ("fri-mon", {4, 5, 6, 0}, "mon,fri-sun"),
        ("monday - wednesday, sunday", {0, 1, 2, 6}, "mon-wed,sun"),
        ("tue", {1}, "tue"),
        ("mon-sun", set(range(7)), "every day"),
        ("Every  day", set(range(7)), "every day"),
    ],
)
def test_weekdays_are_read_and_written(written: str, days: set[int], printed: str) -> None:
    weekdays = parse_weekdays(written)

    assert weekdays == days
    assert weekday_words(weekdays) == printed


@pytest.mark.parametrize("written", ["", "mo", "mon-", "mon,", "-fri", "mon-wed-fri", "1-5", "mandag"])
def test_what_are_no_weekdays_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(ConfigError, match="like mon-fri"):
        parse_weekdays(written)


@given(WEEKDAYS)
def test_weekdays_are_read_as_they_are_written(weekdays: frozenset[int]) -> None:
    assert parse_weekdays(weekday_words(weekdays)) == weekdays


def test_hours_for_people_name_the_days_unless_they_are_all() -> None:
    assert str(parse_hours("09:00-20:00")) == "09:00-20:00"
    assert str(parse_hours("09:00-20:00", weekdays=parse_weekdays("mon-fri"))) == "09:00-20:00 mon-fri"


@pytest.mark.parametrize(
    ("opens", "closes", "weekdays"),
    [
        (time(9, 0, 1), time(20), {0}),
        (time(9), time(20, tzinfo=UTC), {0}),
        (time(9), time(20), set()),
        (time(9), time(20), {7}),
    ],
)
def test_hours_that_cannot_be_written_are_refused(opens: time, closes: time, weekdays: set[int]) -> None:
    with pytest.raises(ValueError, match="whole minutes"):
        Hours(opens=opens, closes=closes, weekdays=frozenset(weekdays))


@given(MINUTE, MINUTE, WEEKDAYS)
def test_hours_are_the_minutes_from_their_opening_to_their_closing(
    opens: int, closes: int, weekdays: frozenset[int]
) -> None:
    hours = Hours(
        opens=time(opens // 60, opens % 60), closes=time(closes // 60, closes % 60), weekdays=weekdays
    )

    length = closes - opens + (1440 if closes <= opens else 0)
    expected = {(day * 1440 + opens + n) % 10_080 for day in weekdays for n in range(length)}
    assert {minute for minute, bit in enumerate(f"{minutes_of(hours):b}"[::-1]) if bit == "1"} == expected


@given(st.integers(0, 2**168 - 1))
def test_the_hours_of_some_minutes_hold_just_these(pattern: int) -> None:
    minutes = sum(((1 << 60) - 1) << (hour * 60) for hour in range(168) if pattern >> hour & 1)

    found = 0
    for hours in hours_of(minutes):
        found |= minutes_of(hours)
    assert found == minutes
