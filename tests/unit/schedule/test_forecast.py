from datetime import UTC, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.schedule.forecast import forecast
from producer.schedule.pace import Pace, least_ms
from producer.schedule.timetable import Group
from worker.settings import Rate, read_rates
from worker.timing.windows import Hours, Windows

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
NINE_MS = round(1000 * datetime(2027, 3, 1, 9, tzinfo=UTC).timestamp())
ALWAYS = Windows()
MORNING = Windows(open=(Hours(opens=time(9), closes=time(10)),))


def group(n: int = 100, **facts: int | None) -> Group:
    """Make messages that are due at nine, until ten."""
    known = {"due_at": NINE_MS, "leave_by": NINE_MS + HOUR_MS, "expires_at": None, "units": n}
    return Group(zones="UTC", n=n, **{**known, **facts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rate", "n", "lasts_ms"),
    [
        ("50/s", 100, 1980),
        ("10/min", 100, 9 * MINUTE_MS),
        ("10/min", 10, 0),
        (["2/s", "10/min"], 20, MINUTE_MS + 4500),
    ],
)
def test_it_ends_when_the_rate_has_let_all_leave(rate: object, n: int, lasts_ms: int) -> None:
    found = forecast([group(n, leave_by=None)], rates=read_rates(rate), windows=ALWAYS, shown_in="UTC")

    assert found.ends_at == NINE_MS + lasts_ms


def test_parts_count_where_the_provider_counts_parts() -> None:
    found = forecast(
        [group(10, units=30, leave_by=None)], rates=read_rates("1/s"), windows=ALWAYS, shown_in="UTC"
    )

    assert found.ends_at == NINE_MS + 27 * SECOND_MS


def test_what_does_not_fit_waits_for_the_next_opening() -> None:
    found = forecast([group(150)], rates=read_rates("1/min"), windows=MORNING, shown_in="UTC")

    assert [each.messages for each in found.openings] == [60, 60, 30]
    assert found.openings[1].first_at == NINE_MS + 24 * HOUR_MS
    assert found.overflow == 90
    assert found.ends_at == NINE_MS + 48 * HOUR_MS + 29 * MINUTE_MS


def test_what_expires_before_is_not_expected_to_leave() -> None:
    expiring = group(100, expires_at=NINE_MS + 2 * HOUR_MS)

    found = forecast([expiring], rates=read_rates("1/min"), windows=MORNING, shown_in="UTC")

    assert (found.openings[0].messages, found.overflow, found.expiring) == (60, 0, 40)


def test_what_moved_goes_before_what_is_due_later() -> None:
    tomorrow = NINE_MS + 24 * HOUR_MS
    later = group(10, due_at=tomorrow, leave_by=tomorrow + HOUR_MS)

    found = forecast([group(110), later], rates=read_rates("1/min"), windows=MORNING, shown_in="UTC")

    assert [each.messages for each in found.openings] == [60, 60]


def test_without_a_limit_everything_leaves_when_it_is_due() -> None:
    found = forecast([group(10**6)], rates=(), windows=MORNING, shown_in="UTC")

    assert (found.ends_at, found.overflow) == (NINE_MS, 0)


def test_without_windows_days_are_told_apart() -> None:
    later = group(due_at=NINE_MS + 30 * HOUR_MS, leave_by=None)

    found = forecast([group(leave_by=None), later], rates=(), windows=ALWAYS, shown_in="UTC")

    assert len(found.openings) == 2


def test_nobody_looks_further_than_years_ahead() -> None:
    found = forecast(
        [group(10_000, leave_by=None)], rates=read_rates("1/day"), windows=ALWAYS, shown_in="UTC"
    )

    assert found.is_beyond
    assert found.ends_at is None


def test_nobody_looks_further_from_opening_to_opening() -> None:
    found = forecast([group(10_000)], rates=read_rates("1/day"), windows=MORNING, shown_in="UTC")

    assert found.is_beyond
    assert found.ends_at is None


groups = st.lists(
    st.tuples(st.integers(0, 3 * HOUR_MS), st.integers(1, 500)).map(
        lambda each: group(each[1], due_at=NINE_MS + each[0], leave_by=NINE_MS + 24 * HOUR_MS)
    ),
    max_size=20,
).map(sorted)
rates = st.sampled_from(["1/s", "50/s", "100/min", ["10/s", "1000/h"]]).map(read_rates)


@given(groups, rates)
def test_every_message_is_expected_once(some: list[Group], limits: tuple[Rate, ...]) -> None:
    found = forecast(some, rates=limits, windows=MORNING, shown_in="UTC")

    n_expected = sum(each.messages for each in found.openings) + found.expiring
    assert n_expected == sum(each.n for each in some)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=20), rates)
def test_no_second_holds_more_than_its_limit(sizes: list[int], limits: tuple[Rate, ...]) -> None:
    pace = Pace(limits)

    ends = [pace.take(NINE_MS, n, weight=1.0, until_ms=None)[1] for n in sizes]

    for limit in limits:
        windows_over = (ends[-1] - NINE_MS) // (1000 * limit.window_s) + 1
        assert sum(sizes) <= limit.amount * windows_over + 1


@pytest.mark.parametrize(
    ("rate", "units", "over_ms", "least"),
    [
        ("50/s", 500, 10 * SECOND_MS, None),
        ("50/s", 501, 10 * SECOND_MS, 10_020),
        ("100/day", 90, HOUR_MS, None),
        ("100/day", 200, HOUR_MS, 48 * HOUR_MS),
    ],
)
def test_the_least_time_to_spread_over(rate: str, units: int, over_ms: int, least: int | None) -> None:
    assert least_ms(read_rates(rate), units, over_ms=over_ms) == least
