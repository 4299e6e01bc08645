"""Billed parts and the text a handset shows, counted by a library that is not ours (smsutil)."""

import re

import smsutil
from smsutil.codecs import GSM_CHARSET

# smsutil lists the escape sign as a character; alone it is none (3GPP 23.038, table 6.2.1).
_NOT_GSM = re.compile(f"[^{re.escape(GSM_CHARSET.replace(chr(27), ''))}]")


def only_gsm(text: str) -> str:
    """Return the text without the characters that the GSM alphabet lacks."""
    return _NOT_GSM.sub("", text)


def count_parts(text: str, *, is_unicode: bool) -> int:
    """Count the parts of a text sent as 16-bit units, or as GSM septets (then GSM only, not empty)."""
    split = smsutil.unicode_split if is_unicode else smsutil.gsm_split
    return len(split(text).parts)
