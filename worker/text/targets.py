"""Recipients that are no numbers: a group or a contact which the gateway keeps itself, as ``group:7``."""

import re
from collections.abc import Collection
from typing import Final

from worker.errors import InputError

_MAX_CHARACTERS: Final = 100
_target: Final = re.compile(r"\s*(group|contact)\s*:(.*)", re.IGNORECASE | re.DOTALL).fullmatch


def kind_of(recipient: str) -> str:
    """Return ``group`` or ``contact``, or nothing for a number.

    >>> kind_of("group:7"), kind_of("+4520304050")
    ('group', '')
    """
    kind, colon, _ = recipient.partition(":")
    return kind if colon else ""


def parse(raw: str, *, known: Collection[str]) -> str | None:
    """Read a cell as a group or contact; None where it is something else, such as a number.

    Args:
        raw: a cell as found.
        known: the kinds that the gateway keeps and can be sent to.

    Raises:
        InputError: ``target_unknown`` or ``target_invalid``; the message never shows which it is.

    >>> parse("Group: 7", known={"group"})
    'group:7'
    """
    found = _target(raw)
    if found is None:
        return None
    kind, ident = found[1].lower(), found[2].strip()
    if kind not in known:
        others = f"numbers and {' and '.join(f'{each}:ID' for each in sorted(known))}" if known else "numbers"
        raise InputError(
            f"{kind}: cannot be sent to by this gateway: it takes {others}", code="target_unknown"
        )
    if not ident or not ident.isprintable() or len(ident) > _MAX_CHARACTERS:
        raise InputError(
            f"{kind}: is followed by what the gateway calls it, as in {kind}:7", code="target_invalid"
        )
    return f"{kind}:{ident}"
