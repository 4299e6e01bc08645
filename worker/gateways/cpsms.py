"""CPSMS.dk API v2: one text to up to 500 numbers, answered number by number.

Source: https://api.cpsms.dk/v2 and the vendor's documentation of 2016 (Compaya), read November 2026; later
shapes from clients in use. It gives no message id, writes the same reply in several shapes, and may say
``error`` with status 200; so both lists are read at any status, and who is in neither is ambiguous.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from worker.errors import ConfigError
from worker.gateways.base import Capabilities, HttpRequest, Outcome, Verdict
from worker.gateways.checks import check_base_url, check_flag, check_submission
from worker.gateways.replies import retry_after_s, verdict_of_status, words
from worker.text.segments import Encoding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from worker.gateways.base import HttpReply, Submission

BASE_URL = "https://api.cpsms.dk/v2"

_CODES = {
    400: Verdict.CAMPAIGN,  # of one number: see _of_recipient; of several: see _of_request
    401: Verdict.ACCOUNT,
    402: Verdict.ACCOUNT,  # points used up
    403: Verdict.ACCOUNT,  # address not on the list
    404: Verdict.BUG,
    406: Verdict.CAMPAIGN,  # such as characters of the sender
    409: Verdict.CAMPAIGN,
    429: Verdict.RETRY,
    500: Verdict.AMBIGUOUS,
}

# Free text is all that tells a bad number from a bad campaign ("number of characters", "sender number").
_ABOUT_RECIPIENT = re.compile(
    r"\b(recipient|receiver|msisdn|modtager|phone|mobile?|numbers?(?! of\b)|\w*nummer)", re.IGNORECASE
)
_ABOUT_SENDER = re.compile(r"\b(sender|from|originator|afsender)", re.IGNORECASE)

_BAD_REQUEST = 400
_OK = 2  # hundreds
_REFUSED = {Verdict.CAMPAIGN, Verdict.ACCOUNT, Verdict.BUG}  # a code in the body may say it more precisely

_COST = re.compile(r"\d{1,6}(?:\.\d{1,6})?", re.ASCII)  # points; anything else is no price
_LARGEST_PARTS = 255
_CODE_LIMIT = 40  # characters

_Item = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Cpsms:
    """The adapter; ``secret`` is the API key of the vendor's web panel."""

    name: ClassVar[str] = "cpsms"
    capabilities: ClassVar[Capabilities] = Capabilities(
        max_recipients=500,  # assumed: not documented
        max_parts=10,
        encodings=frozenset(Encoding),
        options=frozenset({"flash"}),
    )

    base_url: str = BASE_URL
    username: str
    secret: str = field(repr=False)
    dlr_url: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Raise ``ConfigError`` for an address or a login that cannot be used."""
        object.__setattr__(self, "base_url", check_base_url(self.base_url))
        if ":" in self.username or not self.username or not self.secret:
            message = "gateway cpsms: give username, without a colon, and secret"
            raise ConfigError(message)

    def build(self, submission: Submission) -> HttpRequest:
        """Write ``POST /send``.

        Raises:
            ConfigError: the submission is more than CPSMS carries.
        """
        check_submission(submission, gateway=self.name, capabilities=self.capabilities)
        return HttpRequest(
            method="POST",
            url=f"{self.base_url}/send",
            headers={
                "Authorization": f"Basic {self._login()}",
                "Content-Type": "application/json",
                "Accept": "application/json",
                "User-Agent": "bulksend",
            },
            body=json.dumps(self._payload(submission)).encode(),
        )

    def read(self, submission: Submission, reply: HttpReply) -> Mapping[str, Outcome]:
        """Say of every recipient what the reply means; no status and no body makes this raise."""
        said = _Said.of(reply, among={_digits(msisdn) for msisdn in submission.recipients})
        rest = self._of_request(submission, reply=reply, said=said)
        return {
            msisdn: self._of_recipient(submission, digits=_digits(msisdn), reply=reply, said=said) or rest
            for msisdn in submission.recipients
        }

    def _login(self) -> str:
        return base64.b64encode(f"{self.username}:{self.secret}".encode()).decode()

    def _payload(self, submission: Submission) -> dict[str, object]:
        numbers = [_digits(msisdn) for msisdn in submission.recipients]
        payload: dict[str, object] = {
            "to": numbers if len(numbers) > 1 else numbers[0],
            "message": submission.text,
            "from": _digits(submission.sender),
            "reference": submission.reference,
        }
        if submission.encoding is Encoding.UCS_2:
            payload["format"] = "UNICODE"  # else GSM, its default
        if check_flag("flash", submission.options.get("flash", False)):
            payload["flash"] = 1
        if self.dlr_url is not None:
            payload["dlr_url"] = self.dlr_url
        return payload

    def _of_recipient(
        self, submission: Submission, *, digits: str, reply: HttpReply, said: _Said
    ) -> Outcome | None:
        accepted, refused = said.accepted.get(digits), said.refused.get(digits)
        if accepted is not None and refused is not None:
            return Outcome(verdict=Verdict.AMBIGUOUS, detail="the reply both accepts and refuses it")
        if accepted is not None:
            return Outcome(
                verdict=Verdict.ACCEPTED,
                provider_ref=submission.reference,
                parts=_parts(accepted.get("smsAmount")),
                cost=_cost(accepted.get("cost", accepted.get("price"))),
            )
        if refused is None:
            return None
        return self._refusal(submission, verdict=_verdict_of_item(refused, reply), reply=reply, item=refused)

    def _of_request(self, submission: Submission, *, reply: HttpReply, said: _Said) -> Outcome:
        """Say what holds for the recipients that the reply does not name."""
        if said.has_strays or (said.general is None and (said.accepted or said.refused)):
            return Outcome(verdict=Verdict.AMBIGUOUS, detail="in neither list of the reply")
        item = said.general or {}
        verdict = _verdict_of_request(item, reply)
        if verdict is Verdict.CAMPAIGN and _code(item, reply) == _BAD_REQUEST and _is_about_recipient(item):
            verdict = Verdict.SPLIT if len(submission.recipients) > 1 else Verdict.RECIPIENT
        return self._refusal(submission, verdict=verdict, reply=reply, item=item)

    def _refusal(self, submission: Submission, *, verdict: Verdict, reply: HttpReply, item: _Item) -> Outcome:
        hide = (submission.text, self.secret, self._login())
        return Outcome(
            verdict=verdict,
            code=words(_raw_code(item), hide=hide, limit=_CODE_LIMIT) or str(reply.status),
            detail=words(_message(item), hide=hide),
            retry_after_s=retry_after_s(reply) if verdict is Verdict.RETRY else None,
        )


@dataclass(frozen=True, kw_only=True)
class _Said:
    """A reply's two lists, as far as they concern our numbers, and what it says of the request as a whole."""

    accepted: Mapping[str, _Item]  # by the digits of the number
    refused: Mapping[str, _Item]
    general: _Item | None  # an error without a number
    has_strays: bool  # it accepts what is none of our numbers, or one of them written in another way

    @classmethod
    def of(cls, reply: HttpReply, *, among: set[str]) -> _Said:
        document = _document(reply.body)
        errors = list(_items(document.get("error")))
        successes = {_to(item): item for item in _items(document.get("success"))}
        accepted = {to: item for to, item in successes.items() if to in among}
        refused = {to: item for item in errors if (to := _to(item)) in among}
        general = next((item for item in errors if not _to(item)), None)
        if general is None and reply.status >= _BAD_REQUEST and not accepted and not refused:
            general = next(iter(errors), None)  # of a number written in some other way
        return cls(
            accepted=accepted, refused=refused, general=general, has_strays=len(accepted) < len(successes)
        )


