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


#: How people and their programs name the column of numbers, language by language.
_NUMBER_NAMES: Final = """
    msisdn, gsm, gsm no, gsm number, phone, phone no, phone number, mobile, mobile no, mobile phone,
    mobile number, mobile phone number, mobile phone no, mobile tel, mobile telephone, mobile (sms),
    cell, cell no, cell phone, cell number, cell phone number, cellular, tel, tel no, telephone, telephone no,
    telephone number, contact number, contact phone, sms number, phone (mobile), phone 1 - value, e164,
    mobil, mobil nr, mobil nummer, mobilnr., mobil telefon, mobil tlf, mobil (sms), mobiltelefon,
    mobiltelefon nr, mobiltelefonnummer, mobiltlf, telefon, telefon nr, telefon mobil, telefon (mobil),
    telefonnummer, tlf, tlf nr, tlf nummer, tlf mobil, tlf. mobil nr, sms nummer, sms nr, mobiilinumero,
    handy, handy nr, handynummer, rufnummer, mobilfunk, mobilfunknummer, mobilrufnummer, telefon handy,
    mobiel, mobiele nummer, mobiel nummer, mobiele telefoon, mobielnr, gsm nummer, gsm nr, telefoon,
    telefoonnummer, telefoon mobiel, telefoonnr, 06 nummer,
    cellulare, numero cellulare, numero di cellulare, numero di telefono, telefono cellulare, n. cellulare,
    n. telefono, telefonino, recapito telefonico, telefono mobile,
    portable, mobile, numéro de portable, numéro portable, numéro mobile, numéro de mobile, n° portable,
    n° de téléphone, n° téléphone, numéro de téléphone, téléphone, téléphone portable, téléphone mobile, tél,
    tél. portable, tél. mobile,
    móvil, teléfono, teléfono móvil, teléfono celular, número de teléfono, número de móvil, número móvil,
    n.º de teléfono, celular, número de celular, número celular, tel. móvil,
    telemóvel, n.º de telemóvel, número de telemóvel, telefone, telefone celular, telefone móvel,
    número de telefone,
    komórka, numer telefonu, numer komórkowy, numer komórki, telefon komórkowy, nr telefonu, nr tel,
    nr komórki, tel. kom., tel. komórkowy,
    mobilní telefon, mobilní číslo, mobilné číslo, mobilný telefón, telefón, telefonní číslo, telefónne číslo,
    číslo telefonu, číslo mobilu, číslo mobilního telefonu, tel. číslo,
    telefonszám, mobilszám, mobiltelefonszám, mobil szám, telefon szám, mobiltelefon szám,
    mobitel, broj mobitela, broj telefona, broj mobilnog telefona, mobilni, mobilni telefon, broj mobilnog,
    telefonska številka, številka mobilnega telefona, gsm številka, številka telefona,
    telefon mobil, număr de telefon, numar telefon, nr. de telefon, număr de mobil, număr mobil,
    мобилен, мобилен телефон, телефонен номер, мобилен номер, мобільний, мобільний телефон, номер телефону,
    телефон мобільний, број телефона, мобилни телефон,
    mobilus, mobilusis telefonas, telefonas, telefono numeris, mobilais, mobilais tālrunis, tālrunis,
    tālruņa numurs, mobiiltelefon, mobiil, mobiili, telefoninumber, mobiilinumber,
    puhelin, puhelinnumero, puh, puh.nro, matkapuhelin, matkapuhelinnumero, kännykkä, kännykkänumero,
    gsm-numero, sími, farsími, farsímanúmer, símanúmer, gsm-símanúmer,
    телефон, номер телефона, мобильный, мобильный номер, мобильный телефон, моб. телефон, сотовый,
    сотовый телефон, κινητό, αριθμός κινητού, κινητό τηλέφωνο, τηλέφωνο, αριθμός τηλεφώνου,
    cep telefonu, cep no, cep tel, cep telefonu numarası, telefon no, telefon numarası, gsm no,
    手机, 手机号, 手机号码, 手機, 手機號碼, 电话, 电话号码, 电话号, 電話, 電話號碼, 電話番号,
    携帯, 携帯電話, 携帯番号, 携帯電話番号,
    휴대폰, 휴대폰번호, 휴대전화, 휴대전화번호, 핸드폰, 핸드폰번호, 전화, 전화번호,
    جوال, رقم الجوال, هاتف, الهاتف, موبايل, الموبايل, رقم الموبايل, رقم الهاتف, شماره موبایل, تلفن همراه,
    شماره تلفن, موبایل, मोबाइल, मोबाइल नंबर, फोन, फोन नंबर, फ़ोन नंबर, מספר טלפון, טלפון, נייד, טלפון נייד,
    số điện thoại, điện thoại, sđt, di động, เบอร์โทร, เบอร์โทรศัพท์, เบอร์มือถือ, โทรศัพท์, หมายเลขโทรศัพท์,
    nomor hp, no hp, no. hp, nomor telepon, no telepon, nomor handphone, handphone, telepon, no. telefon,
    nombor telefon, telefon bimbit, no tel bimbit
"""  # noqa: RUF001 - these letters are meant
_NUMBER_KEYS: Final = frozenset(map(_key, _NUMBER_NAMES.split(",")))

#: Names that are of other numbers as well, such as those of customers: a list of numbers means telephones.
_OTHER_NAMES: Final = "number, nummer, numero, número, numéro, numer, номер, नंबर, 番号, 号码, 번호"
_OTHER_KEYS: Final = frozenset(map(_key, _OTHER_NAMES.split(",")))

_like_a_number: Final = re.compile(r"\W*(?:\d\W*){6,}").fullmatch
_MAX_LISTED: Final = 20
_MAX_SHOWN: Final = 30


def find_number_column(headers: list[str], *, wanted: str | None, is_list: bool = False) -> int:
    """Return the position of the column of numbers.

    Args:
        headers: the cells of the first line.
        wanted: a header, exactly or as its variable name, or None to look for a usual name.
        is_list: it is a list of numbers, so that one that is called just that is one of telephones.

    Raises:
        InputError: ``no_number_column``, naming the columns found.
    """
    found = _candidates(headers, wanted=wanted, is_list=is_list)
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


def _candidates(headers: list[str], *, wanted: str | None, is_list: bool) -> list[int]:
    if wanted is None:
        keys = [_key(header) for header in headers]
        found = [position for position, key in enumerate(keys) if key in _NUMBER_KEYS]
        others = _OTHER_KEYS if is_list else {"numero"}  # as Italians call it
        return found or [place for place, key in enumerate(keys) if key in others]
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
    names = dict.fromkeys(headers[position] for position in found)
    alike = "" if len(names) == len(found) else "rename all but one of those that are called alike"
    if len(names) == 1:
        return f"more than one column is called {next(iter(names))!r}: rename all but one of them"
    several = f"more than one column may hold the numbers ({list_columns(names)})"
    return ", or ".join(filter(None, (f"{several}: name one of them with --column", alike)))


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
