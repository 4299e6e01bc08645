"""What libphonenumber says of a number; the phonenumbers package is the authority."""

import re
from typing import Final

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumber, PhoneNumberType, ValidationResult

from worker.errors import InputError
from worker.text.numbers.readings import Reading, readings_of, with_zero
from worker.text.numbers.refusals import NO_COUNTRY, refused
from worker.text.numbers.value import Msisdn

_MAX_DIGITS: Final = 15  # E.164, 6.1
_MAX_EMERGENCY: Final = 6  # digits; a longer number is not looked up

_LENGTH_CODES: Final = {
    ValidationResult.TOO_SHORT: "number_too_short",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "number_too_short",  # an area code is missing
    ValidationResult.TOO_LONG: "number_too_long",
}

_TAKEN: Final = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})
_COSTLY: Final = {
    PhoneNumberType.PREMIUM_RATE: "this is a premium rate number",
    PhoneNumberType.SHARED_COST: "this is a shared cost number",
}
_NO_MOBILES: Final = {
    PhoneNumberType.FIXED_LINE: "this is a fixed line",
    PhoneNumberType.TOLL_FREE: "this is a toll-free number",
    PhoneNumberType.VOIP: "this is a number of internet telephony",
    PhoneNumberType.PERSONAL_NUMBER: "this is a personal number, which leads to another",
    PhoneNumberType.PAGER: "this is a pager",
    PhoneNumberType.UAN: "this is a number of a company, not of a subscriber",
    PhoneNumberType.VOICEMAIL: "this is a voicemail",
}


def judge(written: str, *, region: str | None) -> Msisdn:
    """Return the number that is certainly meant.

    Mobiles are taken, and fixed lines where the plan does not tell them from mobiles. So is a number that
    fits its plan and is as long as a mobile, though its series is not known: operators open series before any
    table lists them, and a gateway refuses what really does not exist. A reading as a mobile goes first.

    Args:
        written: as ``cells.clean`` leaves it.
        region: ISO code, in capitals, of the country whose numbers may lack their country code.

    Raises:
        InputError: with a code ``number_...``; its message never shows the number.
    """
    _check_form(written, region=region)
    readings = readings_of(written, region=region)
    for reading in readings:
        if reading.kind in _TAKEN and reading.region:
            return _msisdn(reading, region=reading.region)
    for reading in readings:
        _check_kind(reading)
    for reading in readings:
        if place := _fitting(reading):
            return _msisdn(reading, region=place)
    if region and (zero := with_zero(written, region=region)) and zero.kind in _TAKEN and zero.region:
        return _msisdn(zero, region=zero.region)
    raise _invalid(readings[0], region=region)


def _check_form(written: str, *, region: str | None) -> None:
    if region is None:
        if not written.lstrip("(").startswith(("+", "00")):
            raise refused("number_unknown_country", NO_COUNTRY)
    elif len(written) <= _MAX_EMERGENCY and phonenumbers.is_emergency_number(written, region):
        raise refused("number_emergency")


def _check_kind(reading: Reading) -> None:
    if reading.kind in _COSTLY:
        raise refused("number_premium", _COSTLY[reading.kind])
    if reading.kind in _NO_MOBILES:
        raise refused("number_not_mobile", _NO_MOBILES[reading.kind])


def _fitting(reading: Reading) -> str | None:
    """Return the region whose plan the number fits, though its series is not known to be in use."""
    main = phonenumbers.region_code_for_country_code(reading.calling_code)
    metadata = PhoneMetadata.metadata_for_region(main, None)
    if metadata is None or not _is_long_as_mobile(reading.number):
        return None
    pattern = metadata.general_desc.national_number_pattern if metadata.general_desc else None
    if pattern is None or not re.fullmatch(pattern, reading.national):
        return None
    return reading.region or main


def _is_long_as_mobile(number: PhoneNumber) -> bool:
    reason = phonenumbers.is_possible_number_for_type_with_reason(number, PhoneNumberType.MOBILE)
    return reason == ValidationResult.IS_POSSIBLE


def _msisdn(reading: Reading, *, region: str) -> Msisdn:
    digits = f"{reading.calling_code}{reading.national}"
    if len(digits) > _MAX_DIGITS:  # some countries have service numbers that cannot be called from abroad
        raise refused("number_too_long")
    return Msisdn(
        e164="+" + digits, region=region, calling_code=reading.calling_code, repairs=reading.repairs
    )


def _invalid(reading: Reading, *, region: str | None) -> InputError:
    length = phonenumbers.is_possible_number_with_reason(reading.number)
    code = _LENGTH_CODES.get(length, "number_invalid")
    if region and phonenumbers.is_valid_short_number_for_region(reading.number, region):
        return refused("number_short_code")
    country = phonenumbers.region_code_for_country_code(reading.calling_code)
    if country not in phonenumbers.SUPPORTED_REGIONS:
        return refused(code)
    return refused(code, country=country)
