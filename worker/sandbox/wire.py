"""Reading and writing what is read and written for each message, quicker than a library for every case."""

import itertools
import json
import json.encoder
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_plus

from pydantic_core import from_json

quoted: Callable[[str], str] = json.encoder.encode_basestring_ascii
"""Writes a string of JSON in ASCII."""

_beginning = str(uuid.uuid4())[:-12]
_count = itertools.count(1 << 44)  # the first of twelve hexadecimal digits


def decoded(body: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Read JSON in UTF-8.

    Raises:
        ValueError: it is none.
        RecursionError: it is nested too deeply.
    """
    try:
        return from_json(body, cache_strings="keys")
    except ValueError:  # it is also too strict for half of a surrogate pair, and for deep nesting
        return json.loads(body.decode())


def fields(text: str) -> list[tuple[str, str, str]]:
    """Return the fields of a query or a form: name, equals sign if there is one, value."""
    if "%" not in text:
        return [field.partition("=") for field in text.replace("+", " ").split("&")]
    parted = [field.partition("=") for field in text.split("&")]
    return [(unquote_plus(name), sign, unquote_plus(value)) for name, sign, value in parted]


def new_guid() -> str:
    """Return a UUID in the form of version 4; all of one process begin alike and end in a count."""
    return f"{_beginning}{next(_count):x}"


def seconds(at_ns: int) -> str:
    """Write a time in Unix nanoseconds as seconds, to the microsecond."""
    digits = str(at_ns)
    return f"{digits[:-9]}.{digits[-9:-3]}"
