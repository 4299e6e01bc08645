"""Filters of a template that change words: names as they are written, first words, and shortening."""

from typing import Final

import regex

from worker.text import clusters

_word: Final = regex.compile(r"[^\s\-\u2010-\u2015./,;:&()\[\]\"\u201c\u201d]+")
_mc: Final = regex.compile(r"(Mc)(\p{L}\p{M}*)(?=\p{L}\p{M}*\p{L})")
_elided: Final = regex.compile(r"^(?:\p{L}\p{M}*|Dell|Dall|Nell)['\u2019]\K\p{L}(?=\p{M}*(?:\p{L}\p{M}*){2})")

#: In a name that somebody wrote with care, these stay small.
_PARTICLES: Final = frozenset(
    {
        *(
            "af",
            "al",
            "av",
            "bin",
            "da",
            "dal",
            "das",
            "de",
            "degli",
            "dei",
            "del",
            "della",
            "den",
            "der",
            "des",
        ),
        *(
            "di",
            "do",
            "dos",
            "du",
            "e",
            "el",
            "la",
            "las",
            "le",
            "les",
            "los",
            "og",
            "ten",
            "ter",
            "und",
            "van",
        ),
        *("vom", "von", "y", "zu", "zum", "zur"),
    }
)


def title(value: str) -> str:
    """Return a name as people write it; what has capitals inside already was written with care, and stays.

    >>> title("SEÁN O'NEILL-MCDONALD")
    "Seán O'Neill-McDonald"
    """
    is_mixed = value not in (value.lower(), value.upper())
    return _word.sub(lambda match: _titled(match[0], is_mixed=is_mixed, is_first=not match.start()), value)


def _titled(word: str, *, is_mixed: bool, is_first: bool) -> str:
    if word not in (word.lower(), word.upper()):
        return word
    if is_mixed and ((word in _PARTICLES and not is_first) or (word.isupper() and len(word) == 2)):  # noqa: PLR2004 -- initials, such as PJ
        return word
    # A capital I with a dot would leave its dot behind as a character of its own.
    plain = word[:1].title() + word[1:].replace("\u0130", "i").lower()
    plain = _mc.sub(lambda match: match[1] + match[2].title(), plain)
    return _elided.sub(lambda match: match[0].title(), plain)


def first_word(value: str) -> str:
    """Return what stands before the first space.

    >>> first_word("Anna Lena")
    'Anna'
    """
    return next(iter(value.split(maxsplit=1)), "")


def shorten(value: str, characters: int, *, end: str = "...") -> str:
    """Return at most so many characters, between words where possible; no accent or joined emoji is torn.

    Args:
        value: any text.
        characters: 0 or more; ``end`` is among them.
        end: follows what was shortened, where there is room for more than itself.

    >>> shorten("Your parcel is here", 14)
    'Your parcel...'
    """
    if len(value) <= characters:
        return value
    room = characters - len(end)
    if room <= 0:
        return value[: clusters.begins(value[: characters + 1])[characters]]
    kept = value[: clusters.begins(value)[room]]
    if not (value[len(kept)].isspace() or kept[-1:].isspace()):
        words = kept.rstrip().rsplit(maxsplit=1)
        kept = words[0] if len(words) > 1 else kept
    return kept.rstrip() + end
