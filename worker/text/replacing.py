"""Plain signs for typographic ones that the GSM alphabet lacks; a letter is never replaced by another.

What is replaced: quotes, dashes, spaces, dots and bullets; what cannot be seen; and letters in another form
of themselves (full-width, ligatures, accents that stand apart), as Unicode's own decompositions give them.
"""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import Final

from worker.text.segments import is_gsm7


@dataclass(frozen=True, kw_only=True, slots=True)
class Replacement:
    """One sign that was replaced, everywhere in a text.

    Attributes:
        character: as it was written; more than one, where accents stood apart.
        replacement: what stands there now; empty where it could not be seen.
        count: how often.
    """

    character: str
    replacement: str
    count: int


_SIGNS: Final = {
    "'": "\u2018\u2019\u201a\u201b\u2039\u203a\u2032\u2035`\u00b4",  # quotes, primes, accents
    '"': "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\u2036\u301d\u301e\u301f",
    # Bullets among the dashes.
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043\u2022\u2023\u25e6\u25aa\u25cf\u2219",
    "...": "\u2026",
    "..": "\u2025",
    "/": "\u2044\u2215",
    "!!": "\u203c",
    "?!": "\u2048",
    "!?": "\u2049",
    " ": "\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
    "\n": "\u0085\u2028\u2029",
    "": "\u00ad\u200b\u2060\u2061\u2062\u2063\u2064\ufeff",  # soft hyphen, zero width spaces, signs unseen
}

#: What joins, separates or chooses a form: it means nothing between characters that have one form each.
_FORMING: Final = "\u034f\u200c\u200d\ufe0e\ufe0f"

#: What sets the direction: it means nothing where all is written from left to right.
_DIRECTING: Final = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

#: Ligatures of Latin letters, and the full-width forms.
_FORMS: Final = [*range(0xFB00, 0xFB07), *range(0xFF01, 0xFF5F), 0xFFE1, 0xFFE5]

_PLAIN: Final = {
    **{sign: plain for plain, signs in _SIGNS.items() for sign in signs},
    **dict.fromkeys(_FORMING + _DIRECTING, ""),
    **{chr(code): unicodedata.normalize("NFKC", chr(code)) for code in _FORMS},
}

_replaceable: Final = re.compile(
    "[A-Za-z][\u0300-\u036f]+|[" + re.escape("".join(_PLAIN)) + "]"  # a letter with accents that stand apart
)


def replaced(text: str) -> tuple[str, tuple[Replacement, ...]]:
    r"""Return ``text`` as GSM-7 carries it, and what was replaced for that, in order.

    A text that other characters keep out of GSM-7 is returned as it was written: it would not cost less.

    >>> replaced("5\u2013 6 p.m.")[0]
    '5- 6 p.m.'
    """
    if is_gsm7(text):
        return text, ()
    found: Counter[tuple[str, str]] = Counter()

    def plain(match: re.Match[str]) -> str:
        written = match[0]
        other = _PLAIN[written] if written in _PLAIN else unicodedata.normalize("NFC", written)
        found[written, other] += other != written
        return other

    plainer = _replaceable.sub(plain, text)
    if not is_gsm7(plainer):
        return text, ()
    listed = (
        Replacement(character=written, replacement=other, count=count)
        for (written, other), count in found.items()
        if count
    )
    return plainer, tuple(listed)
