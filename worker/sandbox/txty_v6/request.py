"""What a call to Txty v6 asks for, checked against the limits that the vendor documents."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from worker.sandbox import txty
from worker.sandbox.basic import basic_login
from worker.sandbox.gateway import REFUSED_USER, Call
from worker.sandbox.txty import TxtyError
from worker.sandbox.txty_v6.knobs import TxtyV6Knobs

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+ -]\d\d:\d\d)", re.ASCII)
_FLAGS = ("premium", "flash", "silent")
_SETTINGS = {f"settings_{name}" for name in _FLAGS}
_BOOLEANS = {"true": "true", "1": "true", "false": "false", "0": "false"}


@dataclass(slots=True, eq=False)  # frozen, or by keywords, it would take twice as long to make
class Asked:
    """One message that is to be sent."""

    number: str
    sender: str
    text: str
    parts: int
    reference: str
    flags: str  # as members of JSON
    scheduled: str  # as given


def user_name(call: Call, *, given: Mapping[str, str], knobs: TxtyV6Knobs) -> str:
    """Return the user name of the query or of a Basic authentication.

    Raises:
        TxtyError: there is none, or no secret, or it is the one that is not let in.
    """
    user, secret = given.get("username", ""), given.get("token", "")
    if knobs.login == "basic" or not ((user and secret) or knobs.login == "query"):
        user, secret = basic_login(call.header(b"authorization") or "")
    if not user or not secret or user == REFUSED_USER:
        raise TxtyError("BAD_REQUEST", "authentication is missing or invalid", status=401)
    return user


def asked_of(given: Mapping[str, str], *, knobs: TxtyV6Knobs) -> Asked:
    """Return what is to be sent.

    Raises:
        TxtyError: a parameter is missing or beyond its limit.
    """
    number, sender, text = given.get("msisdn", ""), given.get("sender", ""), given.get("text", "")
    txty.check_number(number, knobs=knobs)
    txty.check_sender(sender, knobs=knobs)
    parts = txty.parts_of(text, knobs=knobs)
    scheduled = _scheduled(given.get("settings_scheduled", ""), knobs=knobs)
    reference = given.get("custom_reference", "")
    if len(reference) > knobs.max_reference:
        raise TxtyError("REFERENCE_LONG", "the reference is too long")
    flags = _PLAIN if _SETTINGS.isdisjoint(given) else _flags(given)
    return Asked(number, sender, text, parts, reference, flags, scheduled)


def _flags(given: Mapping[str, str]) -> str:
    return ",".join(f'"{name}":{_boolean(given.get(f"settings_{name}", "false"))}' for name in _FLAGS)


def _boolean(value: str) -> str:
    found = _BOOLEANS.get(value.lower())
    if found is None:
        raise TxtyError("BAD_REQUEST", "a setting is neither true nor false")
    return found


_PLAIN = _flags({})


def _scheduled(value: str, *, knobs: TxtyV6Knobs) -> str:
    if not value:
        return ""
    if not _DATE_TIME.fullmatch(value):
        raise TxtyError("SCHEDULED_INVALID", "the time is no date-time")
    written = value[:-6] + value[-6:].replace(" ", "+")  # a plus that was not encoded
    try:
        at_s = datetime.fromisoformat(written.upper()).timestamp()
    except ValueError:
        raise TxtyError("SCHEDULED_INVALID", "there is no such time") from None
    if knobs.refuse_past and at_s < time.time():
        raise TxtyError("SCHEDULED_INVALID", "the time has passed")
    return written
