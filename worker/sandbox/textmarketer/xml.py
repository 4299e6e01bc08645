"""The XML in which simulated Text Marketer answers, and the DTDs that its replies name."""

import functools
import re
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape

from starlette.responses import Response

from worker.sandbox.gateway import WrittenReply

# What each DTD declares below `response`: elements, each with its attributes.
DTDS: Mapping[str, Mapping[str, str]] = {
    "sms_post": {"message_id": "", "scheduled_id": "", "credits_used": "", "status": ""},
    "sms_delete": {"scheduled_id": "", "status": ""},
    "credits_get": {"credits": ""},
    "credits_post": {
        "source_credits_before": "",
        "source_credits_after": "",
        "target_credits_before": "",
        "target_credits_after": "",
    },
    "deliveryReports_get": {
        "userdirectory": "",
        "reports": "quantity",
        "report": "name last_updated extension",
    },
    "deliveryReport_get": {
        "report": "name last_updated extension",
        "reportrow": "last_updated mobile_number message_id status custom",
    },
    "groups_get": {"groups": "quantity", "group": "name numbers id is_stop"},
    "group_get": {"group": "name numbers id is_stop", "number": ""},
    "group_post": {"added": "quantity", "stopped": "quantity", "duplicates": "quantity", "number": ""},
    "keywords_get": {"available": "", "recycle": ""},
    "account_get": dict.fromkeys(
        (
            "account",
            "account_id",
            "api_password",
            "api_username",
            "company_name",
            "create_date",
            "credits",
            "notification_email",
            "notification_mobile",
            "password",
            "username",
        ),
        "",
    ),
    "errors": {"errors": "", "error": "code"},
}
_BY_FILE = {f"{name}.dtd".lower(): name for name in DTDS}  # the documents write them in two ways
_KIND = b"text/xml; charset=ISO-8859-1"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def element(name: str, content: object = "", /, **attributes: object) -> str:
    """Write an element with a text as its content."""
    return _written(name, _escaped(content), attributes)


def elements(name: str, inner: Iterable[str], /, **attributes: object) -> str:
    """Write an element with elements as its content, and no blanks, which some clients take for elements."""
    return _written(name, "".join(inner), attributes)


def _written(name: str, content: str, attributes: Mapping[str, object]) -> str:
    given = "".join([f' {key}="{_escaped(value)}"' for key, value in attributes.items()])
    return f"<{name}{given}>{content}</{name}>" if content else f"<{name}{given}/>"


def _escaped(value: object) -> str:
    return str(value) if isinstance(value, int) else escape(_NOT_XML.sub("", str(value)))


def sent(message_id: int, *, scheduled_id: int, credits_used: int, status: str) -> str:
    """Write what became of a send; one piece, as most answers are this one."""
    ids = f"<message_id>{message_id}</message_id><scheduled_id>{scheduled_id}</scheduled_id>"
    return f"{ids}<credits_used>{credits_used}</credits_used><status>{status}</status>"


def document(content: str, *, doctype: str) -> bytes:
    """Write a whole reply in ISO-8859-1."""
    head = _head(doctype, int(time.time()))
    return f"{head}{content}</response>\n".encode("latin-1", "xmlcharrefreplace")


@functools.lru_cache(maxsize=8)  # a second has many answers
def _head(doctype: str, at_s: int, /) -> str:
    now = iso_8601(at_s)
    return f'<?xml version="1.0" encoding="ISO-8859-1"?>\n{doctype}<response processed_date="{now}">'


@functools.lru_cache(maxsize=64)
def doctype(name: str, base_url: str, owner: str, /) -> str:
    """Write the line that names the DTD below the address; keywords would make the cache slower."""
    public = f"-//{owner}//DTD Web Services REST 1.6//EN"
    return f'<!DOCTYPE response PUBLIC\n"{public}"\n"{escape(base_url)}/{name}.dtd">\n'


def dtd(file: str) -> Response | None:
    """Serve a DTD; nothing: there is none of that name."""
    name = _BY_FILE.get(file.lower())
    if name is None:
        return None
    lines = ["<!ELEMENT response ANY>", "<!ATTLIST response processed_date CDATA #REQUIRED>"]
    for child, attributes in DTDS[name].items():
        lines.append(f"<!ELEMENT {child} ANY>")
        lines += [f"<!ATTLIST {child} {each} CDATA #REQUIRED>" for each in attributes.split()]
    return Response("\n".join([*lines, ""]), media_type="application/xml-dtd")


def reply(content: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer in XML."""
    return WrittenReply(content, status, headers, kind=_KIND)


def iso_8601(at_s: float) -> str:
    """Write a time (Unix seconds) to the second, in UTC."""
    return datetime.fromtimestamp(at_s, tz=UTC).isoformat(timespec="seconds")
