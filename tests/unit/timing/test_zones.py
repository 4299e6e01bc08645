import importlib.resources
import os
import subprocess
import sys
import zoneinfo
from datetime import UTC, datetime, timedelta
from pathlib import Path

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from phonenumbers.tzdata import TIMEZONE_DATA

from worker.errors import ConfigError
from worker.timing.zones import check_zone, zones_of, zones_of_region

ROOT = Path(__file__).parents[3]
KNOWN = zoneinfo.available_timezones()
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


def examples(region: str) -> list[str]:
    kinds = [getattr(PhoneNumberType, name) for name in vars(PhoneNumberType) if name.isupper()]
    numbers = (phonenumbers.example_number_for_type(region, kind) for kind in kinds)
    return [phonenumbers.format_number(number, PhoneNumberFormat.E164) for number in numbers if number]


def offsets(zones: tuple[str, ...]) -> set[timedelta | None]:
    winter, summer = datetime(2027, 1, 15, tzinfo=UTC), datetime(2027, 7, 15, tzinfo=UTC)
    return {at.astimezone(zoneinfo.ZoneInfo(zone)).utcoffset() for zone in zones for at in (winter, summer)}


def test_the_name_of_a_zone_gets_its_spelling() -> None:
    assert check_zone(" europe/COPENHAGEN ") == "Europe/Copenhagen"
    assert check_zone("america/new york") == "America/New_York"
    assert check_zone("utc") == "UTC"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Copenhagen", "did you mean Europe/Copenhagen?"),
        ("Europe/Kopenhagen", "did you mean Europe/Copenhagen"),
        ("New York", "did you mean America/New_York?"),
        ("nowhere", "such as Europe/Copenhagen"),
        ("", "such as Europe/Copenhagen"),
        ("../etc/passwd", "is not a time zone"),
    ],
)
def test_a_zone_that_nobody_knows_is_refused_with_what_is_near(name: str, near: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_zone(name)

    assert near in str(refused.value)


@pytest.mark.parametrize(
    ("msisdn", "zones"),
    [
        ("+4520304050", {"Europe/Copenhagen"}),
        ("+447700900123", {"Europe/London"}),
        ("+12015550123", {"America/New_York"}),
        ("+12085550123", {"America/Boise", "America/Los_Angeles"}),  # an area in two zones
        ("+19865550123", {"America/Boise", "America/Los_Angeles"}),  # the one laid over it
        ("+14485550123", {"America/Chicago", "America/New_York"}),
        ("+18765550123", {"America/Jamaica"}),
        ("+351912345678", {"Europe/Lisbon", "Atlantic/Azores"}),
        ("+34612345678", {"Europe/Madrid", "Atlantic/Canary"}),
        ("+64211234567", {"Pacific/Auckland", "Pacific/Chatham"}),
        ("+8613812345678", {"Asia/Shanghai"}),  # by law, all of it
        ("+77012345678", {"Asia/Almaty"}),  # shares its code with Russia
        ("+262692123456", {"Indian/Reunion"}),
        ("+262639012345", {"Indian/Mayotte"}),
        ("+88161234567", set()),  # a satellite
        ("+80012345678", set()),
    ],
)
def test_a_number_has_the_zones_in_which_its_owner_may_live(msisdn: str, zones: set[str]) -> None:
    assert set(zones_of(msisdn)) == zones


@pytest.mark.parametrize(
    ("msisdn", "zone"),
    [
        ("+212612345678", "Africa/Casablanca"),
        ("+213551234567", "Africa/Algiers"),
        ("+218912345678", "Africa/Tripoli"),
        ("+50581234567", "America/Managua"),
        ("+970599123456", "Asia/Gaza"),
    ],
)
def test_a_country_is_not_put_into_the_zone_of_a_neighbour(msisdn: str, zone: str) -> None:
    assert offsets((zone,)) <= offsets(zones_of(msisdn))


@pytest.mark.parametrize(
    ("msisdn", "far_apart"),
    [
        ("+79123456789", ("Europe/Kaliningrad", "Asia/Kamchatka")),
        ("+61412345678", ("Australia/Perth", "Australia/Sydney")),
        ("+5581912345678", ("America/Recife", "America/Noronha", "America/Rio_Branco")),
        ("+522221234567", ("America/Tijuana", "America/Cancun")),
        ("+6281234567890", ("Asia/Jakarta", "Asia/Jayapura")),
        ("+243991234567", ("Africa/Kinshasa", "Africa/Lubumbashi")),
        ("+18005550123", ("America/St_Johns", "Pacific/Honolulu")),  # no area
        ("+18675550123", ("America/Whitehorse", "America/Iqaluit")),
    ],
)
def test_a_number_of_a_wide_country_may_be_anywhere_in_it(msisdn: str, far_apart: tuple[str, ...]) -> None:
    assert offsets(far_apart) <= offsets(zones_of(msisdn))


@pytest.mark.parametrize("region", REGIONS)
def test_every_example_number_of_a_region_has_zones_that_are_known(region: str) -> None:
    found = {msisdn: zones_of(msisdn) for msisdn in examples(region)}

    assert found
    assert all(zones and KNOWN.issuperset(zones) for zones in found.values())


@pytest.mark.parametrize("region", [one for one in REGIONS if phonenumbers.country_code_for_region(one) != 1])
def test_a_mobile_number_may_be_anywhere_in_its_country(region: str) -> None:
    number = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
    if number is None or phonenumbers.region_code_for_number(number) != region:
        return  # told apart from its neighbours by nobody

    zones = zones_of(phonenumbers.format_number(number, PhoneNumberFormat.E164))

    assert offsets(zones_of_region(region)) <= offsets(zones)


def test_every_prefix_that_the_library_knows_has_zones_that_are_known() -> None:
    assert all(
        KNOWN.issuperset(zones_of(f"+{prefix}")) and zones_of(f"+{prefix}") for prefix in TIMEZONE_DATA
    )


@pytest.mark.parametrize("region", REGIONS)
def test_every_region_has_zones_that_are_known(region: str) -> None:
    zones = zones_of_region(region)

    assert zones
    assert KNOWN.issuperset(zones)


def test_a_region_that_nobody_knows_has_no_zones() -> None:
    assert zones_of_region("001") == ()
    assert zones_of_region("dk") == ("Europe/Copenhagen",)


@pytest.mark.slow
@pytest.mark.parametrize("region", ["AR", "AU", "BR", "CA", "CL", "GL", "ID", "KZ", "MX", "RU", "US"])
def test_a_zone_is_left_out_only_where_another_shows_the_same_at_every_hour(region: str) -> None:
    hours = [datetime(2027, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(365 * 24)]
    table = importlib.resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8")
    lines = [line.split("\t") for line in table.splitlines() if line.startswith(region)]

    def clock(zone: str) -> tuple[timedelta | None, ...]:
        return tuple(at.astimezone(zoneinfo.ZoneInfo(zone)).utcoffset() for at in hours)

    kept = {clock(zone) for zone in zones_of_region(region)}
    assert {clock(line[2]) for line in lines} == kept
    assert len(zones_of_region(region)) == len(kept)


def test_zones_are_known_where_the_system_knows_none() -> None:
    code = (
        "from worker.timing.zones import *; print(check_zone('europe/copenhagen'), *zones_of('+4520304050'))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONTZPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.split() == ["Europe/Copenhagen", "Europe/Copenhagen"], done.stderr
