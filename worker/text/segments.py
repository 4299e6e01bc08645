"""Cut a text into the parts that are billed (3GPP TS 23.038, 6.2; TS 23.040, 9.2.3.24.1, 9.2.3.24.8)."""

import enum
import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from worker.errors import InputError
from worker.text import clusters, gsm7


class Encoding(enum.StrEnum):
    """How the characters of a message travel."""

    GSM_7 = "gsm7"
    UCS_2 = "ucs2"


#: What a person may ask for; ``None`` leaves the choice to the text.
CHOICES: Final[dict[str, Encoding | None]] = {"auto": None, "gsm": Encoding.GSM_7, "ucs2": Encoding.UCS_2}


class Measured(NamedTuple):
    """What a text costs.

    Attributes:
        encoding: one for all parts.
        units: septets (GSM-7) or 16 bit units (UCS-2) of the whole text, headers not counted.
        n_parts: the smallest number of parts, at least one.
    """

    encoding: Encoding
    units: int
    n_parts: int


@dataclass(kw_only=True, slots=True)  # not frozen: that would take longer
class Segmented:
    """A text cut into parts; nobody changes it.

    Attributes:
        encoding: one for all parts.
        units: septets (GSM-7) or 16 bit units (UCS-2) of the whole text, headers not counted.
        parts: the text of each part, at least one; joined they are the text.
    """

    encoding: Encoding
    units: int
    parts: list[str] = field(repr=False)


#: Units of a message that travels in one part.
SINGLE: Final = {Encoding.GSM_7: 160, Encoding.UCS_2: 70}

#: Units of each part of a longer message, by the bits of its reference: 6 or 7 of 140 octets are header.
CONCATENATED: Final = {
    8: {Encoding.GSM_7: 153, Encoding.UCS_2: 67},
    16: {Encoding.GSM_7: 152, Encoding.UCS_2: 66},
}

_SHORT: Final = SINGLE[Encoding.GSM_7]

_EURO: Final = "\N{EURO SIGN}"  # the one character of the extension that is not ASCII
_OTHER_EXTENDED: Final = "^"
_FEW: Final = 32

_ASCII_BASIC: Final = "".join(char for char in sorted(gsm7.BASIC) if char.isascii()).encode()
_LATIN_BASIC: Final = "".join(sorted(gsm7.BASIC)).encode("latin-1", "ignore")
_LATIN_EXTENSION: Final = "".join(sorted(gsm7.EXTENSION)).encode("latin-1", "ignore")
_only_basic: Final = re.compile(f"[{re.escape(''.join(sorted(gsm7.BASIC)))}]*").fullmatch
_not_gsm7: Final = re.compile(f"[^{re.escape(''.join(sorted(gsm7.BASIC | gsm7.EXTENSION)))}]").search
_DOUBLE: Final = {  # characters of two units
    Encoding.GSM_7: re.compile(f"[{re.escape(''.join(sorted(gsm7.EXTENSION)))}]"),
    Encoding.UCS_2: re.compile("[\U00010000-\U0010ffff]"),
}


