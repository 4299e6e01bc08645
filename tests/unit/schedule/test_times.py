from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from producer.schedule.times import Times, times_of
from worker.timing.windows import Hours, Windows

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
NOW_MS = round(1000 * datetime(2027, 3, 1, tzinfo=UTC).timestamp())
ZONES = ("Europe/Copenhagen", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia")
ALWAYS = Windows()
OFFICE = Windows(open=(Hours(opens=time(9), closes=time(20)),))

starts = st.integers(-DAY_MS, 300 * DAY_MS).map(lambda ahead_ms: NOW_MS + ahead_ms)
clocks = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
weekdays = st.frozensets(st.integers(0, 6), min_size=1)
hours = st.builds(Hours, opens=clocks, closes=clocks, weekdays=weekdays)
windows = st.builds(
    Windows, open=st.lists(hours, max_size=2).map(tuple), quiet=st.lists(hours, max_size=1).map(tuple)
)
zones = st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True).map(tuple)


def ms(written: str, zone: str = "Europe/Copenhagen") -> int:
    return round(1000 * datetime.fromisoformat(written).replace(tzinfo=ZoneInfo(zone)).timestamp())


def is_in(each: Hours, local: datetime) -> bool:
    """Look at a clock on the wall: is it within some hours, of this day or of the day before?"""
    minute, opens, closes = (at.hour * 60 + at.minute for at in (local, each.opens, each.closes))
    if closes > opens:
        return opens <= minute < closes and local.weekday() in each.weekdays
    of_today = minute >= opens and local.weekday() in each.weekdays
    return of_today or (minute < closes and (local.weekday() - 1) % 7 in each.weekdays)


def is_inside(at_ms: int, found: Windows, places: tuple[str, ...]) -> bool:
    for place in places:
        local = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(place))
        is_open = not found.open or any(is_in(each, local) for each in found.open)
        if not is_open or any(is_in(each, local) for each in found.quiet):
            return False
    return True


@settings(max_examples=300, deadline=None)
@given(starts, zones, windows, st.none() | st.integers(1, 3 * DAY_MS), st.integers(0, 30 * HOUR_MS))
def test_it_is_never_early_and_never_outside(
    start_ms: int, places: tuple[str, ...], found: Windows, validity_ms: int | None, turn_ms: int
) -> None:
    times = times_of(
        start_ms,
        zones=places,
        windows=found,
        now_ms=NOW_MS,
        validity_ms=validity_ms,
        turn_ms=turn_ms,
    )

    assume(times is not None)
    assert times is not None
    assert times.due_at >= max(start_ms, NOW_MS) + turn_ms
    assert is_inside(times.due_at, found, places)
    assert times.expires_at == (None if validity_ms is None else times.due_at + validity_ms)
    if times.leave_by is not None:
        assert times.due_at < times.leave_by
        assert is_inside(times.leave_by - 1, found, places)


@settings(max_examples=50, deadline=None)
@given(starts, zones, windows)
def test_there_is_no_opening_only_where_none_comes_within_a_fortnight(
    start_ms: int, places: tuple[str, ...], found: Windows
) -> None:
    times = times_of(start_ms, zones=places, windows=found, now_ms=NOW_MS)

    from_ms = max(start_ms, NOW_MS)
    until_ms = from_ms + 14 * DAY_MS if times is None else times.due_at
    on_the_hour = range(from_ms, until_ms, 7 * MINUTE_MS)
    assert not any(is_inside(at_ms, found, places) for at_ms in on_the_hour)


@settings(max_examples=50, deadline=None)
@given(starts, zones, st.integers(1, 40), st.integers(1, 20 * HOUR_MS))
def test_what_is_spread_leaves_in_order_and_after_so_much_open_time(
    start_ms: int, places: tuple[str, ...], n: int, over_ms: int
) -> None:
    found = [
        times_of(start_ms, zones=places, windows=OFFICE, now_ms=NOW_MS, turn_ms=k * over_ms // n)
        for k in range(n)
    ]

    assume(None not in found)
    due = [times.due_at for times in found if times]
    assert due == sorted(due)
    open_ms = sum(  # looked at in the middle of each minute
        MINUTE_MS
        for at_ms in range(due[0], due[-1], MINUTE_MS)
        if is_inside(at_ms + MINUTE_MS // 2, OFFICE, places)
    )
    assert abs(open_ms - (n - 1) * over_ms // n) <= 40 * MINUTE_MS  # a minute at each boundary


@pytest.mark.parametrize(
    ("start", "due", "leave_by", "is_moved"),
    [
        ("2027-03-27T08:59", "2027-03-27T09:00", "2027-03-27T20:00", True),
        ("2027-03-27T09:00", "2027-03-27T09:00", "2027-03-27T20:00", False),
        ("2027-03-27T20:00", "2027-03-28T09:00", "2027-03-28T20:00", True),
        ("2027-10-30T23:00", "2027-10-31T09:00", "2027-10-31T20:00", True),
    ],
)
def test_a_window_moves_to_its_opening(start: str, due: str, leave_by: str, *, is_moved: bool) -> None:
    found = times_of(ms(start), zones=("Europe/Copenhagen",), windows=OFFICE, now_ms=NOW_MS)

    expected = Times(due_at=ms(due), leave_by=ms(leave_by), expires_at=None, is_moved=is_moved)
    assert found == expected


def test_validity_ends_what_may_leave_before_the_window_closes() -> None:
    found = times_of(
        ms("2027-03-27T10:00"),
        zones=("Europe/Copenhagen",),
        windows=OFFICE,
        now_ms=NOW_MS,
        validity_ms=6 * HOUR_MS,
    )

    assert found is not None
    assert found.leave_by == found.expires_at == ms("2027-03-27T16:00")


def test_a_spread_goes_on_at_the_next_opening() -> None:
    turns = [
        times_of(
            ms("2027-03-26T19:00"),
            zones=("Europe/Copenhagen",),
            windows=OFFICE,
            now_ms=NOW_MS,
            turn_ms=turn_ms,
        )
        for turn_ms in (30 * MINUTE_MS, HOUR_MS, 2 * HOUR_MS)
    ]

    due = [times.due_at for times in turns if times]
    assert due == [ms("2027-03-26T19:30"), ms("2027-03-27T09:00"), ms("2027-03-27T10:00")]


def test_two_zones_that_are_never_awake_together_have_no_opening() -> None:
    morning = Windows(open=(Hours(opens=time(9), closes=time(10)),))
    places = ("Europe/Copenhagen", "America/New_York")

    assert times_of(NOW_MS, zones=places, windows=morning, now_ms=NOW_MS) is None


@pytest.mark.parametrize("found", [ALWAYS, Windows(open=(Hours(opens=time(0), closes=time(0)),))])
def test_without_windows_that_shut_nobody_needs_a_zone(found: Windows) -> None:
    times = times_of(NOW_MS + 5, zones=(), windows=found, now_ms=NOW_MS)

    assert times == Times(due_at=NOW_MS + 5, leave_by=None, expires_at=None, is_moved=False)
