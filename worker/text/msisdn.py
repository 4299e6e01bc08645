"""From a number as people write it to E.164; libphonenumber (the phonenumbers package) is the authority."""

import re
from dataclasses import replace
from typing import Final

from worker.errors import InputError
from worker.text.numbers import quick
from worker.text.numbers.cells import clean
from worker.text.numbers.countries import Countries, check_region
from worker.text.numbers.judging import judge
from worker.text.numbers.refusals import refused
from worker.text.numbers.value import REPAIRS, Msisdn, Repair

__all__ = ["REPAIRS", "Countries", "Msisdn", "Repair", "check_region", "parse"]

_between: Final = re.compile(r"[/;,|&\n]").split  # two numbers


def parse(raw: str, *, region: str | None, countries: Countries | None = None) -> Msisdn:
    """Read a number.

    Args:
        raw: a cell as found: spaces, dashes, brackets, invisible characters, foreign digits are understood.
        region: ISO code, in capitals, of the country whose numbers may lack their country code.
        countries: where it may be; None: anywhere.

    Raises:
        InputError: with a code ``number_...``; its message never shows the number.

    >>> parse("20 30 40 50", region="DK").e164
    '+4520304050'
    """
    is_clean = raw[1:].isdecimal()
    msisdn = (is_clean and quick.read(raw, region=region)) or _parsed(raw, region=region)
    if countries is not None:
        countries.check(msisdn)
    return msisdn


def _parsed(raw: str, *, region: str | None) -> Msisdn:
    try:
        return _parse(raw, region=region)
    except InputError:
        if _are_several(raw, region=region):
            raise refused("number_two") from None
        raise


def _are_several(raw: str, *, region: str | None) -> bool:
    """Say whether each piece of a cell is a number; one without a country is of that of the first."""
    first, *others = _between(raw)
    if not others:
        return False
    try:
        found = _parse(first, region=region)
        for other in others:
            _parse(other, region=region or found.region)
    except InputError:
        return False
    return True


def _parse(raw: str, *, region: str | None) -> Msisdn:
    written = clean(raw)
    msisdn = quick.read(written.number, region=region) or judge(written.number, region=region)
    if written.repairs:
        return replace(msisdn, repairs=tuple(sorted({*msisdn.repairs, *written.repairs})))
    return msisdn
