"""The shapes in which the smSend family writes: JSON, bare words, amounts, numbers, dates.

Source: the vendor's documentation (smsend/REST-API, 2019-07), read November 2026; shapes of errors from
clients in use, which see them as JSON of two kinds and as plain text.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from worker.gateways.replies import words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from worker.gateways.base import HttpReply

HEADERS: Mapping[str, str] = MappingProxyType({"Accept": "application/json", "User-Agent": "bulksend"})

_AMOUNT = re.compile(r"-?\d{1,12}(?:\.\d{1,6})?", re.ASCII)
_MSISDN = re.compile(r"[1-9]\d{3,14}", re.ASCII)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,19}")
_ORDER_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MARKUP = re.compile(r"\s*<")
# Keys of a login: the adapter does not know them, so it cannot hide them by name.
_KEY = re.compile(r"(?=[\w*-]*[\d*])[\w*-]{16,}")
_CODE_LIMIT = 40  # characters
_UNAUTHORIZED, _NOT_FOUND = 401, 404
_USER_KEY = re.compile(r"\buser[_ ]?key\b", re.IGNORECASE)

Item = dict[str, Any]


def parsed(body: bytes) -> object:
    """Read JSON, fractions as ``Decimal``; raises ValueError where it is none."""
    try:
        document: object = json.loads(body.decode("utf-8-sig", errors="replace"), parse_float=Decimal)
    except (ArithmeticError, RecursionError):  # a number or a nesting beyond measure
        message = "no JSON"
        raise ValueError(message) from None
    return document


def document(body: bytes) -> Item:
    """Read a JSON object; an empty one where it is none."""
    try:
        found = parsed(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def items(value: object) -> list[Item]:
    """Give the objects of a list; none where it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def is_ok(found: Item) -> bool:
    """Say whether the result is ``OK``."""
    return word(found.get("result")).upper() == "OK"


def complaint(reply: HttpReply, *, hide: tuple[str, ...]) -> tuple[str, str | None]:
    """Give the code, else the status, and the words of a refusal; free of numbers, keys and what to hide."""
    code, said = _complaint(reply.body)
    return (
        _safe(code, hide=hide, limit=_CODE_LIMIT) or str(reply.status),
        _safe(said, hide=hide),
    )


def is_session_over(reply: HttpReply) -> bool:
    """Say whether a reply refuses the two keys of a session; 404 may also be said of an order."""
    if reply.status != _NOT_FOUND:
        return reply.status == _UNAUTHORIZED
    _, said = complaint(reply, hide=())
    return bool(_USER_KEY.search(said or ""))


def _complaint(body: bytes) -> tuple[object, object]:
    try:
        found = parsed(body)
    except ValueError:
        text = body.decode("utf-8", errors="replace")
        return None, None if _MARKUP.match(text) else text
    if not isinstance(found, dict):
        return None, found
    code = next((found[name] for name in ("error_code", "error_type") if found.get(name)), None)
    said = (found[name] for name in ("error_message", "message", "result") if found.get(name))
    return code, next(said, None)


def _safe(value: object, *, hide: tuple[str, ...], limit: int | None = None) -> str | None:
    line = words(value, hide=hide) if limit is None else words(value, hide=hide, limit=limit)
    return line and _KEY.sub("***", line)


def word(value: object) -> str:
    """Give a scalar as it would be written, without blanks around it; empty where it is none."""
    is_scalar = isinstance(value, str | int | Decimal) and not isinstance(value, bool)
    return str(value).strip() if is_scalar else ""


def code(value: str) -> str | None:
    """Give a state or a type as it may be kept: a short word; None where it is none."""
    return value if _CODE.fullmatch(value) else None


def order_id(value: object) -> str | None:
    """Give an order id as it may be kept; None where it is none."""
    found = word(value)
    return found if _ORDER_ID.fullmatch(found) else None


def amount(value: object) -> Decimal | None:
    """Read a count, credit or money; None where it is none."""
    found = word(value)
    return Decimal(found) if _AMOUNT.fullmatch(found) else None


def msisdn(value: object) -> str | None:
    """Read a number, with plus, with two zeros or with neither; None where it is none."""
    digits = word(value).removeprefix("+").removeprefix("00")
    return f"+{digits}" if _MSISDN.fullmatch(digits) else None


def at_s(value: object, *, zone: tzinfo) -> float | None:
    """Read ``yyyyMMddHHmmss`` of a zone as Unix seconds; None where it is none."""
    try:
        return datetime.strptime(word(value), "%Y%m%d%H%M%S").replace(tzinfo=zone).timestamp()
    except (ValueError, OverflowError):
        return None
