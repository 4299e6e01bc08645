import json
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.timing.slow_windows import MINUTE_MS, minutes_inside
from worker.errors import ConfigError
from worker.timing.windows import (
    EVERY_DAY,
    Hours,
    Opening,
    Windows,
    parse_hours,
    parse_weekdays,
)
from worker.timing.zones import zones_of_region

COPENHAGEN = ("Europe/Copenhagen",)
DAY_MIN = 1440
DAY_MS = DAY_MIN * MINUTE_MS


def ms(utc: str) -> int:
    return (datetime.fromisoformat(f"{utc}Z") - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def windows(*hours: str, quiet: str = "", days: str = "every day") -> Windows:
    weekdays = parse_weekdays(days)
    return Windows(
        open=tuple(parse_hours(written, weekdays=weekdays) for written in hours),
        quiet=(parse_hours(quiet),) if quiet else (),
    )


def opening(given_windows: Windows, utc: str, zones: tuple[str, ...] = COPENHAGEN) -> tuple[int, int | None]:
    found = given_windows.opening(ms(utc), zones)
    assert found is not None
    return found.opens_at, found.closes_at


def between(opens: str, closes: str) -> tuple[int, int]:
    return ms(opens), ms(closes)


# By hand: one line per rule


@pytest.mark.parametrize(
    ("utc", "opens", "closes"),
    [
        ("2027-01-27T07:00", "2027-01-27T08:00", "2027-01-27T19:00"),  # before it
        ("2027-01-27T08:00", "2027-01-27T08:00", "2027-01-27T19:00"),  # its first instant
        ("2027-01-27T12:34:56.789", "2027-01-27T12:34:56.789", "2027-01-27T19:00"),  # inside
        ("2027-01-27T18:59:59.999", "2027-01-27T18:59:59.999", "2027-01-27T19:00"),
        ("2027-01-27T19:00", "2027-01-28T08:00", "2027-01-28T19:00"),  # its end is outside
        ("2028-02-28T20:00", "2028-02-29T08:00", "2028-02-29T19:00"),  # a leap day
        ("2027-03-27T20:00", "2027-03-28T07:00", "2027-03-28T18:00"),  # summer begins
        ("2027-10-30T20:00", "2027-10-31T08:00", "2027-10-31T19:00"),
    ],
)
def test_the_opening_holds_the_moment_or_is_the_next(utc: str, opens: str, closes: str) -> None:
    assert opening(windows("09:00-20:00"), utc) == between(opens, closes)


def test_weekdays_are_those_of_the_opening() -> None:
    night = windows("22:00-06:00", days="fri")

    assert opening(night, "2027-01-27T12:00") == between("2027-01-29T21:00", "2027-01-30T05:00")
    assert opening(night, "2027-01-30T04:00") == between("2027-01-30T04:00", "2027-01-30T05:00")


def test_sunday_night_runs_into_monday() -> None:
    found = opening(windows("22:00-06:00", days="sun"), "2027-02-01T01:00")

    assert found == between("2027-02-01T01:00", "2027-02-01T05:00")


@pytest.mark.parametrize(
    ("zone", "utc", "opens", "closes"),
    [
        (
            "America/New_York",
            "2027-02-01T00:30",
            "2027-02-01T00:30",
            "2027-02-01T01:00",
        ),  # still Sunday there
        ("Pacific/Auckland", "2027-01-31T20:30", "2027-01-31T20:30", "2027-02-01T07:00"),  # Monday already
        ("Pacific/Kiritimati", "2027-01-31T10:00", "2027-01-31T19:00", "2027-02-01T06:00"),
    ],
)
def test_a_week_begins_when_it_does_there(zone: str, utc: str, opens: str, closes: str) -> None:
    assert opening(windows("09:00-20:00"), utc, (zone,)) == between(opens, closes)


def test_quiet_hours_are_taken_out_of_open_ones() -> None:
    found = opening(windows("09:00-20:00", quiet="12:00-13:00"), "2027-01-27T09:00")

    assert found == between("2027-01-27T09:00", "2027-01-27T11:00")


def test_quiet_hours_alone_leave_the_rest_open() -> None:
    found = opening(windows(quiet="21:00-08:00"), "2027-01-27T22:00")

    assert found == between("2027-01-28T07:00", "2027-01-28T20:00")


def test_hours_that_meet_are_one_stretch() -> None:
    found = opening(windows("09:00-12:00", "12:00-24:00", "00:00-03:00"), "2027-01-27T09:00")

    assert found == between("2027-01-27T09:00", "2027-01-28T02:00")


@pytest.mark.parametrize(
    "always",
    [
        Windows(),
        windows("00:00-24:00"),
        windows("00:00-12:00", "12:00-24:00"),
        windows("22:00-21:00", "21:00-22:00"),
    ],
)
@pytest.mark.parametrize("zone", ["Europe/Copenhagen", "America/Havana", "Atlantic/Azores"])  # midnight twice
def test_what_never_closes_never_closes_when_the_clocks_change_either(always: Windows, zone: str) -> None:
    for utc in ("2027-01-27T12:00", "2027-10-31T00:30", "2027-11-07T04:30"):
        assert always.opening(ms(utc), (zone,)) == Opening(opens_at=ms(utc), closes_at=None)


def test_all_day_on_some_days_closes_at_midnight() -> None:
    found = opening(windows("00:00-24:00", days="mon-fri"), "2027-01-27T12:00")

    assert found == between("2027-01-27T12:00", "2027-01-29T23:00")


def test_a_window_in_two_zones_is_what_both_have() -> None:
    found = opening(windows("09:00-20:00"), "2027-01-27T00:00", ("America/New_York", "America/Los_Angeles"))

    assert found == between("2027-01-27T00:00", "2027-01-27T01:00")
    assert opening(
        windows("09:00-20:00"), "2027-01-27T01:00", ("America/New_York", "America/Los_Angeles")
    ) == (between("2027-01-27T17:00", "2027-01-28T01:00"))


def test_zones_that_share_no_hour_have_no_opening() -> None:
    assert windows("09:00-17:00").opening(ms("2027-01-27T00:00"), zones_of_region("RU")) is None


def test_where_nobody_knows_the_zone_only_no_window_at_all_is_open() -> None:
    assert windows("00:00-24:00").opening(0, ()) is None
    assert Windows().opening(0, ()) == Opening(opens_at=0, closes_at=None)


@pytest.mark.parametrize(
    ("hours", "zone", "utc", "opens", "closes"),
    [
        # 02:00 to 03:00 is skipped on 28 March: what lies in it is 01:00 UTC
        ("02:30-20:00", "Europe/Copenhagen", "2027-03-28T00:00", "2027-03-28T01:00", "2027-03-28T18:00"),
        ("00:30-02:30", "Europe/Copenhagen", "2027-03-27T22:00", "2027-03-27T23:30", "2027-03-28T01:00"),
        ("02:15-02:45", "Europe/Copenhagen", "2027-03-28T00:00", "2027-03-29T00:15", "2027-03-29T00:45"),
        # 02:00 to 03:00 comes twice on 31 October: it opens at the second and closes at the first
        ("02:30-20:00", "Europe/Copenhagen", "2027-10-30T23:00", "2027-10-31T01:30", "2027-10-31T19:00"),
        ("00:30-02:30", "Europe/Copenhagen", "2027-10-30T22:00", "2027-10-30T22:30", "2027-10-31T00:30"),
        ("02:15-02:45", "Europe/Copenhagen", "2027-10-30T22:00", "2027-11-01T01:15", "2027-11-01T01:45"),
        ("01:30-03:30", "Europe/Copenhagen", "2027-10-30T22:00", "2027-10-30T23:30", "2027-10-31T02:30"),
        ("01:45-09:00", "Australia/Lord_Howe", "2027-04-03T14:00", "2027-04-03T15:15", "2027-04-03T22:30"),
        ("02:10-09:00", "Australia/Lord_Howe", "2027-10-02T15:00", "2027-10-02T15:30", "2027-10-02T22:00"),
        ("00:00-09:00", "America/Sao_Paulo", "2018-11-04T02:30", "2018-11-04T03:00", "2018-11-04T11:00"),
        ("09:00-20:00", "Pacific/Apia", "2011-12-30T09:00", "2011-12-30T19:00", "2011-12-31T06:00"),
    ],
)
def test_a_change_of_the_clocks_makes_a_window_narrower(
    hours: str, zone: str, utc: str, opens: str, closes: str
) -> None:
    assert opening(windows(hours), utc, (zone,)) == between(opens, closes)


def test_hours_on_both_sides_of_a_gap_are_one_stretch() -> None:
    found = opening(windows("00:30-02:00", "03:00-05:00"), "2027-03-28T00:00")

    assert found == between("2027-03-28T00:00", "2027-03-28T03:00")


def test_an_opening_is_looked_for_over_14_days() -> None:
    sundays = windows("02:15-02:45", days="sun")  # skipped on 28 March

    assert opening(sundays, "2027-03-21T02:00") == between("2027-04-04T00:15", "2027-04-04T00:45")
    assert sundays.opening(ms("2027-03-21T00:14"), COPENHAGEN) == Opening(
        opens_at=ms("2027-03-21T01:15"), closes_at=ms("2027-03-21T01:45")
    )


def test_an_opening_after_more_than_14_days_is_none() -> None:
    sundays = windows("02:15-02:45", days="sun")  # comes twice on 31 October, so that nothing of it is sure

    assert opening(sundays, "2027-10-24T01:15") == between("2027-11-07T01:15", "2027-11-07T01:45")
    assert sundays.opening(ms("2027-10-24T01:14"), COPENHAGEN) is None


def test_a_window_that_lasts_almost_a_week_closes() -> None:
    found = opening(windows(quiet="03:00-03:01"), "2027-01-27T12:00")

    assert found == between("2027-01-27T12:00", "2027-01-28T02:00")
    week = Windows(quiet=(parse_hours("03:00-03:01", weekdays=parse_weekdays("wed")),))
    assert opening(week, "2027-01-27T02:01") == between("2027-01-27T02:01", "2027-02-03T02:00")


# Values


def test_windows_are_written_and_read_as_json() -> None:
    given_windows = windows("09:00-20:00", days="mon-fri", quiet="12:00-13:00")

    assert json.loads(given_windows.to_json()) == {
        "open": [{"hours": "09:00-20:00", "weekdays": "mon-fri"}],
        "quiet": [{"hours": "12:00-13:00", "weekdays": "every day"}],
    }
    assert Windows.from_json(given_windows.to_json()) == given_windows


def test_the_order_and_repetition_of_hours_does_not_matter() -> None:
    assert windows("14:00-20:00", "09:00-12:00") == windows("09:00-12:00", "14:00-20:00", "09:00-12:00")
    assert windows("14:00-20:00", "09:00-12:00").to_json() == windows("09:00-12:00", "14:00-20:00").to_json()


@pytest.mark.parametrize(
    "written",
    [
        "",
        "[]",
        "{}",
        '{"open": [], "quiet": 1}',
        '{"open": [{"hours": "9-20", "weekdays": "mon"}], "quiet": []}',
    ],
)
def test_json_that_are_no_windows_is_refused(written: str) -> None:
    with pytest.raises(ConfigError, match="windows cannot be read"):
        Windows.from_json(written)


def test_windows_know_whether_they_are_always_or_never_open() -> None:
    assert Windows().is_always
    assert windows("00:00-24:00").is_always
    assert windows("09:00-20:00", quiet="20:00-09:00").is_always is False
    assert windows("09:00-20:00", quiet="08:00-21:00").is_never


# Laws

MINUTES = st.integers(0, DAY_MIN // 5 - 1).map(lambda n: time(n * 5 // 60, n * 5 % 60))
SOME_HOURS = st.builds(
    Hours,
    opens=MINUTES,
    closes=MINUTES,
    weekdays=st.just(EVERY_DAY) | st.frozensets(st.integers(0, 6), min_size=1),
).filter(lambda hours: hours.opens != hours.closes)
WINDOWS = st.builds(
    Windows,
    open=st.lists(SOME_HOURS, max_size=2).map(tuple),
    quiet=st.lists(SOME_HOURS, max_size=2).map(tuple),
)
PLACES = st.sampled_from(
    [  # zones, and the day of UTC of a change of their clocks, or none
        (("Europe/Copenhagen",), "2027-03-28T00:00"),
        (("Europe/Copenhagen",), "2027-10-31T00:00"),
        (("Europe/Copenhagen",), "2028-02-29T00:00"),
        (("America/New_York",), "2027-03-14T06:00"),
        (("America/New_York", "America/Los_Angeles"), "2027-11-07T06:00"),
        (("Australia/Lord_Howe",), "2027-04-03T15:00"),
        (("Australia/Lord_Howe", "Australia/Perth"), "2027-10-02T15:00"),
        (("Pacific/Apia",), "2011-12-30T10:00"),
        (("Africa/Casablanca",), "2027-02-07T02:00"),
        (("Africa/Casablanca",), "2027-03-14T02:00"),
        (("America/Sao_Paulo", "America/Noronha"), "2018-11-04T03:00"),
        (("America/Sao_Paulo",), "2018-02-18T02:00"),
        (("America/Havana",), "2027-11-07T05:00"),
        (("Atlantic/Azores", "Europe/Lisbon"), "2027-10-31T01:00"),
        (("Asia/Kathmandu",), "2027-06-01T00:00"),
    ]
)
LOOKED_AT = 3 * DAY_MIN


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(WINDOWS, PLACES, st.integers(-2 * DAY_MIN, DAY_MIN))
def test_the_opening_is_what_the_clocks_on_the_walls_say_minute_by_minute(
    some: Windows, place: tuple[tuple[str, ...], str], minutes: int
) -> None:
    zones, change = place
    at_ms = ms(change) + minutes * MINUTE_MS
    inside = minutes_inside(some, at_ms, LOOKED_AT, zones)

    found = some.opening(at_ms, zones)

    start = inside.index(True) if True in inside else None
    if start is None:
        assert found is None or found.opens_at >= at_ms + LOOKED_AT * MINUTE_MS
        return
    end = inside.index(False, start) if False in inside[start:] else None
    assert found is not None
    assert found.opens_at == at_ms + start * MINUTE_MS
    if end is None:
        assert found.closes_at is None or found.closes_at >= at_ms + LOOKED_AT * MINUTE_MS
    else:
        assert found.closes_at == at_ms + end * MINUTE_MS


@settings(deadline=None)
@given(WINDOWS, PLACES, st.integers(-20 * DAY_MS, 20 * DAY_MS))
def test_an_opening_is_never_before_the_moment_and_openings_follow_one_another(
    some: Windows, place: tuple[tuple[str, ...], str], offset_ms: int
) -> None:
    zones, at_ms = place[0], ms(place[1]) + offset_ms

    found = some.opening(at_ms, zones)

    if found is not None:
        assert at_ms <= found.opens_at <= at_ms + 14 * DAY_MS
        assert found == some.opening(found.opens_at, zones)
        if found.closes_at is not None:
            assert found.opens_at < found.closes_at
            after = some.opening(found.closes_at, zones)
            assert after is None or after.opens_at > found.closes_at


@settings(deadline=None)
@given(WINDOWS, PLACES, st.integers(-20 * DAY_MS, 20 * DAY_MS))
def test_an_opening_asked_for_from_further_back_is_the_same(
    some: Windows, place: tuple[tuple[str, ...], str], offset_ms: int
) -> None:
    zones, at_ms = place[0], ms(place[1]) + offset_ms

    found = some.opening(at_ms, zones)

    earlier = some.opening(at_ms - 6 * DAY_MS, zones)
    if earlier is not None and earlier.opens_at >= at_ms:
        assert found == earlier


@settings(deadline=None)
@given(WINDOWS, WINDOWS)
def test_combined_windows_are_open_when_both_are(one: Windows, other: Windows) -> None:
    both = one.combined(other)

    zones, at_ms = ("UTC",), ms("2027-01-25T00:00")
    expected = zip(
        minutes_inside(one, at_ms, 1_500, zones), minutes_inside(other, at_ms, 1_500, zones), strict=True
    )
    assert minutes_inside(both, at_ms, 1_500, zones) == [all(pair) for pair in expected]


def test_windows_that_share_nothing_are_never_open_together() -> None:
    both = windows("09:00-12:00").combined(windows("13:00-20:00"))

    assert both.is_never
    assert both.opening(ms("2027-01-27T00:00"), COPENHAGEN) is None


@given(WINDOWS)
def test_windows_are_read_as_they_are_written(some: Windows) -> None:
    assert Windows.from_json(some.to_json()) == some
