"""From a number as people write it to E.164; libphonenumber (the phonenumbers package) is the authority."""

from dataclasses import replace

from worker.text.numbers import quick
from worker.text.numbers.cells import clean
from worker.text.numbers.countries import Countries, check_region
from worker.text.numbers.judging import judge
from worker.text.numbers.value import REPAIRS, Msisdn, Repair

__all__ = ["REPAIRS", "Countries", "Msisdn", "Repair", "check_region", "parse"]


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
    msisdn = (is_clean and quick.read(raw, region=region)) or _parse(raw, region=region)
    if countries is not None:
        countries.check(msisdn)
    return msisdn


def _parse(raw: str, *, region: str | None) -> Msisdn:
    written = clean(raw)
    msisdn = quick.read(written.number, region=region) or judge(written.number, region=region)
    if written.repairs:
        return replace(msisdn, repairs=tuple(sorted({*msisdn.repairs, *written.repairs})))
    return msisdn
