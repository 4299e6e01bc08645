"""From a number as people write it to E.164; libphonenumber (the phonenumbers package) is the authority."""

import contextlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import phonenumbers
from phonenumbers import (
    NumberParseException,
    PhoneMetadata,
    PhoneNumber,
    ValidationResult,
    country_code_for_region,
)

from worker.errors import ConfigError, InputError


@dataclass(frozen=True, kw_only=True, slots=True)
class Msisdn:
    """A valid subscriber number.

    Attributes:
        e164: with plus, at most 15 digits.
        region: ISO 3166 code such as ``DK``, or ``001`` for a number of no country.
        calling_code: such as 45.
    """

    e164: str = field(repr=False)
    region: str
    calling_code: int


_MAX_DIGITS: Final = 15  # E.164, 6.1
_APOSTROPHES: Final = "'\N{RIGHT SINGLE QUOTATION MARK}"  # a spreadsheet's mark of a cell that is text

_SPREADSHEET_ROUNDED: Final = re.compile(r"\d([.,]\d+)?E\+?\d+", re.IGNORECASE).fullmatch
_SPREADSHEET_DECIMAL: Final = re.compile(r"(\+?\d{5,})[.,]0+").fullmatch
_HAS_LETTER: Final = re.compile(r"[^\W\d_]").search
_PLUS: Final = "+\N{FULLWIDTH PLUS SIGN}"

_SENTENCES: Final = {
    "number_empty": "there is no number",
    "number_not_a_number": "this is not a number",
    "number_too_short": "the number has too few digits for its country",
    "number_too_long": "the number has too many digits for its country",
    "number_unknown_country": "no country has this country code",
    "number_invalid": "the number does not exist in the numbering plan of its country",
}
_ROUNDED: Final = "the spreadsheet has rounded this number: format the column as text and enter it again"
_NO_COUNTRY: Final = "the number has no country code: write it with a plus, or give --country"

_PARSE_CODES: Final = {
    NumberParseException.INVALID_COUNTRY_CODE: "number_unknown_country",
    NumberParseException.NOT_A_NUMBER: "number_not_a_number",
    NumberParseException.TOO_SHORT_AFTER_IDD: "number_too_short",
    NumberParseException.TOO_SHORT_NSN: "number_too_short",
    NumberParseException.TOO_LONG: "number_too_long",
}
_LENGTH_CODES: Final = {
    ValidationResult.TOO_SHORT: "number_too_short",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "number_too_short",  # an area code is missing
    ValidationResult.TOO_LONG: "number_too_long",
}


def check_region(region: str) -> str:
    """Return a country's ISO code in capitals.

    Raises:
        ConfigError: no numbering plan has this code.
    """
    code = region.strip().upper()
    if code in phonenumbers.SUPPORTED_REGIONS:
        return code
    hint = "GB" if code == "UK" else "DK or GB"
    raise ConfigError(f"country {region!r} is not known: write its two-letter ISO code, such as {hint}")


def parse(raw: str, *, region: str | None) -> Msisdn:
    """Read a number.

    Args:
        raw: a cell as found: spaces, dashes, brackets, invisible characters, foreign digits are understood.
        region: ISO code, in capitals, of the country whose numbers may lack their country code.

    Raises:
        InputError: with a code ``number_...``; its message never shows the number.

    >>> parse("20 30 40 50", region="DK").e164
    '+4520304050'
    """
    written = _clean(raw)
    if not written:
        raise _refused("number_empty")
    if _HAS_LETTER(written):
        raise _refused("number_not_a_number", _ROUNDED if _SPREADSHEET_ROUNDED(written) else None)
    if region is None and not written.startswith((*_PLUS, "00", "(+", "(00")):
        raise _refused("number_unknown_country", _NO_COUNTRY)
    return _first_valid(_readings(written, region=region))


def _clean(raw: str) -> str:
    """Drop what cannot be seen, and what a spreadsheet puts around a number."""
    if not raw.isascii():
        raw = "".join(char for char in raw if unicodedata.category(char) != "Cf")
    written = " ".join(raw.split()).lstrip(_APOSTROPHES).strip()
    decimal = _SPREADSHEET_DECIMAL(written)
    return decimal[1] if decimal else written


def _readings(written: str, *, region: str | None) -> Iterator[PhoneNumber]:
    """Yield what the number may be, the likeliest first.

    Raises:
        InputError: the first reading fails already.
    """
    bare = written.lstrip("(")
    if region is None and bare.startswith("00"):
        yield _read("+" + bare[2:], region=None)
        return
    yield _read(written, region=region)
    if region is None or bare.startswith(tuple(_PLUS)):
        return
    if bare.startswith("00"):  # the common prefix, where the country has another
        yield _read("+" + bare[2:], region=None)
    elif (number := _read("+" + bare, region=None)).country_code == country_code_for_region(region):
        yield number


def _first_valid(readings: Iterator[PhoneNumber]) -> Msisdn:
    found = [next(readings)]
    with contextlib.suppress(InputError):  # the first reading is the one to complain about
        found.extend(readings)
    for check in (_allocated, _plausible):
        for number in found:
            if msisdn := check(number):
                return msisdn
    raise _refused(_LENGTH_CODES.get(phonenumbers.is_possible_number_with_reason(found[0]), "number_invalid"))


def _read(written: str, *, region: str | None) -> PhoneNumber:
    code = "number_not_a_number"
    try:
        number = phonenumbers.parse(written, region)
    except NumberParseException as error:
        code = _PARSE_CODES[error.error_type]
    else:
        if not number.extension:
            return number
    raise _refused(code)


def _allocated(number: PhoneNumber) -> Msisdn | None:
    """Take a number of a series that the library knows to be in use."""
    region = phonenumbers.region_code_for_number(number)
    if region is None or not phonenumbers.is_valid_number_for_region(number, region):
        return None
    return _msisdn(number, region=region)


def _plausible(number: PhoneNumber) -> Msisdn | None:
    """Take a number that fits its country's plan, though its series is not known to be in use.

    Operators open series before any table lists them; a gateway refuses what really does not exist.
    """
    region = phonenumbers.region_code_for_country_code(number.country_code or 0)
    metadata = PhoneMetadata.metadata_for_region(region, None)
    if metadata is None or not phonenumbers.is_possible_number(number):
        return None
    pattern = metadata.general_desc.national_number_pattern if metadata.general_desc else None
    if pattern is None or not re.fullmatch(pattern, phonenumbers.national_significant_number(number)):
        return None
    return _msisdn(number, region=region)


def _msisdn(number: PhoneNumber, *, region: str) -> Msisdn:
    digits = f"{number.country_code}{phonenumbers.national_significant_number(number)}"
    if len(digits) > _MAX_DIGITS:  # some countries have service numbers that cannot be called from abroad
        raise _refused("number_too_long")
    return Msisdn(e164="+" + digits, region=region, calling_code=number.country_code or 0)


def _refused(code: str, sentence: str | None = None) -> InputError:
    return InputError(sentence or _SENTENCES[code], code=code)
