"""What both generations of the Txty API have in common: numbers, senders, texts, prices.

Source: the vendor's documentation of v4 and v6; dialling codes as the ITU lists them (E.164, annex).
"""

import functools
import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import unquote_plus

from pydantic import Field

from worker.sandbox.endings import refusal_of
from worker.sandbox.gateway import Call, JsonReply, RefusalError
from worker.sandbox.knobs import Knobs
from worker.sandbox.parts import count_parts, only_gsm

_MAX_NUMBER = 15
_SHORTEST = 7  # digits in all
_TWO_DIGITS = re.compile(r"2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]")
_LENGTHS = {45: {8}, 46: {7, 8, 9, 10}, 47: {8}, 44: {9, 10}, 1: {10}}  # after the dialling code
_PRICES = {45: 0.2, 46: 0.2, 47: 0.2, 44: 0.55}  # DKK a part, as in the vendor's example
_OTHER_PRICE = 0.6
_ALNUM = re.compile(r"[A-Za-z0-9]+", re.ASCII)


class TxtyKnobs(Knobs):
    """The knobs of both generations beside the common ones; what no document says."""

    max_text: Annotated[int, Field(ge=1)] = 1530  # characters
    max_sender_digits: Annotated[int, Field(ge=1)] = 15
    max_sender_alnum: Annotated[int, Field(ge=1)] = 11
    refuse_past: bool = False  # a time that has passed is refused; otherwise it means now


class TxtyError(RefusalError):
    """A call that is refused, with the gateway's own code."""

    def __init__(
        self, code: str, text: str, *, status: int = 400, messages: int = 1, **about: object
    ) -> None:
        super().__init__(status, text, messages=messages)
        self.code = code
        self.about = about  # what stands beside the code


class Refused(JsonReply):
    """A refusal, which may have the same status as a success."""


@functools.lru_cache(maxsize=8)  # a call is looked at twice
def form(text: str) -> Mapping[str, str]:
    """Read a query or a form; an empty value counts as absent, of two values the last counts."""
    fields = (field.partition("=") for field in text.split("&"))
    return {_unquoted(name): _unquoted(value) for name, _, value in fields if value}


def _unquoted(word: str) -> str:
    return unquote_plus(word) if "%" in word or "+" in word else word


def parameters(call: Call) -> Mapping[str, str]:
    """Return the parameters of the query and, of a POST, those of its form."""
    if call.method != "POST":
        return form(call.query)
    posted = form(call.body.decode(errors="replace"))
    return {**form(call.query), **posted} if call.query else posted


@functools.lru_cache(maxsize=4096)
def divided(number: str) -> tuple[int, int]:
    """Return dialling code and national number."""
    n_digits = 1 if number[:1] in {"1", "7"} else 2 if _TWO_DIGITS.match(number) else 3
    return int(number[:n_digits] or 0), int(number[n_digits:] or 0)


def price(number: str, *, parts: int) -> float:
    """Return what a message costs, in DKK."""
    return round(parts * _PRICES.get(divided(number)[0], _OTHER_PRICE), 2)


def check_number(number: str, *, knobs: Knobs) -> None:
    """Refuse what is no number, and what its ending or the knobs refuse.

    Raises:
        TxtyError: with the code of the fault.
    """
    if not number:
        raise TxtyError("MSISDN_EMPTY", "the recipient is missing")
    if not (number.isascii() and number.isdigit()):
        raise TxtyError("MSISDN_ALPHA", "the recipient has other characters than digits")
    if len(number) > _MAX_NUMBER:
        raise TxtyError("MSISDN_LONG", "the recipient is too long")
    refusal = refusal_of(number, knobs=knobs)
    if refusal == "credit":
        raise TxtyError("CANNOT_AFFORD", "there is no credit for it")
    if refusal or not _is_number(number):
        raise TxtyError("MSISDN_INVALID", "the recipient is not valid")


def _is_number(number: str) -> bool:
    dialcode, _national = divided(number)
    lengths = _LENGTHS.get(dialcode)
    if lengths is not None:
        return len(number) - len(str(dialcode)) in lengths
    return not number.startswith("0") and len(number) >= _SHORTEST


def check_sender(sender: str, *, knobs: TxtyKnobs) -> None:
    """Refuse a sender beyond the limits that v4 documents.

    Raises:
        TxtyError: with the code of the fault.
    """
    if not sender:
        raise TxtyError("SENDER_EMPTY", "the sender is missing")
    if not _ALNUM.fullmatch(sender):
        raise TxtyError("SENDER_INVALID", "the sender may have a-z, A-Z and 0-9 only")
    if len(sender) > (knobs.max_sender_digits if sender.isdigit() else knobs.max_sender_alnum):
        raise TxtyError("SENDER_LONG", "the sender is too long")


def parts_of(text: str, *, knobs: TxtyKnobs) -> int:
    """Return how many parts the text has.

    Raises:
        TxtyError: it is empty or too long.
    """
    if not text:
        raise TxtyError("TEXT_EMPTY", "the text is missing")
    if len(text) > knobs.max_text:
        raise TxtyError("TEXT_LONG", "the text is too long")
    return count_parts(text, is_unicode=only_gsm(text) != text)


def is_on(value: str) -> bool:
    """Read a switch: ``true``, or ``1`` as PHP writes it."""
    return value.lower() in {"true", "1"}
