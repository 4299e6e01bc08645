"""What both generations of the Txty API have in common: JSON, numbers, amounts, flags, words of an error.

Source: the vendor's documentation of v4 (2014 to 2021) and v6 (2021), read November 2026. Neither says which
status belongs to which error, and both write ids and numbers as JSON numbers.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from worker.gateways.base import Outcome, Verdict
from worker.gateways.replies import retry_after_s, verdict_of_status, words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.gateways.base import HttpReply

Item = dict[str, Any]

_AMOUNT = re.compile(r"-?\d{1,12}(?:\.\d{1,30})?", re.ASCII)
_PLACES = 6  # a fraction in binary, such as 0.20000000000000001, is meant to be a plain one
_LARGEST_PARTS = 255
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}", re.ASCII)
_CODE_LIMIT = 40  # characters
_PAUSES = {Verdict.RETRY, Verdict.THROTTLED}
_REDIRECTION, _CLIENT_ERROR = range(300, 400), range(400, 500)


def document(body: bytes) -> Item:
    """Read a JSON object, fractions as ``Decimal``; an empty one where it is none."""
    try:
        found: object = json.loads(body.decode("utf-8-sig", errors="replace"), parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):  # no JSON, or beyond measure
        return {}
    return found if isinstance(found, dict) else {}


def items(value: object) -> list[Item]:
    """Give the objects of a list, or the one that stands there alone; null and anything else are none."""
    listed = value if isinstance(value, list) else [value]
    return [item for item in listed if isinstance(item, dict)]


def word(value: object) -> str:
    """Write a JSON number or text as text; empty for anything else."""
    is_scalar = isinstance(value, str | int | Decimal) and not isinstance(value, bool)
    try:
        return str(value).strip() if is_scalar else ""
    except ValueError:  # a number of more digits than Python writes
        return ""


def digits(number: str) -> str:
    """Write a number as the gateway does: without the plus."""
    return number.removeprefix("+")


def parts(value: object) -> int | None:
    """Read how many parts were billed; None where it is no such number."""
    found = whole(value, most_digits=len(str(_LARGEST_PARTS)))
    return found if found is not None and 0 < found <= _LARGEST_PARTS else None


def amount(value: object) -> Decimal | None:
    """Read money, such as a price; None where it is none."""
    found = word(value)
    if not _AMOUNT.fullmatch(found):
        return None
    if len(found.partition(".")[2]) > _PLACES:
        found = f"{Decimal(found):.{_PLACES}f}".rstrip("0").rstrip(".")
    return Decimal(found)


def cost(value: object) -> Decimal | None:
    """Read what a message cost; None where it is none."""
    found = amount(value)
    return found if found is not None and found >= 0 else None


def whole(value: object, *, most_digits: int = 12) -> int | None:
    """Read a whole number from 0; None where it is none."""
    found = word(value)
    return int(found) if found.isascii() and found.isdigit() and len(found) <= most_digits else None


def secrets(secret: str, *more: str) -> tuple[str, ...]:
    """Give the ways in which a secret may be echoed."""
    return (secret, quote(secret), quote(secret, safe=""), quote_plus(secret), *more)


def verdict_of(reply: HttpReply, *, code: str, known: Mapping[str, Verdict], other: Verdict) -> Verdict:
    """Class a refusal by its code, then by its status.

    Args:
        reply: the refusal.
        code: what stands in ``error``; empty where there is nothing.
        known: the codes that say it whatever the status is.
        other: what any other code means, where the status does not say it.
    """
    by_status = verdict_of_status(reply.status)
    if by_status is Verdict.THROTTLED or reply.status in _REDIRECTION:
        return by_status
    if code in known:
        return known[code]
    speaks = by_status in {Verdict.AMBIGUOUS, Verdict.CAMPAIGN} and reply.status in _CLIENT_ERROR
    return other if code and speaks else by_status


def refusal(
    reply: HttpReply, *, verdict: Verdict, code: object, detail: object = None, hide: tuple[str, ...]
) -> Outcome:
    """Give the outcome of a refusal with the gateway's words; a long code stands in the detail as well."""
    shown = words(code, hide=hide, limit=_CODE_LIMIT)
    said = words(detail, hide=hide)
    if said is None and not _CODE.fullmatch(word(code)):
        said = words(code, hide=hide)
    return Outcome(
        verdict=verdict,
        code=shown or str(reply.status),
        detail=said,
        retry_after_s=retry_after_s(reply) if verdict in _PAUSES else None,
    )
