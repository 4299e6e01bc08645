"""Which column holds the numbers, and by which names templates call the others."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from worker.errors import InputError
from worker.text.template import variable_name


def _key(header: str) -> str:
    """Return letters and digits only, without accents: ``Móvil (Nº)`` gives ``movilno``."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", header).casefold())
    return "".join(char for char in folded if char.isalnum())


#: How people name the column of numbers, language by language.
_NUMBER_NAMES: Final = """
    msisdn, gsm, gsm number, phone, phone no, phone number, mobile, mobile no, mobile phone, mobile number,
    mobile phone number, cell, cell no, cell phone, cell number, cell phone number, tel, tel no, telephone,
    telephone no, telephone number, contact number, sms number,
    mobil, mobil nr, mobilnummer, mobiltelefon, mobiltelefonnummer, mobiltlf, telefon, telefon nr,
    telefonnummer, tlf, tlf nr, tlf nummer,
    handy, handy nr, handynummer, rufnummer, mobilfunknummer,
    mobiel, mobiele nummer, mobiel nummer, gsm nummer, telefoon, telefoonnummer,
    cellulare, numero, numero cellulare, numero di cellulare, numero di telefono, telefono cellulare,
    portable, numéro de portable, numéro de téléphone, téléphone, téléphone portable, téléphone mobile,
    móvil, teléfono, teléfono móvil, número de teléfono, número de móvil, celular, número de celular,
    telemóvel, telefone, telefone celular, número de telefone,
    komórka, numer telefonu, telefon komórkowy, nr telefonu,
    puhelin, puhelinnumero, matkapuhelin, matkapuhelinnumero, kännykkä, sími, farsími, símanúmer,
    телефон, номер телефона, мобильный, мобильный телефон, κινητό, τηλέφωνο, cep telefonu,
    手机, 手机号, 手机号码, 电话, 電話番号, 携帯電話, 휴대폰, 전화번호, جوال, هاتف, موبايل, رقم الهاتف,
    नंबर, मोबाइल, फोन, מספר טלפון, טלפון, נייד
"""
_NUMBER_KEYS: Final = frozenset(map(_key, _NUMBER_NAMES.split(",")))

_like_a_number: Final = re.compile(r"\W*(?:\d\W*){6,}").fullmatch
_MAX_LISTED: Final = 20
_MAX_SHOWN: Final = 30


def find_number_column(headers: list[str], *, wanted: str | None) -> int:
    """Return the position of the column of numbers.

    Args:
        headers: the cells of the first line.
        wanted: a header, exactly or as its variable name, or None to look for a usual name.

    Raises:
        InputError: ``no_number_column``, naming the columns found.
    """
    found = _candidates(headers, wanted=wanted)
    if len(found) == 1:
        return found[0]
    raise _no_number_column(headers, wanted=wanted, found=found)


def find_column(headers: list[str], wanted: str) -> int:
    """Return the position of the column with a header, as it is or as its variable name.

    Raises:
        InputError: ``no_such_column``, naming the columns found.
    """
    name = variable_name(wanted)  # which says where a row has the value: it must be the only one of it
    found = [at for at, header in enumerate(headers) if name and variable_name(header) == name]
    if len(found) == 1:
        return found[0]
    words = f"no column is called {wanted!r}: the columns are {list_columns(headers)}"
    if found:
        words = f"more than one column is called {wanted!r}: rename all but one of them"
    raise InputError(words, code="no_such_column", column=wanted)


def name_variables(headers: list[str]) -> tuple[dict[str, int], frozenset[str]]:
    """Return the position of each variable, and the names that more than one column has.

    Of columns with one name the first is kept; columns without a name have no variable.
    """
    positions: dict[str, int] = {}
    twice = set()
    for position, name in enumerate(map(variable_name, headers)):
        if name in positions:
            twice.add(name)
        elif name:
            positions[name] = position
    return positions, frozenset(twice)


def list_columns(headers: Iterable[str]) -> str:
    """Write the columns for a message, few of them and none of them long."""
    names = [header[:_MAX_SHOWN] for header in headers if header]
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    return ", ".join(map(repr, names[:_MAX_LISTED])) + more


def _candidates(headers: list[str], *, wanted: str | None) -> list[int]:
    if wanted is None:
        return [position for position, header in enumerate(headers) if _key(header) in _NUMBER_KEYS]
    exact = [position for position, header in enumerate(headers) if header == wanted.strip()]
    name = variable_name(wanted)
    return exact or [
        position for position, header in enumerate(headers) if name and variable_name(header) == name
    ]


def _no_number_column(headers: list[str], *, wanted: str | None, found: list[int]) -> InputError:
    return InputError(
        _too_many(headers, wanted=wanted, found=found) if found else _none(headers, wanted=wanted),
        code="no_number_column",
        column=wanted,
    )


def _too_many(headers: list[str], *, wanted: str | None, found: list[int]) -> str:
    if wanted is not None:
        return f"more than one column is called {wanted!r}: rename all but one of them"
    several = list_columns(headers[position] for position in found)
    return f"more than one column may hold the numbers ({several}): name one of them with --column"


def _none(headers: list[str], *, wanted: str | None) -> str:
    if any(map(_like_a_number, headers)):  # nothing is listed: these may be recipients
        return (
            "the first line must name the columns, and it seems to hold a recipient already: "
            "put a line such as msisdn,first_name above it"
        )
    missing = (
        "no column has a usual name for numbers" if wanted is None else f"no column is called {wanted!r}"
    )
    return f"{missing}: choose one of {list_columns(headers)} with --column"
