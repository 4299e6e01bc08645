"""Reading and writing what is read and written for each message, quicker than a library for every case."""

import itertools
import json
import json.encoder
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_plus

_decoder = json.JSONDecoder()
_scan: Callable[[str, int], tuple[Any, int]] = _decoder.scan_once  # type: ignore[attr-defined]  # no stub

quoted: Callable[[str], str] = json.encoder.encode_basestring_ascii
"""Writes a string of JSON in ASCII."""

_beginning = str(uuid.uuid4())[:-12]
_count = itertools.count()


def decoded(text: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Read JSON; the library looks for blanks around it with a pattern, which takes as long as reading it.

    Raises:
        ValueError: it is none.
    """
    try:
        found, end = _scan(text, 0)
    except StopIteration:  # no value where one must be; there may be blanks first
        end = -1
    return found if end == len(text) else _decoder.decode(text)


def fields(text: str) -> list[tuple[str, str, str]]:
    """Return the fields of a query or a form: name, equals sign if there is one, value."""
    if "%" not in text:
        return [field.partition("=") for field in text.replace("+", " ").split("&")]
    parted = [field.partition("=") for field in text.split("&")]
    return [(unquote_plus(name), sign, unquote_plus(value)) for name, sign, value in parted]


def new_guid() -> str:
    """Return a UUID in the form of version 4; all of one process begin alike and end in a count."""
    return f"{_beginning}{next(_count):012x}"


def now() -> str:
    """Return the time in Unix seconds, to the microsecond."""
    nanoseconds = str(time.time_ns())
    return f"{nanoseconds[:-9]}.{nanoseconds[-9:-3]}"
