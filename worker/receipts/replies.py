"""A reply that is posted to us, as any gateway or program of yours may write it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

FROM = ("from", "msisdn", "originator", "sender", "source", "number", "mobile", "phone")
TEXT = ("text", "message", "body", "content", "msg")
_MOST_FIELDS = 50


@dataclass(frozen=True, kw_only=True)
class Reply:
    """Who wrote, as the gateway tells it, and what."""

    number: str = field(repr=False)
    text: str = field(repr=False)


def read(*, query: str, content_type: str, body: bytes) -> Reply | None:
    """Read a call: fields of its query, of a form, or of a JSON object; None where number or text is missing.

    The case of a field's name does not matter, nor does anything that is not asked for.
    """
    fields = {**_form(query), **_fields(content_type, body)}
    number, text = _first(fields, FROM), _first(fields, TEXT)
    return None if not number or text is None else Reply(number=number, text=text)


def _fields(content_type: str, body: bytes) -> Mapping[str, str]:
    written = body.decode(errors="replace")
    if "json" not in content_type.lower() and not written.lstrip().startswith("{"):
        return _form(written)
    try:
        found: Any = json.loads(written)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        str(name).lower(): str(value)
        for name, value in found.items()
        if isinstance(value, str | int) and not isinstance(value, bool)
    }


def _form(written: str) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(written, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="replace")
    except ValueError:
        return {}
    return {name.lower(): value for name, value in reversed(pairs)}  # of two, the first


def _first(fields: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((fields[name] for name in names if name in fields), None)
