"""Replies in the XML of Text Marketer, with the DOCTYPE that every real one has."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from tests.contract.cases import reply

if TYPE_CHECKING:
    from worker.gateways.base import HttpReply

_DOCTYPE = """<!DOCTYPE response PUBLIC
"-//textmarketer.co.uk//DTD Web Services REST 1.6//EN"
"http://api.textmarketer.co.uk/services/rest/DTD/{name}.dtd">
"""


def response(name: str, content: str, *, status: int = 200, doctype: bool = True) -> HttpReply:
    """A reply with a content of elements."""
    head = '<?xml version="1.0" encoding="ISO-8859-1"?>\n' + (_DOCTYPE.format(name=name) if doctype else "")
    body = f'{head}<response processed_date="2026-01-02T08:00:00+00:00">{content}</response>\n'
    return reply(status, body.encode("latin-1", "xmlcharrefreplace"))


def accepted(*, doctype: bool = True, **changes: str) -> HttpReply:
    """A message was sent, but for the changes."""
    fields = {"message_id": "7001", "scheduled_id": "0", "credits_used": "1", "status": "SENT"} | changes
    content = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    return response("sms_post", content, doctype=doctype)


def errors(*given: tuple[str, str], status: int = 400) -> HttpReply:
    """A refusal with codes and words; what XML cannot carry is left out."""
    listed = "".join(f'<error code="{_clean(code)}">{_clean(text)}</error>' for code, text in given)
    return response("errors", f"<errors>{listed}</errors>", status=status)


def report(*rows: dict[str, str], status: int = 200) -> HttpReply:
    """A delivery report; a row that lacks an attribute gets that of a delivered message."""
    plain = {"last_updated": "2026-01-02T08:04:00+00:00", "message_id": "7001", "status": "DELIVERED"}
    listed = "".join(
        "<reportrow " + " ".join(f'{name}="{_clean(value)}"' for name, value in (plain | row).items()) + "/>"
        for row in rows
    )
    head = 'name="GatewayAPI_02-01-26" last_updated="2026-01-02T08:05:00+00:00" extension="csv"'
    return response("deliveryReport_get", f"<report {head}>{listed}</report>", status=status)


def _clean(text: str) -> str:
    return escape("".join(each for each in text if each.isprintable() or each == "\n"))