def _document(body: bytes) -> _Item:
    try:
        # Bytes that are no UTF-8 stand in messages only; numbers and codes stay readable.
        document = json.loads(body.decode("utf-8-sig", errors="replace"), parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):  # no JSON, or a number or a nesting beyond measure
        return {}
    return document if isinstance(document, dict) else {}


def _items(value: object) -> Iterator[_Item]:
    """Walk an object, a list of objects, a list in a list (the documentation's draft), or a text."""
    if isinstance(value, dict):
        yield value
    elif isinstance(value, str) and value:
        yield {"message": value}
    elif isinstance(value, list):
        flat = (inner for outer in value for inner in (outer if isinstance(outer, list) else [outer]))
        yield from (item for item in flat if isinstance(item, dict))


def _digits(number: str) -> str:
    return number.removeprefix("+")


def _to(item: _Item) -> str:
    to = item.get("to")
    return _digits(str(to).strip()) if isinstance(to, str | int) else ""


def _raw_code(item: _Item) -> object:
    return item.get("code", item.get("errorCode"))


def _message(item: _Item) -> object:
    return item.get("message", item.get("errMsg"))


def _code(item: _Item, reply: HttpReply) -> int:
    """Give the item's code where it is one of the documented, else the status."""
    word = str(_raw_code(item)).strip()
    return next((code for code in _CODES if str(code) == word), reply.status)


def _verdict_of_item(item: _Item, reply: HttpReply) -> Verdict:
    code = _code(item, reply)
    if code == _BAD_REQUEST or code // 100 == _OK:  # of one number: the number is bad, whatever it is called
        return Verdict.RECIPIENT
    return _CODES.get(code) or verdict_of_status(code)


def _verdict_of_request(item: _Item, reply: HttpReply) -> Verdict:
    by_status = _CODES.get(reply.status) or verdict_of_status(reply.status)
    code_counts = reply.status // 100 == _OK or (reply.status in _CODES and by_status in _REFUSED)
    return _CODES.get(_code(item, reply), by_status) if code_counts else by_status


def _is_about_recipient(item: _Item) -> bool:
    text = str(_message(item))
    return bool(_ABOUT_RECIPIENT.search(text)) and not _ABOUT_SENDER.search(text)


def _parts(value: object) -> int | None:
    word = str(value)
    if not (word.isascii() and word.isdigit() and len(word) <= len(str(_LARGEST_PARTS))):
        return None
    return int(word) if 0 < int(word) <= _LARGEST_PARTS else None


def _cost(value: object) -> Decimal | None:
    word = str(value)
    if not _COST.fullmatch(word):
        return None
    return Decimal(word)
