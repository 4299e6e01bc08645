"""What a call to CPSMS v2 asks for, checked against the limits that the vendor documents."""

import base64
import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from worker.sandbox.cpsms.knobs import CpsmsKnobs
from worker.sandbox.endings import Refusal, refusal_of
from worker.sandbox.gateway import REFUSED_USER, Call, RefusalError
from worker.sandbox.parts import count_parts, is_short, only_gsm
from worker.sandbox.wire import decoded

_MAX_PARTS = 10
_MAX_REFERENCE = 32
_SENDER = re.compile(r"\+?[0-9]{1,15}|[0-9A-Za-z .&_-]{1,11}")
_OLD_SENDER = re.compile(r"\+?[0-9]{1,20}|[0-9A-Za-z .&_-]{1,11}")  # as documented in 2016
_NUMBER = re.compile(r"[1-9][0-9]{0,14}")
# Those of the countries whose plans know few lengths (as the ITU lists them), and those of all others.
_FITTING = re.compile(
    "1[0-9]{10}|3[34][0-9]{9}|44[0-9]{9,10}|4[57][0-9]{8}|46[0-9]{7,10}|(?!1|3[34]|4[4-7])[1-9][0-9]{6,14}"
)
NO_CREDIT = (402, "not enough points")
_REFUSALS: Mapping[Refusal, tuple[int, str]] = {
    "number": (400, "the number is refused"),
    "stopped": (400, "the number has opted out"),  # CPSMS documents no stop list
    "credit": NO_CREDIT,
}
_MAX_TIME_DIGITS = 11  # a time with more is in other units than seconds


@dataclass(slots=True, eq=False)  # as quick to make as a `Call`
class Submission:
    """One request to send: numbers as they were given without the plus, and the text that arrives."""

    recipients: list[str]
    text: str
    sender: str
    reference: str
    parts: int
    dlr_url: str
    send_at_s: float


@functools.lru_cache(maxsize=64)
def user_name(authorization: str) -> str:
    """Return the user name of a Basic authentication.

    Raises:
        RefusalError: there is none, or it is the one that is not let in.
    """
    scheme, _, encoded = authorization.partition(" ")
    try:
        user, colon, _secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:  # of base64, or of UTF-8
        user, colon = "", ""
    if scheme.lower() != "basic" or not user or not colon or user == REFUSED_USER:
        raise RefusalError(401, "the credentials are wrong")
    return user


def parameters(call: Call, *, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the parameters, from JSON, the named path segments or the query; an empty one counts as absent.

    Raises:
        RefusalError: the body is not a JSON object.
    """
    if call.body:
        given = _json(call.body)
    else:
        given = dict(zip(names, call.path[1:], strict=False)) | dict(parse_qsl(call.query))
    if "" in given.values() or None in given.values():
        return {name: value for name, value in given.items() if value not in ("", None)}
    return given


def _json(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body.decode("latin-1")) if b"8859" in body else {}
        if str(given.get("encoding", "")).upper() != "ISO-8859-1":
            given = decoded(body)
    except (ValueError, AttributeError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise RefusalError(400, "the body is not a JSON object")
    return given


def submission(given: dict[str, Any], *, knobs: CpsmsKnobs) -> Submission:
    """Return what the parameters ask to send; the single numbers are not judged yet.

    Raises:
        RefusalError: a parameter is missing or beyond its limit.
    """
    numbers = [str(number).removeprefix("+") for number in listed(given)]
    if not numbers and "to_group" in given:
        raise RefusalError(409, "the group is empty", messages=0)
    if not numbers:
        raise RefusalError(400, "the parameter to is missing")
    try:
        return _checked(given, numbers=numbers, knobs=knobs)
    except RefusalError as error:
        raise RefusalError(error.status, error.text, messages=len(numbers)) from None


def listed(given: dict[str, Any]) -> list[Any]:
    """Return the numbers of the parameters as they are."""
    to = given.get("to", [])
    return to if isinstance(to, list) else [to]


def _checked(given: dict[str, Any], *, numbers: list[str], knobs: CpsmsKnobs) -> Submission:
    if len(numbers) > knobs.max_recipients:
        raise RefusalError(400, "there are too many recipients")
    text, parts = _text(given)
    sender = str(given.get("from", knobs.default_sender))
    reference = str(given.get("reference", ""))
    if not text or not sender:
        raise RefusalError(400, f"the parameter {'from' if text else 'message'} is missing")
    if not (_OLD_SENDER if knobs.has_old_names else _SENDER).fullmatch(sender):
        raise RefusalError(406, "the sender has characters or a length that are not allowed")
    if len(reference) > _MAX_REFERENCE:
        raise RefusalError(400, "the reference is too long")
    if parts > _MAX_PARTS:
        raise RefusalError(400, "the message is too long")
    dlr_url = str(given.get("dlr_url", ""))
    send_at_s = unix_seconds(given["timestamp"]) if "timestamp" in given else 0
    return Submission(numbers, text, sender, reference, parts, dlr_url, send_at_s)


def _text(given: dict[str, Any]) -> tuple[str, int]:
    """Return the text that arrives, and its parts; an empty one has none."""
    text = str(given.get("message", ""))
    is_unicode = "format" in given and str(given["format"]).upper() == "UNICODE"
    if not is_unicode:
        if is_short(text):
            return text, 1
        text = only_gsm(text)
    return text, count_parts(text, is_unicode=is_unicode) if text else 0


def unix_seconds(value: object) -> int:
    """Return a time that was given as a number or a string.

    Raises:
        RefusalError: it is neither.
    """
    digits = str(value)
    if not digits.isdecimal() or len(digits) > _MAX_TIME_DIGITS:
        raise RefusalError(400, "a time is not in Unix seconds")
    return int(digits)


def number_fault(number: str, *, knobs: CpsmsKnobs) -> tuple[int, str] | None:
    """Return with which code and text the number (without plus) is refused; nothing: it is not."""
    if not _FITTING.fullmatch(number):
        is_number = _NUMBER.fullmatch(number)
        return 400, "number length does not fit the country" if is_number else "the number is not valid"
    refusal = refusal_of(number, knobs=knobs)
    return _REFUSALS[refusal] if refusal else None
