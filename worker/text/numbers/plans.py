"""Numbering plans as regular expressions, made from libphonenumber's tables.

Each expression says exactly what the library would say of a national number in ASCII digits, or less: where
an expression does not match, the library is to be asked.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberDesc, PhoneNumberType

from worker.text.numbers.value import Repair

Match = Callable[[str], re.Match[str] | None]

_MAX_DIGITS: Final = 15  # E.164, 6.1
_SPECIAL: Final = (
    "premium_rate",
    "toll_free",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)
_NO_COUNTRY: Final = "001"
_NOTHING: Final = r"(?!)"

#: Calling codes of countries, in digits; those of no country are rare enough to be left to the library.
CODES: Final = frozenset(
    str(code)
    for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()
    if regions != (_NO_COUNTRY,)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The numbers of one region behind a calling code.

    Attributes:
        leads: whether the first digits alone put a number here; None: they do not.
        knows: every series that is known, of whatever kind.
        takes: mobiles, and fixed lines that cannot be told from them.
        leaves_open: numbers of unknown series that fit the plan and are as long as a mobile.
    """

    region: str
    leads: Match | None
    knows: Match
    takes: Match
    leaves_open: Match


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """How numbers are written inside a region.

    Attributes:
        code: the calling code, in digits.
        prefix: finds what may be dialled before a number, such as 0.
        puts_in: whether the prefix may stand for other digits, where its last group is found.
        dials_00: whether 00, and nothing else, leads abroad.
        stays: whether the way abroad is not at the beginning.
        is_plain: the same, and no prefix either.
        fits: whether the library takes a prefix away before such a number.
        bare: what was repaired in a number without its trunk prefix.
    """

    code: str
    prefix: Match
    puts_in: bool
    dials_00: bool
    stays: Match
    is_plain: Match
    fits: Match
    bare: tuple[Repair, ...]


@cache
def plans_of(code: str) -> tuple[Plan, ...]:
    """Return the plans behind one of ``CODES``, in the library's order."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)]
    tables = [(region, _table(region)) for region in regions]
    prefix = _not_before(_prefix(tables[0][1]))
    is_alone = len(tables) == 1
    return tuple(
        _plan(region, table, prefix=prefix, is_alone=is_alone, longest=_MAX_DIGITS - len(code))
        for region, table in tables
    )


@cache
def home_of(region: str) -> Home:
    """Return how numbers are written in a supported region."""
    table = _table(region)
    prefix, abroad = _prefix(table), table.international_prefix or _NOTHING
    return Home(
        code=str(table.country_code),
        prefix=_compiled(prefix).match,
        puts_in=bool(table.national_prefix_transform_rule),
        dials_00=abroad == "00",
        stays=_compiled(f"(?!{abroad})").match,
        is_plain=_compiled(f"{_not_before(prefix)}(?!{abroad})").match,
        fits=_compiled(_whole(table.general_desc)).match,
        bare=("leading_zero",) if has_zero_at_home(table.country_code or 0) else (),
    )


@cache
def has_zero_at_home(calling_code: int) -> bool:
    """Return whether mobiles are written with a zero in front inside the country, and without it abroad."""
    region = phonenumbers.region_code_for_country_code(calling_code)
    example = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
    if example is None or _table(region).national_prefix != "0":
        return False
    written = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.NATIONAL)
    return written.lstrip("(").startswith("0")


def _table(region: str) -> PhoneMetadata:
    table = PhoneMetadata.metadata_for_region(region, None)
    if table is None:
        raise ValueError(region)
    return table


def _plan(region: str, table: PhoneMetadata, *, prefix: str, is_alone: bool, longest: int) -> Plan:
    plan = _whole(table.general_desc, longest=longest)
    special = "|".join(_whole(getattr(table, name)) for name in _SPECIAL)
    fixed = _whole(table.fixed_line)
    mobile = fixed if table.same_mobile_and_fixed_line_pattern else _whole(table.mobile)
    long_as_mobile = f"(?={_length(table.mobile)})"
    leads = None if is_alone else table.leading_digits
    return Plan(
        region=region,
        leads=_compiled(leads).match if leads else None,
        knows=_compiled(f"(?={plan})(?:{special}|{fixed}|{mobile})").match,
        takes=_compiled(f"{prefix}(?={plan})(?!{special}){mobile}").match,
        leaves_open=_compiled(f"{prefix}{long_as_mobile}(?!{special}|{fixed}|{mobile}){plan}").match,
    )


def _whole(desc: PhoneNumberDesc | None, *, longest: int = 99) -> str:
    """Return an expression for exactly what a table's entry allows."""
    if desc is None or not desc.national_number_pattern:
        return _NOTHING
    return rf"(?:(?={_length(desc, longest=longest)})(?:{desc.national_number_pattern})\Z)"


def _length(desc: PhoneNumberDesc | None, *, longest: int = 99) -> str:
    lengths = desc.possible_length if desc else ()
    allowed = "|".join(rf"\d{{{length}}}" for length in lengths if 0 < length <= longest)
    return rf"(?:{allowed})\Z" if allowed else _NOTHING


def _prefix(table: PhoneMetadata) -> str:
    return table.national_prefix_for_parsing or _NOTHING


def _not_before(prefix: str) -> str:
    """Refuse a prefix that has a length: some tables' match the empty string too."""
    return rf"(?!(?:{prefix})(?!\A))"


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)
