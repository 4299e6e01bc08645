"""CPSMS.dk API v2: one text to up to 500 numbers, answered number by number.

Source: https://api.cpsms.dk/v2 and the vendor's documentation of 2016 (Compaya), read November 2026; later
shapes from clients in use. It gives no message id, writes the same reply in several shapes, and may say
``error`` with status 200; so both lists are read at any status, and who is in neither is ambiguous. Its log
holds our references: a row proves that it has the message, the absence of one proves nothing.
"""

from __future__ import annotations

import base64
import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from worker.errors import ConfigError
from worker.gateways import cpsms_shapes as shapes
from worker.gateways.base import Capabilities, HttpRequest, Lookup, Outcome, Standing, Verdict
from worker.gateways.checks import check_base_url, check_flag, check_submission
from worker.gateways.replies import retry_after_s, verdict_of_status, words
from worker.text.segments import Encoding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from worker.gateways.base import HttpReply, Question, Submission
    from worker.gateways.cpsms_shapes import Item

BASE_URL = "https://api.cpsms.dk/v2"

_CODES = {
    400: Verdict.CAMPAIGN,  # of one number: see _of_recipient; of several: see _of_request
    401: Verdict.ACCOUNT,
    402: Verdict.ACCOUNT,  # points used up
    403: Verdict.ACCOUNT,  # address not on the list
    404: Verdict.BUG,
    406: Verdict.CAMPAIGN,  # such as characters of the sender
    409: Verdict.CAMPAIGN,
    429: Verdict.THROTTLED,
    500: Verdict.AMBIGUOUS,
}

# Free text is all that tells a bad number from a bad campaign ("number of characters", "sender number").
_ABOUT_RECIPIENT = re.compile(
    r"\b(recipient|receiver|msisdn|modtager|phone|mobile?|numbers?(?! of\b)|\w*nummer)", re.IGNORECASE
)
_ABOUT_SENDER = re.compile(r"\b(sender|from|originator|afsender)", re.IGNORECASE)

_BAD_REQUEST = 400
_OK = 200
_SUCCESS = 2  # hundreds
_REFUSED = {Verdict.CAMPAIGN, Verdict.ACCOUNT, Verdict.BUG}  # a code in the body may say it more precisely

_PAUSES = {Verdict.RETRY, Verdict.THROTTLED}
_CODE_LIMIT = 40  # characters
_CLOCKS_APART_S = 60.0  # by which its clock and ours may differ


