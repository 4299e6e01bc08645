"""Cut a text into the parts that are billed (3GPP TS 23.038, 6.2; TS 23.040, 9.2.3.24.1, 9.2.3.24.8)."""

import enum
import re
import unicodedata
from collections.abc import Collection
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

_SHORT: Final = SINGLE[Encoding.GSM_7]

_ASCII_BASIC: Final = "".join(char for char in sorted(gsm7.BASIC) if char.isascii()).encode()
_only_basic: Final = re.compile(f"[{re.escape(''.join(sorted(gsm7.BASIC)))}]*").fullmatch
_not_gsm7: Final = re.compile(f"[^{re.escape(''.join(sorted(gsm7.BASIC | gsm7.EXTENSION)))}]").search
_extensions: Final = re.compile(f"[{re.escape(''.join(sorted(gsm7.EXTENSION)))}]").findall
_astral: Final = re.compile("[\U00010000-\U0010ffff]").findall


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
    encoding, double = _encoded(text, encoding)
    units = len(text) + len(double)
    if units <= SINGLE[encoding]:
        return Measured(encoding, units, 1)
    limit = CONCATENATED[udh_bits][encoding]
    least = -(-units // limit)
    # Each part but the last loses at most one unit to a pair that does not fit.
    if not double or least == -(-units // (limit - 1)):
        return Measured(encoding, units, least)
    return Measured(encoding, units, 1 + len(_cuts(text, double=frozenset(double), limit=limit)))


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
    encoding, double = _encoded(text, encoding)
    units = len(text) + len(double)
    if units <= SINGLE[encoding]:
        return Segmented(encoding=encoding, units=units, parts=[text])
    limit = CONCATENATED[udh_bits][encoding]
    cuts = _cuts(text, double=frozenset(double), limit=limit)
    if encoding is Encoding.UCS_2 or "\r\n" in text:  # the one cluster of the GSM alphabet
        _move(cuts, text=text, double=frozenset(double), limit=limit)
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
        return list(dict.fromkeys(_extensions(text)))
    return [char for char in dict.fromkeys(text) if char not in gsm7.BASIC and char not in gsm7.EXTENSION]


def is_gsm7(text: str) -> bool:
    """Say whether the GSM alphabet and its extension hold the whole text."""
    return not _not_gsm7(text)


def is_short(text: str) -> bool:
    """Say whether a text is one part in GSM-7 and each of its characters one septet, as most texts are."""
    return len(text) <= _SHORT and _is_basic(text)


def _encoded(text: str, wanted: Encoding | None) -> tuple[Encoding, Collection[str]]:
    """Return the encoding and every character of two units, as often as it occurs."""
    if wanted is Encoding.UCS_2:
        return Encoding.UCS_2, _astral(text)
    if _is_basic(text):
        return Encoding.GSM_7, ()
    if foreign := _not_gsm7(text):
        if wanted is Encoding.GSM_7:
            raise _not_sendable_as_gsm(foreign)
        return Encoding.UCS_2, _astral(text)
    return Encoding.GSM_7, _extensions(text)


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


def _cuts(text: str, *, double: frozenset[str], limit: int, start: int = 0) -> list[int]:
    """Return where each further part begins, when each takes as much as it can."""
    if not double:
        return list(range(start + limit, len(text), limit))
    cuts, used = [], 0
    for position in range(start, len(text)):
        cost = 2 if text[position] in double else 1
        if used + cost > limit:
            cuts.append(position)
            used = 0
        used += cost
    return cuts


def _move(cuts: list[int], *, text: str, double: frozenset[str], limit: int) -> None:
    """Move each cut before the cluster that it divides, unless that would need a part more."""
    begins = clusters.begins(text)
    for n, cut in enumerate(cuts):
        before = begins[cut]
        if before == cut or before <= (cuts[n - 1] if n else 0):  # whole already, or longer than a part
            continue
        moved = [before, *_cuts(text, double=double, limit=limit, start=before)]
        if n + len(moved) == len(cuts):
            cuts[n:] = moved
