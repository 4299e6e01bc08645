"""The two forms of an answer of Txty API v4: `api.json` and `api.xml`.

The form in XML is not documented: an element for each name, `item` for what stands in a list.
"""

import json
import re
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

from starlette.responses import Response

from worker.sandbox.gateway import JsonReply, WrittenReply
from worker.sandbox.txty import Refused

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class RefusedXml(Response):
    """A refusal in XML."""


def written(
    content: dict[str, Any], *, is_xml: bool, status: int = 200, pause_s: int | None = None
) -> Response:
    """Write an answer; the content says whether it is a refusal."""
    headers = {} if pause_s is None else {"Retry-After": str(pause_s)}
    is_refusal = content["status"] == "error"
    if not is_xml:
        return (Refused if is_refusal else JsonReply)(content, status_code=status, headers=headers)
    kind = RefusedXml if is_refusal else Response
    return kind(_xml(content), status_code=status, headers=headers, media_type="application/xml")


def sent_reply(sms: str, *, is_xml: bool) -> Response:
    """Write the answer to a send: what it says of the messages is JSON already, as most answers are JSON."""
    content = f'{{"status":"success","success":"SMS_SENT","sms":{sms}}}'
    if not is_xml:
        return WrittenReply(content)
    return Response(_xml(json.loads(content)), media_type="application/xml")


def _xml(content: dict[str, Any]) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<response>{"".join(_elements(content))}</response>\n'


def _elements(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"<{name}>{''.join(_elements(inner))}</{name}>"
    elif isinstance(value, list):
        for inner in value:
            yield f"<item>{''.join(_elements(inner))}</item>"
    elif isinstance(value, bool):
        yield str(value).lower()
    elif value is not None:
        yield escape(_NO_XML.sub("", str(value)))
