from datetime import UTC, datetime
from pathlib import Path

import pytest

from producer.schedule.column import found_reader, open_time_column, reader_of
from worker.errors import ConfigError, InputError
from worker.timing.words import Instant, Wall

NINE = Wall(datetime(2027, 1, 31, 9, 0))  # noqa: DTZ001 - of a wall clock


@pytest.mark.parametrize(
    "written",
    [
        "2027-01-31 09:00",
        "2027-01-31T09:00:00",
        "2027/1/31 9:00",
        "31.01.2027 09:00",
        "31.1.2027, 9:00",
        "31/01/2027 09:00",
        "31-01-2027 09:00:00",
        "31/01/2027 9:00 AM",
        " 31.01.2027  09:00 ",
    ],
)
def test_a_time_is_read_as_it_is_usually_written(written: str) -> None:
    assert found_reader([written], header="at")(written) == NINE


@pytest.mark.parametrize("written", ["2027-01-31T09:00Z", "2027-01-31 10:00+01:00", "31.01.2027 04:00 -0500"])
def test_an_offset_makes_it_an_instant(written: str) -> None:
    at = datetime(2027, 1, 31, 9, 0, tzinfo=UTC)

    assert found_reader([written], header="at")(written) == Instant(round(1000 * at.timestamp()))


@pytest.mark.parametrize(
    ("written", "hour"), [("12:30 am", 0), ("12:30 pm", 12), ("1:30 p.m.", 13), ("23:30", 23)]
)
def test_am_and_pm_are_read(written: str, hour: int) -> None:
    found = found_reader([], header="at")(f"2027-01-31 {written}")

    assert isinstance(found, Wall)
    assert found.local.hour == hour


@pytest.mark.parametrize(("other", "month"), [("13/02/2027 09:00", 4), ("02/13/2027 09:00", 3)])
def test_one_row_that_is_clear_decides_for_the_others(other: str, month: int) -> None:
    found = found_reader(["03/04/2027 09:00", other], header="at")("03/04/2027 09:00")

    assert isinstance(found, Wall)
    assert found.local.month == month


@pytest.mark.parametrize(
    "values",
    [
        ["03/04/2027 09:00", "05/06/2027 09:00"],
        ["03/04/2027 09:00", "2027-01-31 09:00", "31.01.2027 09:00"],
        ["13/02/2027 09:00", "02/13/2027 09:00"],
    ],
)
def test_what_nobody_can_decide_asks_for_the_format(values: list[str]) -> None:
    with pytest.raises(InputError, match="--at-format") as refused:
        found_reader(values, header="at")

    assert (refused.value.code, refused.value.column) == ("time_format", "at")


@pytest.mark.parametrize("idle", ["05/05/2027 09:00", "5/05/2027 09:00", "13/13/2027 09:00"])
def test_what_tells_nothing_of_the_order_decides_for_no_other_row(idle: str) -> None:
    with pytest.raises(InputError):
        found_reader([idle, "03/04/2027 09:00"], header="at")

    found = found_reader([idle, "04/13/2027 09:00"], header="at")("03/04/2027 09:00")
    assert isinstance(found, Wall)
    assert found.local.month == 3


def test_a_day_that_is_the_same_either_way_decides_nothing_and_asks_nothing() -> None:
    read = found_reader(["04/04/2027 09:00"], header="at")

    assert read("04/04/2027 09:00") == Wall(datetime(2027, 4, 4, 9, 0))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("", "time_missing"),
        ("  ", "time_missing"),
        ("tomorrow", "time_unreadable"),
        ("2027-01-31", "time_unreadable"),
        ("2027-02-30 09:00", "time_unreadable"),
        ("2027-01-31 25:00", "time_unreadable"),
        ("2027-01-31 13:00 pm", "time_unreadable"),
        ("2027-01-31 09:00+99:00", "time_unreadable"),
        ("0027-01-31 09:00", "time_unreadable"),
        ("31.13.2027 09:00", "time_unreadable"),
        ("31.01.2027 12:00 pm", "time_unreadable"),
    ],
)
def test_what_is_no_time_has_a_reason(written: str, code: str) -> None:
    with pytest.raises(InputError) as refused:
        found_reader([], header="at")(written)

    assert refused.value.code == code


def test_a_given_format_reads_what_is_written_so() -> None:
    assert reader_of("%m/%d/%Y %I:%M %p")("01/31/2027 09:00 AM") == NINE


@pytest.mark.parametrize("given", ["%d/%m/%Y", "%H:%M", "", "%d/%m/%Y %H", "nonsense", "%Q"])
def test_a_format_that_loses_the_day_or_the_minute_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="--at-format"):
        reader_of(given)


def test_a_column_is_found_by_its_variable_name(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("msisdn;Leaves at\n+4520000001;31/01/2027 09:00\n", encoding="utf-8")

    column = open_time_column(path, "leaves_at")

    assert column.when({"leaves_at": "31/01/2027 09:00"}) == NINE
    assert column.header == "Leaves at"


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("msisdn,at\n+4520000001,x\n", encoding="utf-8")

    with pytest.raises(InputError, match="'when': the columns are 'msisdn', 'at'"):
        open_time_column(path, "when")


@pytest.mark.parametrize(
    ("written_as", "written"),
    [
        ("%Y-%m-%dT%H:%M:%SZ", "2027-01-31T09:00:00Z"),
        ("%Y-%m-%d %H:%M UTC", "2027-01-31 09:00 UTC"),
        ("%d/%m/%Y %H:%M GMT", "31/01/2027 09:00 GMT"),
        ("%Y-%m-%d %H:%M%z", "2027-01-31 10:00+01:00"),
        ("%Y-%m-%d %H:%M%z", "2027-01-31 09:00Z"),
    ],
)
def test_a_zone_that_is_written_counts(written_as: str, written: str) -> None:
    at = datetime(2027, 1, 31, 9, 0, tzinfo=UTC)

    assert reader_of(written_as)(written) == Instant(round(1000 * at.timestamp()))


def test_a_name_of_a_zone_is_not_read_past() -> None:
    with pytest.raises(ConfigError, match="%z"):
        reader_of("%Y-%m-%d %H:%M %Z")