@dataclass(frozen=True, kw_only=True)
class Cpsms:
    """The adapter; ``secret`` is the API key of the vendor's web panel."""

    name: ClassVar[str] = "cpsms"
    capabilities: ClassVar[Capabilities] = Capabilities(
        max_recipients=500,  # assumed: not documented
        max_parts=10,
        encodings=frozenset(Encoding),
        options=frozenset({"flash"}),
        lookup=Lookup(interval_s=120.0, most_references=None, is_proof=False),
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
            headers={**self._headers(), "Content-Type": "application/json"},
            body=json.dumps(self._payload(submission)).encode(),
        )

    def read(self, submission: Submission, reply: HttpReply) -> Mapping[str, Outcome]:
        """Say of every recipient what the reply means; no status and no body makes this raise."""
        said = _Said.of(reply, among={shapes.digits(msisdn) for msisdn in submission.recipients})
        rest = self._of_request(submission, reply=reply, said=said)
        return {
            msisdn: self._of_recipient(submission, digits=shapes.digits(msisdn), reply=reply, said=said)
            or rest
            for msisdn in submission.recipients
        }

    def check(self) -> HttpRequest:
        """Write ``GET /creditvalue``."""
        return self._get("creditvalue")

    def read_check(self, reply: HttpReply) -> Standing:
        """Find the account well if the reply is 200, says no error, and shows credit above zero."""
        document = shapes.document(reply.body)
        balance = shapes.credit(document.get("credit"))
        error = next(shapes.items(document.get("error")), None)
        reason = self._trouble(reply, error=error, balance=balance)
        return Standing(
            is_answered=_is_answered(reply, error=error),
            is_well=reason is None,
            reason=reason,
            balance=balance,
        )

    def ask(self, questions: Sequence[Question]) -> HttpRequest:
        """Write ``GET /getlog/<from>/<to>`` over the time of all questions, a minute more at both ends."""
        sent_at_s = [question.sent_at_s for question in questions]
        from_s = max(0, math.floor(min(sent_at_s) - _CLOCKS_APART_S))
        return self._get(f"getlog/{from_s}/{math.ceil(max(sent_at_s) + _CLOCKS_APART_S)}")

    def hear(
        self, questions: Sequence[Question], reply: HttpReply
    ) -> Mapping[str, Mapping[str, Outcome]] | None:
        """Find the rows of the log with a reference of ours, and in them our numbers."""
        rows = shapes.parsed(reply.body) if reply.status == _OK else None
        if not isinstance(rows, list):
            return None
        asked = {
            (question.reference, shapes.digits(msisdn)): msisdn
            for question in questions
            for msisdn in question.recipients
        }
        references = {question.reference for question in questions}
        heard: dict[str, dict[str, Outcome]] = {}
        for row in shapes.items(rows):
            reference = shapes.reference(row)
            if reference not in references:
                continue
            ours = heard.setdefault(reference, {})
            msisdn = asked.get((reference, shapes.to(row)))
            if msisdn is not None:
                ours[msisdn] = _accepted(reference, row, price="pointPrice")
        return heard

    def _get(self, path: str) -> HttpRequest:
        return HttpRequest(method="GET", url=f"{self.base_url}/{path}", headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Basic {self._login()}",
            "Accept": "application/json",
            "User-Agent": "bulksend",
        }

    def _login(self) -> str:
        return base64.b64encode(f"{self.username}:{self.secret}".encode()).decode()

    def _payload(self, submission: Submission) -> dict[str, object]:
        numbers = [shapes.digits(msisdn) for msisdn in submission.recipients]
        payload: dict[str, object] = {
            "to": numbers if len(numbers) > 1 else numbers[0],
            "message": submission.text,
            "from": shapes.digits(submission.sender),
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
            return _accepted(submission.reference, accepted, price="cost" if "cost" in accepted else "price")
        if refused is None:
            return None
        return self._refusal(submission, verdict=_verdict_of_item(refused, reply), reply=reply, item=refused)

    def _of_request(self, submission: Submission, *, reply: HttpReply, said: _Said) -> Outcome:
        """Say what holds for the recipients that the reply does not name."""
        if said.has_strays or said.accepted or (said.general is None and said.refused):
            return Outcome(verdict=Verdict.AMBIGUOUS, detail="in neither list of the reply")
        item = said.general or {}
        verdict = _verdict_of_request(item, reply)
        if verdict is Verdict.CAMPAIGN and _code(item, reply) == _BAD_REQUEST and _is_about_recipient(item):
            verdict = Verdict.SPLIT if len(submission.recipients) > 1 else Verdict.RECIPIENT
        return self._refusal(submission, verdict=verdict, reply=reply, item=item)

    def _refusal(self, submission: Submission, *, verdict: Verdict, reply: HttpReply, item: Item) -> Outcome:
        code, detail = self._code_and_detail(item, reply=reply, text=submission.text)
        return Outcome(
            verdict=verdict,
            code=code,
            detail=detail,
            retry_after_s=retry_after_s(reply) if verdict in _PAUSES else None,
        )

    def _trouble(self, reply: HttpReply, *, error: Item | None, balance: Decimal | None) -> str | None:
        if error is not None or reply.status != _OK:
            code, detail = self._code_and_detail(error or {}, reply=reply)
            return f"{code}: {detail}" if detail else code
        if balance is None:
            return "the answer shows no credit that can be read"
        return None if balance > 0 else "the credit is used up"

    def _code_and_detail(self, item: Item, *, reply: HttpReply, text: str = "") -> tuple[str, str | None]:
        hide = (text, self.secret, self._login())
        code = words(shapes.raw_code(item), hide=hide, limit=_CODE_LIMIT) or str(reply.status)
        return code, words(shapes.message(item), hide=hide)


@dataclass(frozen=True, kw_only=True)
class _Said:
    """A reply's two lists, as far as they concern our numbers, and what it says of the request as a whole."""

    accepted: Mapping[str, Item]  # by the digits of the number
    refused: Mapping[str, Item]
    general: Item | None  # an error without a number
    has_strays: bool  # it accepts what is none of our numbers, or one of them written in another way

    @classmethod
    def of(cls, reply: HttpReply, *, among: set[str]) -> _Said:
        document = shapes.document(reply.body)
        errors = list(shapes.items(document.get("error")))
        successes = {shapes.to(item): item for item in shapes.items(document.get("success"))}
        accepted = {to: item for to, item in successes.items() if to in among}
        refused = {to: item for item in errors if (to := shapes.to(item)) in among}
        general = next((item for item in errors if not shapes.to(item)), None)
        if general is None and reply.status >= _BAD_REQUEST and not accepted and not refused:
            general = next(iter(errors), None)  # of a number written in some other way
        return cls(
            accepted=accepted, refused=refused, general=general, has_strays=len(accepted) < len(successes)
        )


def _is_answered(reply: HttpReply, *, error: Item | None) -> bool:
    """Say whether the account was let in: whatever its credit, the gateway works."""
    return reply.status == _OK and error is None and bool(shapes.document(reply.body))


def _code(item: Item, reply: HttpReply) -> int:
    """Give the item's code where it is one of the documented, else the status."""
    word = str(shapes.raw_code(item)).strip()
    return next((code for code in _CODES if str(code) == word), reply.status)


def _verdict_of_item(item: Item, reply: HttpReply) -> Verdict:
    code = _code(item, reply)
    if code == _BAD_REQUEST or code // 100 == _SUCCESS:  # the number is bad, whatever that is called
        return Verdict.RECIPIENT
    return _CODES.get(code) or verdict_of_status(code)


def _verdict_of_request(item: Item, reply: HttpReply) -> Verdict:
    by_status = _CODES.get(reply.status) or verdict_of_status(reply.status)
    code_counts = reply.status // 100 == _SUCCESS or (reply.status in _CODES and by_status in _REFUSED)
    return _CODES.get(_code(item, reply), by_status) if code_counts else by_status


def _is_about_recipient(item: Item) -> bool:
    text = str(shapes.message(item))
    return bool(_ABOUT_RECIPIENT.search(text)) and not _ABOUT_SENDER.search(text)


def _accepted(reference: str, item: Item, *, price: str) -> Outcome:
    return Outcome(
        verdict=Verdict.ACCEPTED,
        provider_ref=reference,
        parts=shapes.parts(item.get("smsAmount")),
        cost=shapes.cost(item.get(price)),
    )
