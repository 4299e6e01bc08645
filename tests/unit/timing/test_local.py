from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.errors import ConfigError
from worker.timing.local import Oddity, instant_of, local_of, start_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE_MS = 60_000
CHANGES = [  # a wall time near a change of the clocks
    ("Europe/Copenhagen", datetime(2027, 3, 28, 2)),  # noqa: DTZ001 - wall times, here and below
    ("Europe/Copenhagen", datetime(2027, 10, 31, 2)),  # noqa: DTZ001
    ("America/New_York", datetime(2027, 3, 14, 2)),  # noqa: DTZ001
    ("America/New_York", datetime(2027, 11, 7, 1)),  # noqa: DTZ001
    ("Australia/Lord_Howe", datetime(2027, 10, 3, 2)),  # noqa: DTZ001 - half an hour
    ("Australia/Lord_Howe", datetime(2027, 4, 4, 1, 30)),  # noqa: DTZ001
    ("Pacific/Apia", datetime(2011, 12, 30, 12)),  # noqa: DTZ001 - a day that never was
    ("Africa/Casablanca", datetime(2027, 2, 7, 2)),  # noqa: DTZ001 - back for Ramadan
    ("Africa/Casablanca", datetime(2027, 3, 14, 2)),  # noqa: DTZ001
    ("America/Sao_Paulo", datetime(2018, 11, 4)),  # noqa: DTZ001 - midnight is skipped
    ("America/Sao_Paulo", datetime(2018, 2, 17, 23)),  # noqa: DTZ001
    ("Europe/Copenhagen", datetime(2028, 2, 29, 12)),  # noqa: DTZ001
]


def epoch_ms(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


def shown(at_ms: int, zone: str) -> datetime:
    return local_of(at_ms, zone).replace(tzinfo=None)


def near(local: datetime, zone: str) -> list[tuple[int, datetime]]:
    """Every minute of two days around, with what the clocks show then."""
    around_ms = epoch_ms(local.replace(tzinfo=UTC))
    minutes = range(around_ms - 1620 * MINUTE_MS, around_ms + 1620 * MINUTE_MS, MINUTE_MS)
    return [(at_ms, shown(at_ms, zone)) for at_ms in minutes]


@pytest.mark.parametrize(
    ("zone", "local", "utc", "oddity"),
    [
        ("Europe/Copenhagen", "2027-01-31T09:00", "2027-01-31T08:00", None),
        ("Europe/Copenhagen", "2027-03-28T02:30", "2027-03-28T01:00", Oddity.GAP),
        ("Europe/Copenhagen", "2027-03-28T03:00", "2027-03-28T01:00", None),
        ("Europe/Copenhagen", "2027-10-31T02:30", "2027-10-31T00:30", Oddity.TWICE),
        ("America/New_York", "2027-03-14T02:59", "2027-03-14T07:00", Oddity.GAP),
        ("America/New_York", "2027-11-07T01:00", "2027-11-07T05:00", Oddity.TWICE),
        ("Australia/Lord_Howe", "2027-10-03T02:15", "2027-10-02T15:30", Oddity.GAP),
        ("Australia/Lord_Howe", "2027-04-04T01:45", "2027-04-03T14:45", Oddity.TWICE),
        ("Pacific/Apia", "2011-12-30T09:00", "2011-12-30T10:00", Oddity.GAP),
        ("America/Sao_Paulo", "2018-11-04T00:00", "2018-11-04T03:00", Oddity.GAP),
        ("America/Sao_Paulo", "2018-02-17T23:30", "2018-02-18T01:30", Oddity.TWICE),
        ("Europe/Copenhagen", "2028-02-29T09:00", "2028-02-29T08:00", None),
    ],
)
def test_a_wall_time_is_this_instant(zone: str, local: str, utc: str, oddity: Oddity | None) -> None:
    found = instant_of(datetime.fromisoformat(local), zone)

    assert found == (epoch_ms(datetime.fromisoformat(f"{utc}Z")), oddity)


def test_the_second_of_two_instants_can_be_asked_for() -> None:
    local = datetime(2027, 10, 31, 2, 30)  # noqa: DTZ001

    first, second = (
        instant_of(local, "Europe/Copenhagen"),
        instant_of(local, "Europe/Copenhagen", prefers_second=True),
    )

    assert second[0] - first[0] == 60 * MINUTE_MS


@pytest.mark.slow
@settings(deadline=None)
@given(st.sampled_from(CHANGES), st.integers(-180, 180))
def test_it_is_an_instant_at_which_the_clocks_show_it_or_the_end_of_their_gap(
    change: tuple[str, datetime], minutes: int
) -> None:
    zone, local = change[0], change[1] + timedelta(minutes=minutes)
    clock = near(local, zone)

    at_ms, oddity = instant_of(local, zone)
    later_ms, _ = instant_of(local, zone, prefers_second=True)

    instants = [minute_ms for minute_ms, wall in clock if wall == local]
    if oddity is Oddity.GAP:
        assert not instants
        assert at_ms == later_ms == min(minute_ms for minute_ms, wall in clock if wall > local)
    else:
        assert (at_ms, later_ms) == (instants[0], instants[-1])
        assert (oddity is Oddity.TWICE) == (len(instants) > 1)


def test_a_start_in_several_zones_is_the_latest() -> None:
    local = datetime(2027, 1, 31, 9)  # noqa: DTZ001

    at_ms, oddity = start_of(local, ("America/New_York", "America/Los_Angeles", "America/Chicago"))

    assert (at_ms, oddity) == (epoch_ms(datetime(2027, 1, 31, 17, tzinfo=UTC)), None)


def test_a_zone_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="'Mars/Olympus' is not a time zone"):
        local_of(0, "Mars/Olympus")


@pytest.mark.parametrize("zone", ["", "../passwd", "/etc/passwd", "Europe", "a\0b"])
def test_a_name_that_is_a_path_is_no_zone(zone: str) -> None:
    with pytest.raises(ConfigError):
        local_of(0, zone)
