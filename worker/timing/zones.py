"""Time zones: by name, and of a number.

The zones of a number are all that its owner may live in, because nobody knows which: those of its country in
the time zone database; under the calling code 1, where mobile numbers belong to areas, those of its area in
libphonenumber's table. That table is right there, but puts whole countries of other codes into a neighbour's
zone (Morocco, Algeria, Libya, Nicaragua), so beyond that it only tells countries apart that share a code.
"""

from __future__ import annotations

import difflib
import importlib.resources
import zoneinfo
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from itertools import groupby
from typing import Final

from worker.errors import ConfigError
from worker.timing.local import clock_of

_NO_PLACES: Final = frozenset({"Factory", "localtime"})
_LONGEST_PREFIX: Final = 9  # digits; of libphonenumber's table
_AREA_DIGITS: Final = 4  # the calling code 1 and its area
_NO_AREA: Final = ("US", "CA")  # share the numbers of code 1 that have no area, and get its new ones

_MISSING: Final = {  # ISO 3166 or libphonenumber know them, the table of the time zone database does not
    "AC": ("Atlantic/St_Helena",),
    "TA": ("Atlantic/St_Helena",),
    "XK": ("Europe/Belgrade",),
}
_UNOFFICIAL: Final = frozenset({"Asia/Urumqi"})  # by law, all of China keeps Beijing time

# Areas laid over older ones that lie in several zones: libphonenumber's table has the larger part only.
_LAID_OVER: Final = {
    "1236": "1250",
    "1257": "1250",
    "1364": "1270",
    "1367": "1418",
    "1448": "1850",
    "1458": "1541",
    "1474": "1306",
    "1581": "1418",
    "1672": "1250",
    "1729": "1423",
    "1778": "1250",
    "1930": "1812",
}

# Zones of a country whose clocks agree whenever they are looked at count once.
_LOOKED_AT_FROM: Final = datetime(2026, 1, 1, tzinfo=UTC)
_LOOKED_AT_EACH: Final = timedelta(hours=6)
_LOOKS: Final = 4 * 365 * 3


def check_zone(name: str) -> str:
    """Return the IANA name of a zone as it is spelled there.

    Raises:
        ConfigError: there is none; the sentence names what is near.
    """
    spelled, wanted = _spelled(), "_".join(name.split()).lower()
    if wanted in spelled:
        return spelled[wanted]
    near = [key for key in spelled if key.rpartition("/")[2] == wanted]
    near = near or difflib.get_close_matches(wanted, spelled, n=3)
    names = " or ".join(spelled[key] for key in near)
    hint = f"did you mean {names}?" if names else "write its IANA name, such as Europe/Copenhagen"
    raise ConfigError(f"{name!r} is not a time zone: {hint}")


def zones_of(msisdn: str) -> tuple[str, ...]:
    """Return the zones in which the owner of a number may live; empty when nobody knows, as with satellites.

    Args:
        msisdn: E.164 with plus.
    """
    table = _by_prefix()
    for end in range(_LONGEST_PREFIX + 1, 1, -1):
        if (zones := table.get(msisdn[1:end])) is not None:
            return _distinct(zones)
    return ()


def zones_of_region(region: str) -> tuple[str, ...]:
    """Return the zones of a country by its ISO code; empty where it has none."""
    return _distinct(_of_country().get(region.upper(), ()))


@cache
def _spelled() -> dict[str, str]:
    """Return the names of all zones as they are spelled, by their small letters."""
    return {name.lower(): name for name in sorted(zoneinfo.available_timezones() - _NO_PLACES)}


@cache
def _of_country() -> dict[str, tuple[str, ...]]:
    """Read the table of the time zone database: country, place and zone per line."""
    table = importlib.resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8")
    found: dict[str, list[str]] = {}
    for line in table.splitlines():
        if line and not line.startswith("#"):
            country, _, zone, *_ = line.split("\t")
            if zone not in _UNOFFICIAL:
                found.setdefault(country, []).append(zone)
    return {country: tuple(zones) for country, zones in found.items()} | _MISSING


def _of_countries(countries: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(zone for country in countries for zone in _of_country().get(country, ())))


@cache
def _by_prefix() -> dict[str, tuple[str, ...]]:
    """Return the zones by the first digits of a number; the longest that is found holds."""
    import phonenumbers  # noqa: PLC0415 - large, and only needed where numbers have zones
    from phonenumbers.tzdata import TIMEZONE_DATA  # noqa: PLC0415 - as above

    table = {"1": _of_countries(_NO_AREA)} | _by_area(TIMEZONE_DATA)
    for code, countries in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items():
        if code == 1 or not (zones := _of_countries(countries)):
            continue
        table[str(code)] = zones
        if len(countries) > 1:
            table |= _by_country(TIMEZONE_DATA, str(code), countries)
    return table


def _by_area(named: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return the zones of the areas of code 1; its exchanges count as one, for numbers move between them."""
    found: dict[str, set[str]] = {}
    for prefix, names in named.items():
        if prefix.startswith("1") and len(prefix) >= _AREA_DIGITS:
            found.setdefault(prefix[:_AREA_DIGITS], set()).update(names)
    for area, older in _LAID_OVER.items():
        found[area] = found.get(area, set()) | found[older]
    known = set(_of_countries(_of_country()))
    return {area: tuple(sorted(names)) for area, names in found.items() if names <= known}


def _by_country(
    named: Mapping[str, tuple[str, ...]], code: str, countries: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """Return the zones of the countries that share a code, by the prefixes that tell them apart."""
    zones = {country: set(_of_countries([country])) for country in countries}
    found = {}
    for prefix, names in named.items():
        if prefix.startswith(code) and set(names) <= set().union(*zones.values()):
            found[prefix] = _of_countries(country for country in zones if zones[country] & set(names))
    return found


@lru_cache(maxsize=4096)
def _distinct(zones: tuple[str, ...]) -> tuple[str, ...]:
    """Keep the first of those zones whose clocks agree."""
    if len(zones) == 1:
        return zones
    kept: dict[tuple[tuple[timedelta | None, int], ...], str] = {}
    for zone in zones:
        kept.setdefault(_offsets(zone), zone)
    return tuple(kept.values())


@cache
def _offsets(zone: str) -> tuple[tuple[timedelta | None, int], ...]:
    """Return what the clocks of a zone differ from UTC, one after the other, each with how long it lasts."""
    clock = clock_of(zone)
    looks = ((_LOOKED_AT_FROM + n * _LOOKED_AT_EACH).astimezone(clock) for n in range(_LOOKS))
    return tuple((offset, len(list(same))) for offset, same in groupby(looks, datetime.utcoffset))
