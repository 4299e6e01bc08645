"""Which characters made an order dearer, and which were replaced: for programs, and in words."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import asdict

from producer.preview import Preview
from worker.text.counting import counted

_SHOWN = 5  # characters, and lines of each


def name_of(characters: str) -> str:
    """Name what Unicode calls it: ``U+2019 RIGHT SINGLE QUOTATION MARK``.

    More than one, where an accent stands apart.
    """
    return " and ".join(
        f"U+{ord(each):04X} {unicodedata.name(each, 'a character without a name')}" for each in characters
    )


def costly_facts(found: Preview) -> dict[str, object]:
    """Give the rows that some characters made dearer, as `preview --json` prints them."""
    return {
        "rows": found.n_costly,
        "listed_by": "--rows",
        "parts_more": found.parts_more,
        "characters": [
            {"character": each, "name": name_of(each), "rows": n}
            for each, n in found.costly_characters.most_common()
        ],
        "lines": [asdict(each) for each in found.costly],
    }


def replaced_facts(found: Preview) -> list[dict[str, object]]:
    """Give each sign that was replaced, as `preview --json` prints it."""
    return [
        {"character": written, "name": name_of(written), "replacement": plain, "count": n}
        for (written, plain), n in found.replaced.most_common()
    ]


def character_sentences(found: Preview) -> Iterator[str]:
    """Say which characters cost more, with the first lines that have them, and what was replaced."""
    if found.n_costly:
        more = counted(found.parts_more, "part")
        costs = counted(found.n_costly, "message", verb="costs")
        yield f"{costs} {more} more because of characters (--rows FILE lists all):"
        for each, n in found.costly_characters.most_common(_SHOWN):
            yield f"  {_shown(each)}{name_of(each)}: {counted(n, 'message')}{_lines(found, each)}"
        rest = len(found.costly_characters) - _SHOWN
        if rest > 0:
            yield f"  and {counted(rest, 'other character')}"
    for (written, plain), n in found.replaced.most_common():
        instead = (f"'{plain}'" if '"' in plain else f'"{plain}"') if plain else "nothing"
        yield f"Replaced {counted(n, 'time')}: {_shown(written)}{name_of(written)} by {instead}"


def _shown(character: str) -> str:
    return f"{character} " if character.isprintable() and not character.isspace() else ""


def _lines(found: Preview, character: str) -> str:
    lines = [str(each.line) for each in found.costly if character in each.characters]
    if not lines:
        return ""
    shown = lines[:_SHOWN]
    more = ", ..." if found.costly_characters[character] > len(shown) else ""
    return f", {'line' if len(lines) == 1 else 'lines'} {', '.join(shown)}{more}"
