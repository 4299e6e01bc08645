"""A cell as people and spreadsheets leave it, cleaned to what stands for a number."""

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Final

from worker.text.numbers.refusals import refused
from worker.text.numbers.value import Repair

_APOSTROPHES: Final = "'\N{RIGHT SINGLE QUOTATION MARK}"  # a spreadsheet's mark of a cell that is text
_FULLWIDTH_PLUS: Final = "\N{FULLWIDTH PLUS SIGN}"

_exponent: Final = re.compile(r"(\d)(?:[.,](\d+))?E\+?(\d{1,3})", re.IGNORECASE).fullmatch
_decimal: Final = re.compile(r"(\+?\d{5,})[.,]0+").fullmatch
_formula: Final = re.compile(r'=? ?"([+0-9 ().-]+)"|=(\+?\d+)').fullmatch
_begins: Final = re.compile(r"\(*\+?[(\d]").match
_letter: Final = re.compile(r"[^\W\d_]").search
_digit: Final = re.compile(r"\d").search
_usual: Final = re.compile(r"\+?[0-9 ()-]+").fullmatch
_divided: Final = re.compile(r"[+0-9 ().\u2010-\u2015\u2212-]+").fullmatch
_DIVIDERS: Final = dict.fromkeys(map(ord, " ()-.\u2010\u2011\u2012\u2013\u2014\u2015\u2212"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What is left of a cell.

    Attributes:
        number: without what divides its digits where nothing else is in it; its digits are ASCII.
        repairs: what was repaired so far.
    """

    number: str = field(repr=False)
    repairs: tuple[Repair, ...]


def clean(raw: str) -> Written:
    """Drop what cannot be seen and what a spreadsheet does to a number.

    Raises:
        InputError: ``number_empty``, ``number_not_a_number``, ``number_letters``, or ``number_rounded``.
    """
    if _usual(raw) and (number := raw.translate(_DIVIDERS)):
        return Written(number=number, repairs=())
    repairs: list[Repair] = []
    number = raw if raw.isascii() else _in_ascii(raw, repairs=repairs)
    number = " ".join(number.split())
    if number.startswith(tuple(_APOSTROPHES)):
        number = number.lstrip(_APOSTROPHES).strip()
        repairs.append("apostrophe")
    if not number:
        raise refused("number_empty")
    number = _from_spreadsheet(number, repairs=repairs)
    if _letter(number):
        raise refused("number_letters" if _digit(number) else "number_not_a_number")
    if _divided(number):
        number = number.translate(_DIVIDERS) or number
    if not _begins(number):  # the library would pass over it without a word
        raise refused("number_not_a_number")
    return Written(number=number, repairs=tuple(sorted(repairs)))


def _in_ascii(raw: str, *, repairs: list[Repair]) -> str:
    seen = "".join(char for char in raw if unicodedata.category(char) != "Cf")
    if seen != raw:
        repairs.append("hidden_characters")
    digits = "".join(str(unicodedata.decimal(char, char)) for char in seen)
    if digits != seen:
        repairs.append("foreign_digits")
    return digits.replace(_FULLWIDTH_PLUS, "+")


def _from_spreadsheet(number: str, *, repairs: list[Repair]) -> str:
    """Undo what is certain: an equals sign, decimals of nothing, a power of ten that shows every digit.

    Raises:
        InputError: ``number_rounded``: digits are lost.
    """
    if formula := _formula(number):
        repairs.append("spreadsheet_formula")
        number = (formula[1] or formula[2]).strip()
    if decimal := _decimal(number):
        repairs.append("spreadsheet_decimal")
        return decimal[1]
    if exponent := _exponent(number):
        first, fraction, power = exponent[1], exponent[2] or "", int(exponent[3])
        if len(fraction) != power:
            raise refused("number_rounded")
        repairs.append("spreadsheet_exponent")
        return first + fraction
    return number
