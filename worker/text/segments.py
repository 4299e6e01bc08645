"""Cut a text into the parts that are billed (3GPP TS 23.038, 6.2; TS 23.040, 9.2.3.24.1, 9.2.3.24.8)."""

import enum
import re
from dataclasses import dataclass, field
from typing import Final

from worker.text import gsm7


class Encoding(enum.StrEnum):
    """How the characters of a message travel."""

    GSM_7 = "gsm7"
    UCS_2 = "ucs2"


@dataclass(frozen=True, kw_only=True, slots=True)
class Segmented:
    """A text cut into parts.

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

_only_basic: Final = re.compile(f"[{re.escape(''.join(sorted(gsm7.BASIC)))}]*").fullmatch
_only_gsm7: Final = re.compile(f"[{re.escape(''.join(sorted(gsm7.BASIC | gsm7.EXTENSION)))}]*").fullmatch
_extensions: Final = re.compile(f"[{re.escape(''.join(sorted(gsm7.EXTENSION)))}]").findall
_astral: Final = re.compile("[\U00010000-\U0010ffff]").findall


def segment(text: str, *, udh_bits: int = 8) -> Segmented:
    """Return ``text`` in the smallest number of parts; a pair of units is never divided between two.

    Args:
        text: any text; an empty one is one empty part.
        udh_bits: 8 or 16, the width of the reference number in the concatenation header.

    >>> segment("Hello").parts
    ['Hello']
    """
    if _only_basic(text):
        return _segmented(text, encoding=Encoding.GSM_7, double=[], udh_bits=udh_bits)
    if _only_gsm7(text):
        return _segmented(text, encoding=Encoding.GSM_7, double=_extensions(text), udh_bits=udh_bits)
    return _segmented(text, encoding=Encoding.UCS_2, double=_astral(text), udh_bits=udh_bits)


def costly(text: str) -> list[str]:
    """Return the characters, each once and in order, that forced UCS-2 or else that count twice in GSM-7."""
    if _only_gsm7(text):
        return list(dict.fromkeys(_extensions(text)))
    return [char for char in dict.fromkeys(text) if char not in gsm7.BASIC and char not in gsm7.EXTENSION]


def _segmented(text: str, *, encoding: Encoding, double: list[str], udh_bits: int) -> Segmented:
    units = len(text) + len(double)
    if units <= SINGLE[encoding]:
        parts = [text]
    else:
        parts = _pack(text, double=frozenset(double), limit=CONCATENATED[udh_bits][encoding])
    return Segmented(encoding=encoding, units=units, parts=parts)


def _pack(text: str, *, double: frozenset[str], limit: int) -> list[str]:
    if not double:
        return [text[start : start + limit] for start in range(0, len(text), limit)]
    parts = []
    start = used = 0
    for position, char in enumerate(text):
        cost = 2 if char in double else 1
        if used + cost > limit:
            parts.append(text[start:position])
            start, used = position, 0
        used += cost
    return [*parts, text[start:]]
