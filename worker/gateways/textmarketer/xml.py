"""The XML in which Text Marketer answers: errors, the fate of a send, credits, rows of delivery reports.

Source: Text Marketer's REST documentation (DTDs 1.6) and the vendor's PHP and Java clients, read November
2026. Every real reply names a DTD at an http address: it is never fetched, and entities are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from defusedxml.ElementTree import ParseError, fromstring

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_IDENT = re.compile(r"[0-9A-Za-z_-]{1,40}", re.ASCII)
_CREDITS = re.compile(r"-?[0-9]{1,12}", re.ASCII)
_PLAIN_LIMIT = 1000  # octets of a body that is no XML


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One ``error`` of a refusal."""

    code: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """The fate of one message in a delivery report; ``number`` has no plus."""

    number: str
    custom: str
    message_id: str | None
    status: str
    updated_at_s: float  # Unix seconds; 0 where it is not told


def response(body: bytes) -> Element | None:
    """Read a whole ``response``; None where it is none."""
    try:
        root: Element = fromstring(body)
    except (ParseError, ValueError, LookupError):  # also: entities, an encoding that is not known
        return None
    return root if root.tag == "response" else None


def faults(root: Element | None) -> list[Fault]:
    """Give the errors in their order."""
    found = root.iterfind("errors/error") if root is not None else ()
    return [Fault(code=each.get("code", "").strip(), text="".join(each.itertext())) for each in found]


def plain(body: bytes) -> str:
    """Give the words of a body that is no markup; empty where it is some."""
    text = body[:_PLAIN_LIMIT].decode("latin-1").strip()
    return "" if text.startswith("<") else text


def word(root: Element | None, name: str) -> str:
    """Give the text of an element; empty where there is none."""
    return "" if root is None else root.findtext(name, "").strip()


def ident(text: str) -> str | None:
    """Read the id of a message; a zero stands for none."""
    return text if _IDENT.fullmatch(text) and text.strip("0") else None


def credit(text: str) -> Decimal | None:
    """Read a whole number of credits; None where it is none."""
    return Decimal(text) if _CREDITS.fullmatch(text) else None


def rows(root: Element) -> Iterator[Row]:
    """Walk the rows of all reports, as they stand."""
    for each in root.iter("reportrow"):
        yield Row(
            number=each.get("mobile_number", "").strip().removeprefix("+"),
            custom=each.get("custom", "").strip(),
            message_id=ident(each.get("message_id", "").strip()),
            status=each.get("status", "").strip().upper(),
            updated_at_s=_unix_s(each.get("last_updated", "").strip()),
        )


def iso_8601(at_s: float) -> str:
    """Write a time to the second, in UTC."""
    return datetime.fromtimestamp(at_s, tz=UTC).isoformat(timespec="seconds")


def _unix_s(text: str) -> float:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return 0.0
