"""Plain texts: of letters, digits and signs that no gateway minds, each one septet in GSM-7. Pure."""

import re
import string
from typing import Final

_ASCII: Final = string.ascii_letters + string.digits + " .,:;!?()'/+-"
_BYTES: Final = _ASCII.encode()
_all_plain: Final = re.compile(f"[{re.escape(_ASCII)}ÄÅÆÉÖØÜßäåæéöøü]*").fullmatch


def is_plain(text: str) -> bool:
    """Say whether a text holds nothing else.

    >>> is_plain("See you at 10:30!"), is_plain("Smørrebrød"), is_plain("5 €"), is_plain("<b>")
    (True, True, False, False)
    """
    if text.isascii():
        return not text.encode().translate(None, _BYTES)  # twice as fast as the expression
    return _all_plain(text) is not None
