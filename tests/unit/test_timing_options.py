from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click import Command

from producer.cli.order import confirm_late
from producer.cli.preview import preview
from producer.cli.remind import remind
from producer.cli.send import send
from producer.cli.timing import make_leaves_at, make_timing
from producer.findings import Preview
from producer.order import Order
from producer.schedule.plan import Plan
from producer.schedule.timing import Timing
from worker.errors import ConfigError, InputError
from worker.providers import accounts_of
from worker.settings import Settings
from worker.states import Late
from worker.timing.windows import Windows, parse_hours, parse_weekdays
from worker.timing.words import Instant, Wall

NOW_MS = round(1000 * datetime(2027, 3, 1, 8, tzinfo=UTC).timestamp())
HOUR_MS = 3_600_000
NOTHING: dict[str, Any] = {
    **dict.fromkeys(("at", "zone", "at_column", "at_format", "weekdays", "validity", "over", "late")),
    "window": (),
    "schedule_at": None,
    "country": None,
    "file": Path("m.csv"),
}


def settings(*, country: str | None = "DK", zone: str | None = None, **more: object) -> Settings:
    provider = {"gateway": "cpsms", "username": "acme", "secret": "env:KEY", "country": country, **more}
    providers = {"acme": provider, "other": {**provider, "username": "other", "quiet": "22:00-06:00"}}
    return Settings.model_validate({"providers": providers, "zone": zone})


def timing(found: Settings | None = None, *, fallback: str | None = None, **given: object) -> Timing:
    found = found or settings()
    accounts = accounts_of(found)
    other = accounts[fallback] if fallback else None
    return make_timing(found, accounts["acme"], other, {**NOTHING, **given}, now_ms=NOW_MS)


def test_nothing_said_is_nothing_planned() -> None:
    assert timing().is_plain


def test_now_is_no_time() -> None:
    assert timing(at="now").is_plain


def test_words_are_of_the_zone() -> None:
    found = timing(at="tomorrow 09:00", zone="america/new_york")

    assert (found.when, found.zone) == (Wall(datetime(2027, 3, 2, 9)), "America/New_York")  # noqa: DTZ001
    assert (found.is_dated, found.shown_in) == (True, "America/New_York")


@pytest.mark.parametrize(
    ("found", "zone"),
    [
        (settings(), "Europe/Copenhagen"),
        (settings(zone="Asia/Tokyo"), "Asia/Tokyo"),
        (settings(zone="recipient"), "recipient"),
    ],
)
def test_the_zone_is_that_of_the_settings_or_of_the_country(found: Settings, zone: str) -> None:
    assert timing(found, at="2027-03-02 09:00").zone == zone


@pytest.mark.parametrize("found", [settings(country="US"), settings(country=None)])
def test_nobody_guesses_a_zone(found: Settings) -> None:
    with pytest.raises(ConfigError, match="--zone"):
        timing(found, at="2027-03-02 09:00")


def test_an_offset_needs_no_zone() -> None:
    found = timing(settings(country="US"), at="2027-03-02T09:00Z")

    assert found.when == Instant(NOW_MS + 25 * HOUR_MS)


@pytest.mark.parametrize("at", ["in 2h", "in 90min"])
def test_a_count_from_now_is_no_date(at: str) -> None:
    assert not timing(at=at).is_dated


def test_windows_are_on_the_weekdays_and_outside_of_the_quiet_hours() -> None:
    found = timing(
        settings(quiet="21:00-08:00"), window=("09:00-20:00", "10:00-12:00 sat"), weekdays="mon-fri"
    )

    weekdays, saturday = parse_weekdays("mon-fri"), parse_weekdays("sat")
    hours = parse_hours("09:00-20:00", weekdays=weekdays), parse_hours("10:00-12:00", weekdays=saturday)
    assert found.windows == Windows(open=hours, quiet=(parse_hours("21:00-08:00"),))


def test_weekdays_alone_are_whole_days() -> None:
    found = timing(weekdays="mon-fri")

    assert found.windows.open == (parse_hours("00:00-24:00", weekdays=parse_weekdays("mon-fri")),)


