"""What the replies of all gateways have in common: statuses, pauses, words for the operator.

Statuses and ``Retry-After`` as in RFC 9110 (15, 10.2.3) and RFC 6585 (429). None of the gateways documents
its transport, so what is not surely a refusal is ambiguous.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from worker.gateways.base import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from worker.gateways.base import HttpReply

_DETAIL_LIMIT = 200  # characters
_HIDDEN_FROM = 6  # a shorter text would blot out ordinary words
_LONGEST_PAUSE_S = 86_400.0  # a gateway that asks for more is asked again after a day

_BY_STATUS: Mapping[int, Verdict] = MappingProxyType(
    {
        400: Verdict.CAMPAIGN,
        401: Verdict.ACCOUNT,
        402: Verdict.ACCOUNT,
        403: Verdict.ACCOUNT,
        404: Verdict.BUG,
        405: Verdict.BUG,
        429: Verdict.THROTTLED,
        501: Verdict.BUG,
    }
)

# A telephone number in a sentence: five digits or more, set apart by blanks, dots, dashes or brackets.
_NUMBER = re.compile(r"\+?\d(?:[\s().\-/]*\d){4,}")
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?", re.ASCII)


def verdict_of_status(status: int) -> Verdict:
    """Class a status that no rule of the gateway explains; never ``ACCEPTED``."""
    if 300 <= status < 400:  # noqa: PLR2004 - redirects, which are never followed
        return Verdict.BUG
    return _BY_STATUS.get(status, Verdict.AMBIGUOUS)


def retry_after_s(reply: HttpReply) -> float | None:
    """Read the pause that was asked for, in seconds from now, a day at most.

    An HTTP date is measured against the reply's own ``Date``, so that no clock of ours has a part in it.
    """
    word = reply.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(word):
        return min(float(word), _LONGEST_PAUSE_S)
    try:
        until = parsedate_to_datetime(word)
        pause_s = (until - parsedate_to_datetime(reply.headers.get("date", ""))).total_seconds()
    except (ValueError, TypeError, OverflowError):  # TypeError: one of them has no zone
        return None
    return min(max(pause_s, 0.0), _LONGEST_PAUSE_S)


def telling(texts: Iterable[str]) -> tuple[str, ...]:
    """Give the texts that are long enough to be recognised where a gateway echoes them."""
    return tuple(text for text in texts if len(text) >= _HIDDEN_FROM)


def words(value: object, *, hide: tuple[str, ...] = (), limit: int = _DETAIL_LIMIT) -> str | None:
    """Turn what a gateway wrote into a line that may be kept and shown.

    Args:
        value: a JSON scalar or text of the gateway; anything else gives nothing.
        hide: secrets, and texts that tell, which the gateway may have echoed.
        limit: the longest result, in characters.

    Returns:
        One printable line without numbers of five or more digits, or None where there are no words.
    """
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None
    line = str(value)
    for secret in sorted(filter(None, hide), key=len, reverse=True):  # what holds another one goes first
        line = line.replace(secret, "***")
    line = "".join(filter(str.isprintable, " ".join(line.split())))
    return _NUMBER.sub("***", line)[:limit].strip() or None
