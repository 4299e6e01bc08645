"""A subscriber number, and what had to be repaired in the way it was written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Repair = Literal[
    "apostrophe",
    "foreign_digits",
    "hidden_characters",
    "international_prefix",
    "leading_zero",
    "missing_plus",
    "national_prefix",
    "spreadsheet_decimal",
    "spreadsheet_exponent",
    "spreadsheet_formula",
]

#: What each repair is, for people: only what is certain is repaired.
REPAIRS: Final[Mapping[Repair, str]] = {
    "apostrophe": "a spreadsheet's apostrophe was taken off",
    "foreign_digits": "digits of another script were read",
    "hidden_characters": "characters that cannot be seen were taken out",
    "international_prefix": "a double zero was read as the plus, though the country dials another prefix",
    "leading_zero": "the zero in front was lost and was put back",
    "missing_plus": "the country code had no plus",
    "national_prefix": "the prefix that is dialled inside the country only was taken out",
    "spreadsheet_decimal": "a spreadsheet's decimals were taken off",
    "spreadsheet_exponent": "a spreadsheet's power of ten, which showed every digit, was written out",
    "spreadsheet_formula": "a spreadsheet's equals sign, or the quotes around it, were taken off",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Msisdn:
    """A number that can be sent a text.

    Attributes:
        e164: with plus, at most 15 digits.
        region: ISO 3166 code such as ``DK``, or ``001`` for a number of no country.
        calling_code: such as 45.
        repairs: what was repaired, in the order of ``REPAIRS``; most have none.
    """

    e164: str = field(repr=False)
    region: str
    calling_code: int
    repairs: tuple[Repair, ...] = ()
