"""What a reply asks for: the usual words of several languages. Pure."""

from __future__ import annotations

import enum
import re
import unicodedata
from typing import Final


class Wish(enum.StrEnum):
    """What somebody asks for."""

    STOP = "stop"
    STOP_ALL = "stop_all"
    START = "start"


_STOPS: Final = frozenset(
    {
        *("stop", "stopp", "unsubscribe", "end", "quit", "cancel", "optout", "revoke"),
        *("afmeld", "frameld", "afmelden", "avmeld", "avslutt", "avsluta", "avregistrera", "lopeta"),
        *("abmelden", "abbestellen", "arret", "arreter", "desabo", "desabonner"),
        *("baja", "alto", "parar", "sair", "cancelar", "basta", "disiscrivi", "cancella", "rezygnuje"),
    }
)
_STOP_ALLS: Final = frozenset(
    {"stopall", "stoppall", "stopalle", "stopptalle", "stopalt", "stopallt", "stoptout"}
)
_STARTS: Final = frozenset({"start", "unstop", "optin", "subscribe", "tilmeld", "starta", "anmelden"})
_BEGINNINGS: Final = frozenset({"stop", "stopp", "unsubscribe"})
"""A text that begins with one of these is one; an end, or to cancel, may be of something else."""

_MOST_READ: Final = 200  # characters
_WORDS: Final = re.compile(r"[^\W_]+")


def wish_of(text: str) -> Wish | None:
    """Read a reply; None where it asks for nothing of this.

    Case, accents, punctuation and blanks do not matter.

    >>> wish_of(" Stop! "), wish_of("STOP ALL"), wish_of("arrêt"), wish_of("Cancel my appointment")
    (<Wish.STOP: 'stop'>, <Wish.STOP_ALL: 'stop_all'>, <Wish.STOP: 'stop'>, None)
    """
    folded = unicodedata.normalize("NFKD", text[:_MOST_READ].casefold())
    bare = "".join(character for character in folded if not unicodedata.combining(character))
    words = _WORDS.findall(bare)
    together = "".join(words)
    if together in _STOP_ALLS:
        return Wish.STOP_ALL
    if together in _STOPS or (words and words[0] in _BEGINNINGS):
        return Wish.STOP
    return Wish.START if together in _STARTS else None
