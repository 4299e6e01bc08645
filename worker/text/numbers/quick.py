"""Numbers that are written as most are, read without libphonenumber's own parser, which is far slower.

What is found here is what ``judging`` would find; what is not found may still be a number.
"""

from worker.text.numbers.plans import CODES, Home, Plan, home_of, plans_of
from worker.text.numbers.value import Msisdn, Repair


def read(number: str, *, region: str | None) -> Msisdn | None:
    """Return the number, or None where only the library can tell.

    Args:
        number: digits, with or without a plus; anything else finds nothing.
        region: ISO code, in capitals, of the country whose numbers may lack their country code.
    """
    if number[:1] == "+":
        return _abroad(number)
    home = None if region is None else home_of(region)
    if number[:2] == "00":
        return _abroad("+" + number[2:]) if home is None or home.dials_00 else None
    return None if home is None else _at_home(number, home=home)


def _abroad(number: str) -> Msisdn | None:
    for length in (3, 2, 4):  # of plus and code; most codes have two digits
        if (code := number[1:length]) in CODES:
            return _found(number[length:], code=code)
    return None


def _at_home(number: str, *, home: Home) -> Msisdn | None:
    code = home.code
    if not home.is_plain(number):
        return _after_prefix(number, home=home)
    if not number.startswith(code):
        return _found(number, code=code, repairs=home.bare)
    if found := _found(number, code=code, repairs=home.bare, is_certain=True):
        return found
    rest = number[len(code) :]
    return _found(rest, code=code, repairs=("missing_plus",), is_certain=True)


def _after_prefix(number: str, *, home: Home) -> Msisdn | None:
    prefix = home.prefix(number)
    if not prefix or not prefix.end() or not home.stays(number):
        return None
    if home.puts_in and prefix[prefix.re.groups]:
        return None
    if number.startswith(home.code) and prefix[0] != home.code:
        return None
    rest = number[prefix.end() :]
    return _found(rest, code=home.code) if home.fits(rest) else None


def _found(
    national: str, *, code: str, repairs: tuple[Repair, ...] = (), is_certain: bool = False
) -> Msisdn | None:
    """Find the region of a national number; ``is_certain``: only of a series that the library knows."""
    plans = plans_of(code)
    for plan in plans:
        if plan.leads is not None and not plan.leads(national):
            continue
        if plan.takes(national):
            return _msisdn(national, code=code, plan=plan, repairs=repairs)
        if plan.leads is not None or plan.knows(national):
            return None
    if is_certain or not plans[0].leaves_open(national):
        return None
    return _msisdn(national, code=code, plan=plans[0], repairs=repairs)


def _msisdn(national: str, *, code: str, plan: Plan, repairs: tuple[Repair, ...]) -> Msisdn:
    return Msisdn(e164=f"+{code}{national}", region=plan.region, calling_code=int(code), repairs=repairs)