def measure(text: str, *, encoding: Encoding | None = None, udh_bits: int = 8) -> Measured:
    """Count units and parts, as ``segment`` cuts them, without cutting.

    Args:
        text: any text; an empty one is one empty part.
        encoding: asked for, or else the cheapest that holds the text.
        udh_bits: 8 or 16, the width of the reference number in the concatenation header.

    Raises:
        InputError: ``text_not_gsm``, where GSM-7 is asked for and does not hold the text.

    >>> measure("Hello").n_parts
    1
    """
    if encoding is not Encoding.UCS_2 and is_short(text):
        return Measured(Encoding.GSM_7, len(text), 1)
    encoding, n_double = _encoded(text, encoding)
    units = len(text) + n_double
    if units <= SINGLE[encoding]:
        return Measured(encoding, units, 1)
    limit = CONCATENATED[udh_bits][encoding]
    least = -(-units // limit)
    # Each part but the last loses at most one unit to a pair that does not fit.
    if not n_double or least == -(-units // (limit - 1)):
        return Measured(encoding, units, least)
    return Measured(encoding, units, 1 + len(_Cutter(text, encoding, limit=limit).cuts()))


def segment(text: str, *, encoding: Encoding | None = None, udh_bits: int = 8) -> Segmented:
    """Return ``text`` in the smallest number of parts; a pair of units is never divided between two.

    What a reader takes for one character, such as a flag or a letter with its accents, stays in one part too,
    unless that would need a part more: nobody pays for it.

    Args:
        text: any text; an empty one is one empty part.
        encoding: asked for, or else the cheapest that holds the text.
        udh_bits: 8 or 16, the width of the reference number in the concatenation header.

    Raises:
        InputError: ``text_not_gsm``, where GSM-7 is asked for and does not hold the text.

    >>> segment("Hello").parts
    ['Hello']
    """
    encoding, n_double = _encoded(text, encoding)
    units = len(text) + n_double
    if units <= SINGLE[encoding]:
        return Segmented(encoding=encoding, units=units, parts=[text])
    cutter = _Cutter(text, encoding, limit=CONCATENATED[udh_bits][encoding])
    cuts = cutter.cuts()
    if encoding is Encoding.UCS_2 or "\r\n" in text:  # the one cluster of the GSM alphabet
        _move(cuts, text=text, cutter=cutter)
    parts = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return Segmented(encoding=encoding, units=units, parts=parts)


def least_parts(characters: int, *, udh_bits: int) -> int:
    """Return the parts of a text of so many characters if each were a common one."""
    if characters <= _SHORT:
        return 1
    return -(-characters // CONCATENATED[udh_bits][Encoding.GSM_7])


def costly(text: str) -> list[str]:
    """Return the characters, each once and in order, that forced UCS-2 or else that count twice in GSM-7."""
    if is_gsm7(text):
        return list(dict.fromkeys(_DOUBLE[Encoding.GSM_7].findall(text)))
    return [char for char in dict.fromkeys(text) if char not in gsm7.BASIC and char not in gsm7.EXTENSION]


def is_gsm7(text: str) -> bool:
    """Say whether the GSM alphabet and its extension hold the whole text."""
    return not _not_gsm7(text)


def is_short(text: str) -> bool:
    """Say whether a text is one part in GSM-7 and each of its characters one septet, as most texts are."""
    return len(text) <= _SHORT and _is_basic(text)


def _encoded(text: str, wanted: Encoding | None) -> tuple[Encoding, int]:
    """Return the encoding, and how many characters take two units."""
    if wanted is Encoding.UCS_2:
        return Encoding.UCS_2, _n_astral(text)
    if text.isascii() and _is_basic(text):
        return Encoding.GSM_7, 0
    foreign = _not_gsm7(text, 0, _FEW)
    if not foreign:
        if (n_double := _n_extended(text)) is not None:
            return Encoding.GSM_7, n_double
        foreign = _not_gsm7(text)
    if foreign:
        if wanted is Encoding.GSM_7:
            raise _not_sendable_as_gsm(foreign)
        return Encoding.UCS_2, _n_astral(text)
    return Encoding.GSM_7, len(_DOUBLE[Encoding.GSM_7].findall(text))


def _n_extended(text: str) -> int | None:
    """Count the characters of the extension; None where it takes the slower expression to tell."""
    latin = text.replace(_EURO, _OTHER_EXTENDED).encode("latin-1", "ignore")
    extended = latin.translate(None, _LATIN_BASIC)
    if len(latin) != len(text) or extended.translate(None, _LATIN_EXTENSION):
        return None
    return len(extended)


def _n_astral(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2 - len(text)


def _is_basic(text: str) -> bool:
    if text.isascii():
        return not text.encode().translate(None, _ASCII_BASIC)  # three times as fast as the expression
    return _only_basic(text) is not None


def _not_sendable_as_gsm(found: re.Match[str]) -> InputError:
    name = unicodedata.name(found[0], "a character without a name")
    return InputError(
        f"character {found.start() + 1} of the text is U+{ord(found[0]):04X} {name}, "
        "which the GSM alphabet does not have",
        code="text_not_gsm",
    )


class _Cutter:
    """Cuts a text into parts that each take as much as they can."""

    def __init__(self, text: str, encoding: Encoding, *, limit: int) -> None:
        self._n = len(text)
        self._limit = limit
        self._double = [match.start() for match in _DOUBLE[encoding].finditer(text)]
        self._units_before = [n + place for n, place in enumerate(self._double)]

    def cuts(self, start: int = 0) -> list[int]:
        """Return where each further part begins, from a place of the text on."""
        cuts: list[int] = []
        passed = bisect_right(self._double, start - 1)  # characters of two units
        while True:
            # Those whose two units are within the limit, then the first that is not, or whatever else fits.
            fitting = bisect_right(self._units_before, start + passed + self._limit - 2)
            end = start + self._limit - (fitting - passed)
            if fitting < len(self._double):
                end = min(end, self._double[fitting])
            if end >= self._n:
                return cuts
            cuts.append(end)
            start, passed = end, fitting


def _move(cuts: list[int], *, text: str, cutter: _Cutter) -> None:
    """Move each cut before the cluster that it divides, unless that would need a part more."""
    begins: list[int] = []
    for n, cut in enumerate(cuts):
        if clusters.ends_before(text, cut):
            continue
        begins = begins or clusters.begins(text)
        before = begins[cut]
        if before == cut or before <= (cuts[n - 1] if n else 0):  # whole already, or longer than a part
            continue
        moved = [before, *cutter.cuts(before)]
        if n + len(moved) == len(cuts):
            cuts[n:] = moved
