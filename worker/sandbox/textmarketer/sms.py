"""What a call to Text Marketer asks to send, checked against the limits that the vendor documents."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from worker.sandbox.endings import refusal_of
from worker.sandbox.parts import count_parts, is_short, only_gsm
from worker.sandbox.textmarketer.knobs import TextmarketerKnobs
from worker.sandbox.textmarketer.request import FaultError
from worker.sandbox.textmarketer.time import unix_seconds

NO_CREDIT = 6, "there are not enough credits to send this message"
_MAX_CHARACTERS = 612
MAX_TAG = 20
_SINGLE, _PART, _MAX_PARTS = 160, 153, 4
_OPTIONS = {"validity", "custom", "email"}
_LOCAL = {"", "0"}  # how what is to be put into international form begins, or what is none
_STOP = {"check_stop", "checkSTOP"}
_NO_SENDER = 4, "the originator is missing"
_VALIDITY_H = range(1, 73)
_NUMBER = re.compile(r"[1-9][0-9]{6,14}", re.ASCII)
_SENDER = re.compile(r"\+?[0-9]{1,16}|[0-9A-Za-z .&_-]{1,11}", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_TAG = re.compile(r"[0-9A-Za-z]+", re.ASCII)


@dataclass(slots=True, eq=False)  # as quick to make as a `Call`
class Sms:
    """One request to send; numbers without plus, not judged yet."""

    recipients: list[str]
    text: str
    sender: str
    custom: str
    parts: int
    leaves_at_s: float  # 0: now
    check_stop: bool


def recipients(given: dict[str, str]) -> list[str]:
    """Return the numbers in international form, as far as they are ones."""
    only = given.get("to", "")
    if only[:1] not in _LOCAL and only.isdecimal():
        return [only]
    numbers = given["to"].split(",") if "to" in given else [given.get("mobile_number", "")]
    return [_international(number.strip()) for number in numbers if number and not number.isspace()]


def _international(number: str) -> str:
    digits = number.removeprefix("+").removeprefix("00")
    return f"44{digits[1:]}" if digits.startswith("0") else digits  # as dialled in the UK


def number_fault(
    number: str, *, knobs: TextmarketerKnobs, stopped: Collection[str]
) -> tuple[int, str] | None:
    """Return why the number is refused; `stopped` are those on the stop list that is to be checked."""
    refusal, is_number = refusal_of(number, knobs=knobs), _NUMBER.fullmatch(number)
    if not is_number and not number.isdecimal():
        return 10, "a mobile number is not an integer"
    if refusal == "number" or not is_number:
        return 9, "a mobile number is invalid or too short"
    if not knobs.international and not number.startswith("44"):
        return 0, "sending abroad is not enabled"
    if refusal == "stopped" or number in stopped:
        return 13, "a mobile number is in a STOP group"
    return NO_CREDIT if refusal == "credit" else None


def sms(given: dict[str, str], *, knobs: TextmarketerKnobs) -> Sms:
    """Return what the parameters ask to send.

    Raises:
        FaultError: one of them or more are missing or beyond their limits; each is named.
    """
    numbers, text = recipients(given), given.get("message", "")
    sender = given.get("originator", knobs.default_sender)
    leaves_at_s = unix_seconds(given["schedule"]) if "schedule" in given else 0.0
    n_parts, found = 1, []
    if not is_short(text):
        n_parts = parts(text, knobs=knobs) if text and only_gsm(text) == text else 1
        found += _text_faults(text, n_parts=n_parts)
    if not _SENDER.fullmatch(sender):
        found.append((3, "the originator is invalid or too long") if sender else _NO_SENDER)
    if not 0 < len(numbers) <= knobs.max_recipients:
        found.append((9, "the mobile numbers are missing, or too many"))
    if not _OPTIONS.isdisjoint(given):
        found += _option_faults(given, sender=sender, high_codes=knobs.high_codes)
    if leaves_at_s is None:
        found.append((34, "the schedule is not in ISO 8601"))
    if found:
        raise FaultError(*found, messages=max(1, len(numbers)))
    check_stop = not _STOP.isdisjoint(given) and _is_on(given.get("check_stop", given.get("checkSTOP", "")))
    return Sms(numbers, text, sender, given.get("custom", ""), n_parts, leaves_at_s or 0.0, check_stop)


def _is_on(value: str) -> bool:
    return value.lower() in {"true", "1"}


def parts(text: str, *, knobs: TextmarketerKnobs) -> int:
    """Count the parts of a GSM text."""
    if knobs.extension_units == 2:  # noqa: PLR2004 - septets, as the standard counts them
        return count_parts(text, is_unicode=False)
    return 1 if len(text) <= _SINGLE else -(-len(text) // _PART)


def _text_faults(text: str, *, n_parts: int) -> list[tuple[int, str]]:
    if not text:
        return [(7, "the message is missing")]
    gsm = only_gsm(text)
    if gsm != text:
        strange = sorted(set(text) - set(gsm))
        return [(8, f"the message has unsupported characters: {' '.join(strange)}")]
    is_long = len(text) > _MAX_CHARACTERS or n_parts > _MAX_PARTS
    return [(5, "the message is too long")] if is_long else []


def _option_faults(given: dict[str, str], *, sender: str, high_codes: bool) -> list[tuple[int, str]]:
    validity, custom, email = given.get("validity", "72"), given.get("custom", "x"), given.get("email", "")
    found = []
    if not (validity.isdecimal() and validity.isascii() and int(validity[:4]) in _VALIDITY_H):
        found.append((32 if high_codes else 11, "the validity must be 1 to 72 hours"))
    if not _TAG.fullmatch(custom) or len(custom) > MAX_TAG:
        found.append((33 if high_codes else 12, "custom must be 1 to 20 letters and digits"))
    if email and not _EMAIL.fullmatch(email):
        found.append((30, "the email address is invalid"))
    elif email and not sender.removeprefix("+").isdecimal():
        found.append((31, "with an email address the originator must be a number of the account"))
    return found


def is_tag(tag: str) -> bool:
    """Say whether it has only letters and digits."""
    return bool(_TAG.fullmatch(tag))
