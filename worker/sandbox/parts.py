"""Billed parts and the text a handset shows, counted by a library that is not ours (smsutil)."""

import functools
import re
from collections.abc import Callable

import smsutil
from smsutil.codecs import GSM_CHARSET

# smsutil lists the escape sign as a character; alone it is none (3GPP 23.038, table 6.2.1).
_NOT_GSM = re.compile(f"[^{re.escape(GSM_CHARSET.replace(chr(27), ''))}]")


# What is one part beyond doubt, and needs no counting.
_SHORT_GSM = re.compile(r"[0-9A-Za-z .,:;!?'\"()/&%+=<>*#@-]{1,160}")
_SHORT_UNICODE = re.compile("[\u0020-\ud7ff]{1,70}")

is_short: Callable[[str], object] = _SHORT_GSM.fullmatch
"""Says by whether it returns something if a text is one GSM part beyond doubt; if not, it may still be."""


def only_gsm(text: str) -> str:
    """Return the text without the characters that the GSM alphabet lacks."""
    return text if _SHORT_GSM.fullmatch(text) else _NOT_GSM.sub("", text)


def count_parts(text: str, *, is_unicode: bool) -> int:
    """Count the parts of a text sent as 16-bit units, or as GSM septets (then GSM only, not empty)."""
    if (_SHORT_UNICODE if is_unicode else _SHORT_GSM).fullmatch(text):
        return 1
    return _count_parts(text, is_unicode=is_unicode)


@functools.lru_cache(maxsize=64)  # the same text to many
def _count_parts(text: str, *, is_unicode: bool) -> int:
    split = smsutil.unicode_split if is_unicode else smsutil.gsm_split
    return len(split(text).parts)
