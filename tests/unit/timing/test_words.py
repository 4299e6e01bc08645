from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import ConfigError
from worker.timing.words import Instant, Wall, When, parse_when

NOW = datetime(2027, 1, 27, 22, 30, tzinfo=UTC)  # a Wednesday; in Copenhagen 23:30, in Tokyo Thursday 7:30
MINUTES = st.datetimes(datetime(1971, 1, 2), datetime(2199, 12, 30)).map(  # noqa: DTZ001 - wall times
    lambda moment: moment.replace(second=0, microsecond=0)
)


def epoch_ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def when(written: str, *, zone: str | None = "Europe/Copenhagen") -> When:
    return parse_when(written, now_ms=epoch_ms(NOW), zone=zone)


def wall(*parts: int) -> Wall:
    return Wall(datetime(*parts))  # type: ignore[arg-type]  # noqa: DTZ001 - year to microsecond, on the wall


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2027-01-31T09:00Z", datetime(2027, 1, 31, 9, tzinfo=UTC)),
        ("2027-01-31t09:00:30z", datetime(2027, 1, 31, 9, 0, 30, tzinfo=UTC)),
        ("2027-01-31 09:00+01:00", datetime(2027, 1, 31, 8, tzinfo=UTC)),
        ("2027-01-31T09:00 -0330", datetime(2027, 1, 31, 12, 30, tzinfo=UTC)),
        ("2027-01-31T09:00+14", datetime(2027, 1, 30, 19, tzinfo=UTC)),
        ("2027-01-31T09:00:00.250Z", datetime(2027, 1, 31, 9, 0, 0, 250_000, tzinfo=UTC)),
        ("2028-02-29T09:00Z", datetime(2028, 2, 29, 9, tzinfo=UTC)),
        ("20270131T0800Z", datetime(2027, 1, 31, 8, tzinfo=UTC)),
        ("20270131T080030,5+0100", datetime(2027, 1, 31, 7, 0, 30, 500_000, tzinfo=UTC)),
        ("2027-01-31T08Z", datetime(2027, 1, 31, 8, tzinfo=UTC)),
        ("2027-01-31T08:00:00,5Z", datetime(2027, 1, 31, 8, 0, 0, 500_000, tzinfo=UTC)),
        ("2027-W05-1T08:00Z", datetime(2027, 2, 1, 8, tzinfo=UTC)),
        ("2027-01-31T24:00Z", datetime(2027, 2, 1, tzinfo=UTC)),
        ("now", NOW),
        ("In 2H", NOW + timedelta(hours=2)),
        ("in 1 day 30 min", NOW + timedelta(days=1, minutes=30)),
    ],
)
def test_what_is_the_same_everywhere_is_an_instant(written: str, moment: datetime) -> None:
    assert when(written, zone=None) == Instant(epoch_ms(moment))


@pytest.mark.parametrize(
    ("written", "local"),
    [
        ("2027-01-31T09:00", wall(2027, 1, 31, 9)),
        ("2027-01-31 9:00", wall(2027, 1, 31, 9)),
        ("2027-01-31 09:00:30", wall(2027, 1, 31, 9, 0, 30)),
        ("31 Jan 2027 09:00", wall(2027, 1, 31, 9)),
        ("31 january 2027 9:00", wall(2027, 1, 31, 9)),
        ("31. Jan. 2027, at 09:00", wall(2027, 1, 31, 9)),
        ("29 feb 2028 9pm", wall(2028, 2, 29, 21)),
        ("1 Sept 2027 9:30 PM", wall(2027, 9, 1, 21, 30)),
        ("31.1.2027 09:00", wall(2027, 1, 31, 9)),
        ("01.02.2027 09:00", wall(2027, 2, 1, 9)),
        ("31/01/2027 09:00", wall(2027, 1, 31, 9)),
        ("1/31/2027 9am", wall(2027, 1, 31, 9)),
        ("02-02-2027 09:00", wall(2027, 2, 2, 9)),
        ("2027/1/31 12:30 pm", wall(2027, 1, 31, 12, 30)),
    ],
)
def test_a_date_and_a_time_need_no_zone_to_be_read(written: str, local: Wall) -> None:
    assert when(written, zone=None) == local


