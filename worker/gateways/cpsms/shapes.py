"""The shapes in which CPSMS v2 writes its replies: lists, items, numbers, amounts.

Source: the vendor's documentation of 2016 (Compaya), read November 2026; later shapes from clients in use.
The same thing comes as an object, a list or a list in a list, amounts as numbers or as words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

_COST = re.compile(r"\d{1,6}(?:\.\d{1,6})?", re.ASCII)  # points; anything else is no price
_CREDIT = re.compile(r"-?\d{1,15}(?:\.\d{1,6})?", re.ASCII)  # points
_DANISH = re.compile(r"-?\d{1,3}(?:\.?\d{3}){0,4},\d{1,6}", re.ASCII)  # a comma, and dots that group
_LARGEST_PARTS = 255

Item = dict[str, Any]


def parsed(body: bytes) -> object:
    """Read JSON, fractions as ``Decimal``; None where it is none."""
    try:
        # Bytes that are no UTF-8 stand in messages only; numbers and codes stay readable.
        document: object = json.loads(body.decode("utf-8-sig", errors="replace"), parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):  # no JSON, or a number or a nesting beyond measure
        return None
    return document


def document(body: bytes) -> Item:
    """Read a JSON object; an empty one where it is none."""
    found = parsed(body)
    return found if isinstance(found, dict) else {}


def items(value: object) -> Iterator[Item]:
    """Walk an object, a list of objects, a list in a list (the documentation's draft), or a text."""
    if isinstance(value, dict):
        yield value
    elif isinstance(value, str) and value:
        yield {"message": value}
    elif isinstance(value, list):
        flat = (inner for outer in value for inner in (outer if isinstance(outer, list) else [outer]))
        yield from (item for item in flat if isinstance(item, dict))


def digits(number: str) -> str:
    """Write a number as CPSMS does: without the plus."""
    return number.removeprefix("+")


def to(item: Item) -> str:
    """Give the digits of the item's recipient; empty where it names none."""
    return digits(_word(item.get("to")))


def reference(item: Item) -> str:
    """Give our reference as a row of the log repeats it; empty where there is none."""
    return _word(item.get("userReference"))


def raw_code(item: Item) -> object:
    """Give the code of an error, whatever it is called."""
    return item.get("code", item.get("errorCode"))


def message(item: Item) -> object:
    """Give the words of an error, whatever they are called."""
    return item.get("message", item.get("errMsg"))


def parts(value: object) -> int | None:
    """Read how many parts were billed; None where it is no such number."""
    word = _word(value)
    if not (word.isascii() and word.isdigit() and len(word) <= len(str(_LARGEST_PARTS))):
        return None
    return int(word) if 0 < int(word) <= _LARGEST_PARTS else None


def cost(value: object) -> Decimal | None:
    """Read a price in points; None where it is none."""
    word = _word(value)
    return Decimal(word) if _COST.fullmatch(word) else None


def price(item: Item) -> Decimal | None:
    """Give the price of an accepted number, as today or as in the documentation's draft."""
    return cost(item["cost"] if "cost" in item else item.get("price"))


def delivery_code(item: Item) -> str:
    """Give the code of delivery in a row of the log; empty where there is none."""
    return _word(item.get("dlrStatus"))


def credit(value: object) -> Decimal | None:
    """Read a credit in points, as ``9.843,40``, ``9843.40`` or ``9843``; None where it is none."""
    word = _word(value)
    if _DANISH.fullmatch(word):
        word = word.replace(".", "").replace(",", ".")
    return Decimal(word) if _CREDIT.fullmatch(word) else None


def _word(value: object) -> str:
    return str(value).strip() if isinstance(value, str | int | Decimal) else ""
