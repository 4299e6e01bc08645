"""What a number may be: the readings of libphonenumber, and what each had to repair."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import phonenumbers
from phonenumbers import (
    CountryCodeSource,
    NumberParseException,
    PhoneMetadata,
    PhoneNumber,
    country_code_for_region,
)

from worker.errors import InputError
from worker.text.numbers.plans import has_zero_at_home
from worker.text.numbers.refusals import refused
from worker.text.numbers.value import Repair

_PARSE_CODES: Final = {
    NumberParseException.INVALID_COUNTRY_CODE: "number_unknown_country",
    NumberParseException.NOT_A_NUMBER: "number_not_a_number",
    NumberParseException.TOO_SHORT_AFTER_IDD: "number_too_short",
    NumberParseException.TOO_SHORT_NSN: "number_too_short",
    NumberParseException.TOO_LONG: "number_too_long",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A number as the library understands it, allocated or not.

    Attributes:
        national: its digits behind the calling code, leading zeros that belong to it included.
        region: where the library finds its series; None: nowhere.
        kind: a ``PhoneNumberType``; ``UNKNOWN``: the library knows of no such series.
    """

    number: PhoneNumber = field(repr=False)
    national: str = field(repr=False)
    calling_code: int
    region: str | None
    kind: int
    repairs: tuple[Repair, ...]


def readings_of(written: str, *, region: str | None) -> list[Reading]:
    """Return what the number may be, the likeliest first.

    Raises:
        InputError: there is none; the message is about the likeliest.
    """
    readings = _readings(written, region=region)
    found = [next(readings)]
    with contextlib.suppress(InputError):
        found.extend(readings)
    return found


def with_zero(written: str, *, region: str) -> Reading | None:
    """Read a number of a plan whose numbers begin with zeros as if a spreadsheet had eaten one."""
    if not written.isdecimal() or written.startswith("0"):
        return None
    with contextlib.suppress(InputError):
        reading = _read("0" + written, region=region, repairs=("leading_zero",))
        return reading if reading.national == "0" + written else None
    return None


def _readings(written: str, *, region: str | None) -> Iterator[Reading]:
    bare = written.lstrip("(")
    if region is None and bare.startswith("00"):
        yield _read("+" + bare[2:], region=None)
        return
    yield _read(written, region=region)
    if region is None or bare.startswith("+"):
        return
    if bare.startswith("00"):  # the common prefix, where the country has another
        yield _read("+" + bare[2:], region=None, repairs=("international_prefix",))
        return
    reading = _read("+" + bare, region=None, repairs=_without_plus(region))
    if reading.calling_code == country_code_for_region(region):
        yield reading


def _read(written: str, *, region: str | None, repairs: tuple[Repair, ...] = ()) -> Reading:
    try:
        number = phonenumbers.parse(written, region, keep_raw_input=True)
    except NumberParseException as error:
        raise refused(_PARSE_CODES[error.error_type]) from None
    if number.extension:
        raise refused("number_not_a_number")
    found_in = phonenumbers.region_code_for_number(number)
    return Reading(
        number=number,
        national=phonenumbers.national_significant_number(number),
        calling_code=number.country_code or 0,
        region=found_in,
        kind=phonenumbers.number_type(number),
        repairs=(*repairs, *_repairs(number, digits=re.sub(r"\D", "", written), region=region)),
    )


def _repairs(number: PhoneNumber, *, digits: str, region: str | None) -> Iterator[Repair]:
    national = phonenumbers.national_significant_number(number)
    is_whole = digits.endswith(f"{number.country_code}{national}")
    source = number.country_code_source
    if source == CountryCodeSource.FROM_NUMBER_WITHOUT_PLUS_SIGN and region is not None:
        yield from _without_plus(region)
    if source == CountryCodeSource.FROM_DEFAULT_COUNTRY:
        if digits == national and has_zero_at_home(number.country_code or 0):
            yield "leading_zero"
    elif not is_whole:
        yield "national_prefix"


def _without_plus(region: str) -> tuple[Repair, ...]:
    """In North America the calling code is what is dialled inside the country too."""
    table = PhoneMetadata.metadata_for_region(region, None)
    is_usual = table is not None and table.national_prefix == str(table.country_code)
    return () if is_usual else ("missing_plus",)
