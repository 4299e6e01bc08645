"""Filters of a template for dates, times, numbers and amounts (Unicode CLDR, through Babel).

What is read has one meaning or is refused. What is written holds the plain space, hyphen and apostrophe in
the place of those of CLDR, which would turn the whole text into UCS-2.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache
from typing import Final, TypeAlias

from babel import Locale, UnknownLocaleError, dates, numbers

Number: TypeAlias = str | int | float | Decimal


class Unreadable(ValueError):
    """A filter cannot do what it is asked; the message says why, and does not show the value.

    Attributes:
        filter: its name; empty until the template says it.
        value: what it was given.
    """

    filter = ""
    value: object = None


_MAX_LOCALES: Final = 40  # Babel keeps what it has read of each
_MAX_PATTERN: Final = 100
_MAX_NUMBER: Final = 40
_NAMED: Final = frozenset({"short", "medium", "long", "full"})
_PLAIN: Final = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2212": "-", "\u2019": "'"})

_language: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}").fullmatch
_number: Final = re.compile(
    r"([+-]?)(\d{1,3}([., '\u00a0\u202f\u2019])\d{3}(?:\3\d{3})*|\d+)(?:([.,])(\d+))?", re.ASCII
).fullmatch
_date: Final = re.compile(r"(\d{1,4})([-./])(\d{1,2})\2(\d{1,4})", re.ASCII).fullmatch
_time: Final = re.compile(
    r"(\d{1,2})[:.](\d\d)(?:[:.](\d\d)(?:\.\d+)?)?(?: ?([ap])\.?m\.?)?", re.ASCII
).fullmatch
_locales: Final[dict[str, Locale]] = {}
_quoted: Final = re.compile("'[^']*'")
_of_a_zone: Final = re.compile("[zZvVOXx]").search


def date_text(value: str, pattern: str = "long", *, locale: str, order: str | None = None) -> str:
    """Write a date, or a date with its time of day.

    Args:
        value: ``2026-11-22``, ``22.11.2026``, or with ``order`` any of ``22/11/2026`` and ``11-22-2026``; a
            time of day may follow.
        pattern: ``short``, ``medium``, ``long``, ``full``, or CLDR's letters, such as ``EEEE d. MMMM``.
        locale: such as ``da`` or ``pt-BR``.
        order: ``dmy`` or ``mdy``.

    Raises:
        Unreadable: the value, the pattern or the locale cannot be used.

    >>> date_text("2026-11-22", locale="da")
    '22. november 2026'
    """
    day, at = _moment(value, order)
    if at and pattern not in _NAMED:
        moment = datetime.combine(day, at)
        return _written(lambda known: dates.format_datetime(moment, pattern, locale=known), pattern, locale)
    return _written(lambda known: dates.format_date(day, pattern, locale=known), pattern, locale)


def time_text(value: str, pattern: str = "short", *, locale: str, order: str | None = None) -> str:
    """Write the time of day of a value that is one, or ends with one; else as ``date_text``.

    >>> time_text("2026-11-22 14:30", locale="en")
    '2:30 PM'
    """
    at = _clock(value.strip()) or _moment(value, order)[1]
    if at is None:
        raise Unreadable("the value has no time of day")
    return _written(lambda known: dates.format_time(at, pattern, locale=known), pattern, locale)


def number_text(
    value: Number, decimals: int | None = None, *, locale: str, decimal: str | None = None
) -> str:
    """Write a number, rounded to ``decimals`` where they are given.

    Raises:
        Unreadable: the value or the locale cannot be used.

    >>> number_text("1234.5", 2, locale="da")
    '1.234,50'
    """
    read = number(value, decimal=decimal)
    if decimals is not None and not 0 <= decimals <= 10:  # noqa: PLR2004 -- more than any amount has
        raise Unreadable("decimals are 0 to 10")
    places = max(0, -int(read.as_tuple().exponent)) if decimals is None else decimals
    pattern = f"#,##0.{'0' * places}" if places else "#,##0"
    return _written(
        lambda known: numbers.format_decimal(rounded(read, places), pattern, locale=known), "", locale
    )


def money_text(value: Number, currency: str, *, locale: str, decimal: str | None = None) -> str:
    """Write an amount with its currency, as ISO 4217 names it.

    Raises:
        Unreadable: the value, the currency or the locale cannot be used.

    >>> money_text("1234.5", "EUR", locale="de")
    '1.234,50 €'
    """
    read = number(value, decimal=decimal)
    if currency not in _currencies():
        raise Unreadable("it needs a currency of three capital letters, such as EUR")
    places = numbers.get_currency_precision(currency)
    return _written(
        lambda known: numbers.format_currency(rounded(read, places), currency, locale=known), "", locale
    )


def number(value: Number, *, decimal: str | None = None) -> Decimal:
    """Read a number; ``1.234`` has two meanings unless ``decimal`` says which sign begins the decimals.

    Raises:
        Unreadable: it is none, or has two meanings.
    """
    if isinstance(value, int | float | Decimal):
        read = Decimal(str(value))
        if not read.is_finite():
            raise Unreadable("the value is no number")
        return read
    found = _number(value.strip()) if len(value) <= _MAX_NUMBER else None
    if not found or found[4] == (found[3] or ""):
        raise Unreadable("the value is no number")
    sign, whole, group, point, rest = found.groups()
    if group and group in ".," and not point and whole.count(group) == 1:
        return _one_of_two(sign, whole, group, decimal)
    if decimal is not None and (group == decimal or (point or decimal) != decimal):
        raise Unreadable("the value is no number with this decimal sign")
    return Decimal(sign + re.sub(r"[^0-9]", "", whole) + (f".{rest}" if rest else ""))


def rounded(read: Decimal, decimals: int) -> Decimal:
    """Round as people do: a half goes away from zero."""
    return read.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def _one_of_two(sign: str, whole: str, group: str, decimal: str | None) -> Decimal:
    """Read one sign before three digits: a group of thousands or decimals."""
    before, after = whole.split(group)
    if group == decimal or int(before) == 0:
        return Decimal(f"{sign}{before}.{after}")
    if decimal is None:
        raise Unreadable("a value such as 1.234 has two meanings: say decimal='.' or decimal=','")
    return Decimal(sign + before + after)


def _moment(value: str, order: str | None) -> tuple[date, time | None]:
    day, _, rest = value.strip().replace("T", " ").partition(" ")
    found, at = _date(day), _clock(rest.strip()) if rest else None
    if not found or (rest and at is None):
        raise Unreadable("the value is no date such as 2026-11-22, or none that it reads")
    first, sign, second, third = found[1], found[2], int(found[3]), found[4]
    try:
        if len(first) == 4 and len(third) <= 2:  # noqa: PLR2004 -- a year, and a day
            return date(int(first), second, int(third)), at
        if len(third) == 4 and len(first) <= 2:  # noqa: PLR2004
            month_first = _is_month_first(sign, order)
            month, n = (int(first), second) if month_first else (second, int(first))
            return date(int(third), month, n), at
    except ValueError as error:
        if isinstance(error, Unreadable):
            raise
    raise Unreadable("the value is a date that does not exist, or has no year of four digits")


def _is_month_first(sign: str, order: str | None) -> bool:
    if order in ("dmy", "mdy"):
        return order == "mdy"
    if order is None and sign == ".":
        return False
    raise Unreadable("a date such as 05/11/2026 has two meanings: say order='dmy' or order='mdy'")


def _clock(text: str) -> time | None:
    found = _time(text)
    if not found:
        return None
    hour, half = int(found[1]), found[4]
    if half and 1 <= hour <= 12:  # noqa: PLR2004 -- of a clock
        hour = hour % 12 + (12 if half == "p" else 0)
    elif half:
        return None
    try:
        return time(hour, int(found[2]), int(found[3] or 0))
    except ValueError:
        return None


def _written(write: Callable[[Locale], str], pattern: str, locale: str) -> str:
    if len(pattern) > _MAX_PATTERN or _of_a_zone("" if pattern in _NAMED else _quoted.sub("", pattern)):
        raise Unreadable("the pattern is too long, or asks for a time zone")
    try:
        return write(_known(locale)).translate(_PLAIN)
    except Unreadable:
        raise
    except AttributeError:
        pass  # a date was asked for its time of day, or the other way round
    except (ValueError, TypeError, KeyError, InvalidOperation):
        raise Unreadable("it cannot write the value in this way") from None
    raise Unreadable("the pattern asks for what the value does not have, such as its time of day")


def is_locale(name: str) -> bool:
    """Say whether CLDR has a language by this name, such as ``da`` or ``pt_BR``."""
    try:
        _known(name)
    except Unreadable:
        return False
    return True


def _known(locale: str) -> Locale:
    try:
        return _locales[locale]
    except KeyError:
        pass
    if _language(locale) and len(_locales) < _MAX_LOCALES:
        with suppress(UnknownLocaleError, ValueError):
            return _locales.setdefault(locale, Locale.parse(locale.replace("-", "_")))
    raise Unreadable("it names no known language, such as 'da' or 'pt-BR'")


@cache
def _currencies() -> frozenset[str]:
    return frozenset(numbers.list_currencies())