@pytest.mark.parametrize(
    ("written", "local"),
    [
        ("today 17:00", wall(2027, 1, 27, 17)),  # it may have passed: the caller says so
        ("Tomorrow  09:00", wall(2027, 1, 28, 9)),
        ("tomorrow at 9am", wall(2027, 1, 28, 9)),
        ("thursday 09:00", wall(2027, 1, 28, 9)),
        ("mon 00:00", wall(2027, 2, 1)),
        ("Tuesday 23:59", wall(2027, 2, 2, 23, 59)),
    ],
)
def test_a_day_by_name_is_the_next_to_come(written: str, local: Wall) -> None:
    assert when(written) == local


def test_the_day_is_that_of_the_zone() -> None:
    assert when("today 17:00", zone="Asia/Tokyo") == wall(2027, 1, 28, 17)
    assert when("today 17:00", zone="Pacific/Honolulu") == wall(2027, 1, 27, 17)


@pytest.mark.parametrize("written", ["today 17:00", "tomorrow 09:00", "monday 09:00"])
def test_a_day_by_name_asks_for_the_zone_where_there_is_none(written: str) -> None:
    with pytest.raises(ConfigError, match="--zone"):
        when(written, zone=None)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("wednesday 09:00", "today or in a week: write today, or the date like 2027-02-03"),
        ("01/02/2027", "two ways"),
        ("01/02/2027 09:00", "two ways"),
        ("12/31/27 09:00", "two ways"),
        ("1-2-27 09:00", "two ways"),
        ("tomorrow 12pm", "write 12:00 or 00:00"),
        ("tomorrow 12:00 am", "write 12:00 or 00:00"),
        ("tomorrow 9", "like 09:00 or 9pm"),
        ("2027-01-31", "no time of the day"),
        ("31 Jan 2027", "no time of the day"),
        ("tomorrow", "no time of the day"),
        ("monday", "no time of the day"),
        ("9", "one way"),
        ("9pm", "one way"),
        ("09:00", "one way"),
        ("noon", "one way"),
        ("2 o'clock", "one way"),
        ("tomorrow noon", "one way"),
        ("next monday 09:00", "one way"),
        ("31 Jan 09:00", "one way"),
        ("31 Foo 2027 09:00", "one way"),
        ("20270131 0900", "one way"),
        ("2027-01-31 08Z", "one way"),
        ("2027-W60-1T09:00", "does not exist"),
        ("13.13.2027 09:00", "does not exist"),
        ("2027-01-31T09:00 CET", "one way"),
        ("", "one way"),
        ("tomorrow 25:00", "does not exist"),
        ("tomorrow 09:60", "does not exist"),
        ("tomorrow 13pm", "does not exist"),
        ("tomorrow 0am", "does not exist"),
        ("2027-02-29 09:00", "does not exist"),
        ("2027-01-31 24:01", "does not exist"),
        ("9999-12-31T24:00", "does not exist"),
        ("30 Feb 2027 09:00", "does not exist"),
        ("2027-01-31T09:00+15:00", "far from UTC"),
        ("2027-01-31T09:00+01:75", "far from UTC"),
        ("0027-01-31 09:00", "year"),
        ("9999-12-31T23:59-14:00", "year"),
        ("in 5m", "like 24h"),
        ("in an hour", "like 24h"),
    ],
)
def test_what_is_unknown_or_ambiguous_is_refused_in_one_line(written: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as refused:
        when(written)

    assert "\n" not in str(refused.value)


@given(MINUTES)
def test_a_wall_time_is_read_as_it_is_written(local: datetime) -> None:
    assert when(f"{local:%Y-%m-%d %H:%M}") == Wall(local)
    assert when(f"{local.day} {local:%b %Y %H:%M}") == Wall(local)


@given(MINUTES, st.integers(-14 * 60, 14 * 60))
def test_an_instant_is_read_as_it_is_written(local: datetime, offset_min: int) -> None:
    aware = local.replace(tzinfo=timezone(timedelta(minutes=offset_min)))

    assert when(aware.isoformat(timespec="minutes")) == Instant(epoch_ms(aware))


@given(st.text(max_size=30))
def test_any_other_text_is_refused_and_nothing_worse(written: str) -> None:
    try:
        found = when(written)
    except ConfigError:
        return
    assert isinstance(found, Instant | Wall)