def test_quiet_hours_of_the_fallback_are_kept_apart() -> None:
    found = timing(fallback="other")

    assert found.quiet == Windows(quiet=(parse_hours("22:00-06:00"),))
    assert found.windows.is_always


def test_what_a_person_gives_is_kept() -> None:
    found = timing(validity="6h", over="3h", late="skip")

    assert (found.validity_ms, found.over_ms, found.late) == (6 * HOUR_MS, 3 * HOUR_MS, Late.SKIP)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"at": "2027-03-01 08:00"}, "--at: this time is over"),
        ({"at": "2027-02-28T09:00Z"}, "--at: this time is over"),
        ({"at": "2027-02-26 09:00", "zone": "recipient"}, "--at: this time is over"),
        ({"at": "2031-02-28T09:00Z"}, "too far away"),
        ({"at": "03/04/2027 09:00"}, "--at: .*two ways"),
        ({"at": "9"}, "--at: "),
        ({"zone": "Copenhagn"}, "--zone: 'Copenhagn' is not a time zone"),
        ({"window": ("9-5",)}, "--window: "),
        ({"weekdays": "someday"}, "--weekdays: "),
        ({"validity": "6"}, "--validity: "),
        ({"over": "soon"}, "--over: "),
        ({"at_format": "%d/%m/%Y %H:%M"}, "--at-column"),
        ({"at": "tomorrow 09:00", "at_column": "at"}, "--at and --at-column"),
        ({"over": "3h", "at_column": "at"}, "--over and --at-column"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        timing(**given)


def test_windows_that_never_open_are_refused() -> None:
    with pytest.raises(ConfigError, match="no time at all"):
        timing(settings(quiet="08:00-22:00"), window=("09:00-20:00",))


# --- what a gateway keeps


def leaves_at(**given: object) -> int | None:
    found = settings()
    known = {**NOTHING, "schedule_at": "gateway", **given}
    return make_leaves_at(found, accounts_of(found)["acme"], known, now_ms=NOW_MS)


def test_a_gateway_is_told_a_time_in_words() -> None:
    assert leaves_at(at="tomorrow 09:00") == NOW_MS + 24 * HOUR_MS


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "--at"),
        ({"at": "tomorrow 09:00", "zone": "recipient"}, "one zone"),
        ({"at": "tomorrow 09:00", "window": ("09:00-20:00",)}, "--window"),
        ({"at": "tomorrow 09:00", "over": "3h", "late": "skip"}, "--over and --late"),
        ({"at_column": "at"}, "--at-column"),
        ({"at": "tomorrow 09:00", "validity": "6h"}, "--validity"),
    ],
)
def test_what_no_gateway_keeps_is_refused_by_its_name(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        leaves_at(**given)


@pytest.mark.parametrize("command", [preview, send, remind], ids=lambda command: command.name)
@pytest.mark.parametrize("word", ["send", "skip", "hold"])
def test_what_happens_to_a_missed_start_is_written_in_small_letters(command: Command, word: str) -> None:
    (option,) = (each for each in command.params if each.name == "late")

    assert Late(option.type.convert(word, option, None)) == word


def an_order(at_ms: int, **facts: Any) -> tuple[Order, Preview]:  # noqa: ANN401 - of a timing
    """Give an order that an interrupted import was begun with, and what it comes to."""
    timing_of_it = Timing(now_ms=at_ms, **facts)
    account = accounts_of(settings())["acme"]
    order = Order(
        path=Path("m.csv"), template="Hi", account=account, sender="ACME", name="m", timing=timing_of_it
    )
    return order, Preview(messages=1, plan=Plan(starts_at=at_ms))


@pytest.mark.parametrize("late", list(Late))
def test_nobody_imports_what_is_not_worth_sending_any_more_without_a_yes(
    late: Late, capsys: pytest.CaptureFixture[str]
) -> None:
    begun, found = an_order(HOUR_MS, validity_ms=6 * HOUR_MS, late=late)

    with pytest.raises(InputError, match="--yes"):
        confirm_late(begun, found, late_s=3600.0, yes=False)
    confirm_late(begun, found, late_s=3600.0, yes=True)

    assert "given up" in capsys.readouterr().err
