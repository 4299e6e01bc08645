"""What both generations of the Txty API have in common: numbers, senders, texts, prices.

Source: the vendor's documentation of v4 and v6; dialling codes as the ITU lists them (E.164, annex).
"""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from worker.sandbox.endings import refusal_of
from worker.sandbox.gateway import Call, JsonReply, RefusalError
from worker.sandbox.knobs import STRICT, Knobs
from worker.sandbox.parts import count_parts, is_short, only_gsm
from worker.sandbox.wire import fields

_MAX_NUMBER = 15
_ONE_DIGIT = {"1", "7"}
_TWO_DIGITS = {
    *("20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48"),
    *("49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66"),
    *("81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98"),
}
# Numbers of the countries whose plans know few lengths, and of all others; at most 15 digits.
_NUMBER = re.compile("4[57][0-9]{8}|46[0-9]{7,10}|44[0-9]{9,10}|1[0-9]{10}|(?!4[4-7]|1)[1-9][0-9]{6,14}")
_PRICES = {"45": 0.2, "46": 0.2, "47": 0.2, "44": 0.55}  # DKK a part, as in the vendor's example
_OTHER_PRICE = 0.6
_ALNUM = re.compile(r"[A-Za-z0-9]+", re.ASCII)


@dataclass(config=STRICT, kw_only=True)
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


def form(text: str) -> Mapping[str, str]:
    """Read a query or a form; an empty value counts as absent, of two values the last counts."""
    return {name: value for name, _, value in fields(text) if value}


def parameters(call: Call) -> Mapping[str, str]:
    """Return the parameters of the query and, of a POST, those of its form; read once of each call."""
    given: Mapping[str, str] | None = call.notes
    if given is None:
        given = form(call.query) if call.query else {}
        if call.method == "POST":
            given = {**given, **form(call.body.decode("utf-8", "replace"))}
        call.notes = given
    return given


def dialcode_of(number: str) -> str:
    """Return the dialling code."""
    return number[: 1 if number[:1] in _ONE_DIGIT else 2 if number[:2] in _TWO_DIGITS else 3]


def divided(number: str) -> tuple[int, int]:
    """Return dialling code and national number."""
    dialcode = dialcode_of(number)
    return int(dialcode or 0), int(number[len(dialcode) :] or 0)


def price(number: str, *, parts: int) -> float:
    """Return what a message costs, in DKK."""
    one = _PRICES.get(number[:2], _OTHER_PRICE)
    return one if parts == 1 else round(parts * one, 2)


def check_number(number: str, *, knobs: Knobs) -> None:
    """Refuse what is no number, and what its ending or the knobs refuse.

    Raises:
        TxtyError: with the code of the fault.
    """
    refusal, is_number = refusal_of(number, knobs=knobs), _NUMBER.fullmatch(number)
    if is_number and not refusal:
        return
    if not number:
        raise TxtyError("MSISDN_EMPTY", "the recipient is missing")
    if not (number.isascii() and number.isdigit()):
        raise TxtyError("MSISDN_ALPHA", "the recipient has other characters than digits")
    if len(number) > _MAX_NUMBER:
        raise TxtyError("MSISDN_LONG", "the recipient is too long")
    if refusal == "credit":
        raise TxtyError("CANNOT_AFFORD", "there is no credit for it")
    raise TxtyError("MSISDN_INVALID", "the recipient is not valid")


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
    if is_short(text):
        return 1
    return count_parts(text, is_unicode=only_gsm(text) != text)


def is_on(value: str) -> bool:
    """Read a switch: ``true``, or ``1`` as PHP writes it."""
    return value.lower() in {"true", "1"}
