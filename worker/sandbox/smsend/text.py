"""How the smSend family makes a text: parameters, links, the limits of a type, and what it cuts off."""

import bisect
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worker.sandbox.gateway import RefusalError
from worker.sandbox.parts import count_parts, is_short, only_gsm
from worker.sandbox.smsend.knobs import SmsendKnobs

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9]+)\}")
LINKS = {"short_link_url": r"%SHORT_LINK%", "id_landing": r"%PAGESLINK_*%", "richsms_url": r"%RICHURL_*%"}
_LINK = "https://smsl.test/4x7Qa"
_LONGEST = {"gsm": 1000, "ucs2": 450}  # by encoding
_LOW_QUALITY = 160
_MOST_FRAGMENTS = 7
_MOST_DIGITS = 9
LIMITING = {"encoding", "max_fragments", "truncate"}
_FLAGS = {"true": True, "false": False}


def flag(given: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    """Return a yes or no, which clients also write as a string.

    Raises:
        RefusalError: it is neither.
    """
    if name not in given or given[name] == "":
        return default
    value = given[name]
    found = _FLAGS.get(str(value).lower())
    if found is None:
        raise RefusalError(400, f"{name} must be true or false")
    return found


def message_of(given: Mapping[str, Any]) -> str:
    """Return the message; raises RefusalError where there is none."""
    message = given.get("message")
    if not isinstance(message, str) or not message:
        raise RefusalError(400, "message is missing")
    return message


def with_links(given: Mapping[str, Any]) -> str:
    """Return the message with the links in their places; raises RefusalError where there is none."""
    message = message_of(given)
    for name, pattern in LINKS.items():
        if given.get(name):
            message = re.sub(pattern, _LINK, message)
    return message


def rendered(message: str, *, row: Mapping[str, Any], knobs: SmsendKnobs) -> str:
    """Return the message with the parameters of one recipient; raises RefusalError where one is missing."""

    def value(found: re.Match[str]) -> str:
        if row.get(found[1]) is None:
            raise RefusalError(400, f"a recipient has no parameter {found[1]}")
        return str(row[found[1]])

    text = _PLACEHOLDER.sub(value, message)
    return _PLACEHOLDER.sub(value, text) if knobs.expands_values else text


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What the texts of one request may be, and what becomes of one that is more."""

    is_unicode: bool
    longest: int
    fragments: int
    truncates: bool

    @classmethod
    def of(cls, given: Mapping[str, Any], *, kind: str, knobs: SmsendKnobs) -> "Limits":
        """Return what the fields say; raises RefusalError for one that says nothing."""
        if LIMITING.isdisjoint(given):
            return cls.usual(kind, knobs=knobs)
        encoding = str(given.get("encoding") or "gsm").lower()
        if encoding not in _LONGEST:
            raise RefusalError(400, "encoding must be gsm or ucs2")
        longest = _LONGEST[encoding]
        return cls(
            is_unicode=encoding == "ucs2",
            longest=min(longest, _LOW_QUALITY) if kind in knobs.low_quality else longest,
            fragments=_fragments(given["max_fragments"]) if "max_fragments" in given else _MOST_FRAGMENTS,
            truncates=flag(given, "truncate", default=knobs.truncates),
        )

    @staticmethod
    def usual(kind: str, *, knobs: SmsendKnobs) -> "Limits":
        """Return the limits of a request that says nothing of them."""
        return _usual(kind in knobs.low_quality, knobs.truncates)

    def fitted(self, text: str) -> tuple[str, int]:
        """Return the text as it reaches the handset, and its parts; raises RefusalError if it cannot."""
        if not self.is_unicode and is_short(text):
            return text, 1
        text = text if self.is_unicode else only_gsm(text)
        if not text:
            raise RefusalError(400, "message is empty")
        if len(text.encode("utf-16-le", "surrogatepass")) // 2 > self.longest:
            raise RefusalError(400, f"message is longer than {self.longest} characters")
        parts = count_parts(text, is_unicode=self.is_unicode)
        if parts <= self.fragments:
            return text, parts
        if not self.truncates:
            raise RefusalError(400, f"message is longer than {self.fragments} fragments")
        fitting = bisect.bisect_right(
            range(1, len(text) + 1),
            self.fragments,
            key=lambda length: count_parts(text[:length], is_unicode=self.is_unicode),
        )
        return text[:fitting], self.fragments


@functools.lru_cache(maxsize=4)
def _usual(is_low: bool, truncates: bool, /) -> Limits:  # noqa: FBT001 - keywords would make the cache slower
    longest = _LOW_QUALITY if is_low else _LONGEST["gsm"]
    return Limits(is_unicode=False, longest=longest, fragments=_MOST_FRAGMENTS, truncates=truncates)


def _fragments(value: object) -> int:
    digits = str(value)
    if not digits.isdecimal() or len(digits) > _MOST_DIGITS or int(digits) < 1:
        raise RefusalError(400, "max_fragments must be a number above 0")
    return int(digits)
