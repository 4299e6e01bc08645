"""What a call to Txty API v4 asks for, checked against the limits that the vendor documents."""

import contextlib
import functools
import time
from collections.abc import Mapping
from dataclasses import dataclass

from worker.sandbox import txty
from worker.sandbox.gateway import REFUSED_USER
from worker.sandbox.txty import TxtyError
from worker.sandbox.txty_v4.knobs import TxtyV4Knobs
from worker.sandbox.txty_v4.outbox import PLAIN, Extras

_HEAD = ("api", "4")  # of the vendor's own address; it may stand there or not
_MAX_TIME_DIGITS = 11
_EXTRA = {"schedule", "flash", "wappush", "price"}
_DOCUMENTED = {"EMPTY_RECIPIENT", "USER_NOT_FOUND"}  # of a send


@dataclass(slots=True, eq=False)  # frozen, or by keywords, it would take twice as long to make
class Asked:
    """One text that is to be sent to one number or more, all of them good."""

    numbers: list[str]
    sender: str
    text: str
    parts: int
    callback: str
    extras: Extras
    n_refused: int  # of a group


@functools.lru_cache(maxsize=64)
def resource(path: tuple[str, ...]) -> tuple[str, ...]:
    """Return the path without the file and without what the vendor's own address begins with."""
    path = path[:-1]
    return path[len(_HEAD) :] if path[: len(_HEAD)] == _HEAD else path


def user_name(given: Mapping[str, str], *, messages: int = 0) -> str:
    """Return the user name.

    Raises:
        TxtyError: there is none, or no key, or it is the one that is not let in.
    """
    user, key = given.get("user"), given.get("key")
    if not user or not key or user == REFUSED_USER:
        raise TxtyError("USER_NOT_FOUND", "", messages=messages, login={"user": user, "key": key})
    return user


def asked_of(given: Mapping[str, str], *, numbers: list[str], knobs: TxtyV4Knobs) -> Asked:
    """Return what is to be sent; of several numbers the bad ones are left out.

    Raises:
        TxtyError: a parameter is missing or beyond its limit, or no number is good.
    """
    if not numbers:
        raise TxtyError("EMPTY_RECIPIENT", "")
    good = _good(numbers, knobs=knobs)
    if not good:
        raise TxtyError("MSISDN_INVALID", "", messages=len(numbers))
    sender, text = given.get("sender", ""), given.get("text", "")
    txty.check_sender(sender, knobs=knobs)
    parts = txty.parts_of(text, knobs=knobs)
    extras = PLAIN if _EXTRA.isdisjoint(given) else _extras(given, knobs=knobs)
    return Asked(good, sender, text, parts, given.get("callback", ""), extras, len(numbers) - len(good))


def named(error: TxtyError, *, given: Mapping[str, str], knobs: TxtyV4Knobs) -> TxtyError:
    """Give an error the name and the object of an answer to a send."""
    code = error.code
    if knobs.refusals == "plain" and code not in _DOCUMENTED:
        code = "EMPTY_RECIPIENT" if code.startswith("MSISDN") else "REFUSED"
    return TxtyError(code, error.text, messages=error.messages, sms={"msisdn": given.get("msisdn")})


def _extras(given: Mapping[str, str], *, knobs: TxtyV4Knobs) -> Extras:
    return Extras(
        scheduled_s=_scheduled_s(given.get("schedule", "0"), knobs=knobs),
        flash=txty.is_on(given.get("flash", "")),
        wappush=given.get("wappush"),
        premium=_whole(given.get("price", "0")) or 0,
    )


def _good(numbers: list[str], *, knobs: TxtyV4Knobs) -> list[str]:
    if len(numbers) == 1:
        txty.check_number(numbers[0], knobs=knobs)
        return numbers
    good = []
    for number in numbers:
        with contextlib.suppress(TxtyError):
            txty.check_number(number, knobs=knobs)
            good.append(number)
    return good


def _scheduled_s(value: str, *, knobs: TxtyV4Knobs) -> int:
    """Return the Unix time, 0 for at once."""
    written_s = _whole(value)
    if written_s is None:
        raise TxtyError("SCHEDULED_INVALID", "")
    if not written_s:
        return 0
    at_s = knobs.read_s(written_s)
    if at_s >= time.time():
        return at_s
    if knobs.refuse_past:
        raise TxtyError("SCHEDULED_INVALID", "")
    return 0


def _whole(value: str) -> int | None:
    is_whole = value.isascii() and value.isdigit() and len(value) <= _MAX_TIME_DIGITS
    return int(value) if is_whole else None
