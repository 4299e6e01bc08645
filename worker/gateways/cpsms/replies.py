"""What the answers of CPSMS v2 to a submission mean, recipient by recipient.

Source: the vendor's documentation of 2016 (Compaya), read November 2026; later shapes from clients in use.
It writes the same reply in several shapes, and may say ``error`` with status 200; so both lists are read at
any status, and who is in neither is ambiguous. A group is answered number by number: what it accepts of one
counts for the group.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from worker.gateways.base import Outcome, Verdict
from worker.gateways.checks import target
from worker.gateways.cpsms import shapes
from worker.gateways.replies import retry_after_s, telling, verdict_of_status, words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.gateways.base import HttpReply, Submission
    from worker.gateways.cpsms.shapes import Item

_CODES = {
    400: Verdict.CAMPAIGN,  # of one number: see _verdict_of_item; of several: see _of_request
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
_NOTHING_MATCHES = 409
_SUCCESS = 2  # hundreds
_REFUSED = {Verdict.CAMPAIGN, Verdict.ACCOUNT, Verdict.BUG}  # a code in the body may say it more precisely
_PAUSES = {Verdict.RETRY, Verdict.THROTTLED}
_CODE_LIMIT = 40  # characters


def outcomes(submission: Submission, reply: HttpReply, *, hide: tuple[str, ...]) -> dict[str, Outcome]:
    """Say of every recipient what the reply means; ``hide`` are the secrets that it may echo."""
    answer = _Answer(submission=submission, reply=reply, hide=(*telling([submission.text]), *hide))
    first = submission.recipients[0]
    if target(first)[0]:
        return {first: answer.of_group()}
    said = _Said.of(reply, among={shapes.digits(msisdn) for msisdn in submission.recipients})
    rest = answer.of_request(said)
    return {
        msisdn: answer.of_recipient(shapes.digits(msisdn), said=said) or rest
        for msisdn in submission.recipients
    }


def code_and_detail(item: Item, *, reply: HttpReply, hide: tuple[str, ...]) -> tuple[str, str | None]:
    """Give the code of an error, else the status, and its words."""
    code = words(shapes.raw_code(item), hide=hide, limit=_CODE_LIMIT) or str(reply.status)
    return code, words(shapes.message(item), hide=hide)


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """A reply to a submission."""

    submission: Submission
    reply: HttpReply
    hide: tuple[str, ...]

    @property
    def _is_group(self) -> bool:
        return bool(target(self.submission.recipients[0])[0])

    def of_recipient(self, digits: str, *, said: _Said) -> Outcome | None:
        """Say what the reply says of this number; None where it does not name it."""
        accepted, refused = said.accepted.get(digits), said.refused.get(digits)
        if accepted is not None and refused is not None:
            return Outcome(verdict=Verdict.AMBIGUOUS, detail="the reply both accepts and refuses it")
        if accepted is not None:
            return _accepted(self.submission.reference, accepted)
        if refused is None:
            return None
        return self._refusal(refused, verdict=_verdict_of_item(refused, self.reply))

    def of_request(self, said: _Said) -> Outcome:
        """Say what holds for the recipients that the reply does not name."""
        if said.has_strays or said.accepted or (said.general is None and said.refused):
            return Outcome(verdict=Verdict.AMBIGUOUS, detail="in neither list of the reply")
        item = said.general or {}
        verdict = _verdict_of_request(item, self.reply)
        if verdict is Verdict.CAMPAIGN and _code(item, self.reply) == _NOTHING_MATCHES and self._is_group:
            verdict = Verdict.RECIPIENT  # there is no such group
        is_bad = verdict is Verdict.CAMPAIGN and _code(item, self.reply) == _BAD_REQUEST
        if is_bad and _is_about_recipient(item):
            verdict = Verdict.SPLIT if len(self.submission.recipients) > 1 else Verdict.RECIPIENT
        return self._refusal(item, verdict=verdict)

    def of_group(self) -> Outcome:
        """Say what became of a group, from the numbers of it that the reply names."""
        said = _Said.of(self.reply, among=None)
        if said.accepted:
            costs = [shapes.price(item) for item in said.accepted.values()]
            refused = len(said.refused.keys() - said.accepted.keys())
            return Outcome(
                verdict=Verdict.ACCEPTED,
                provider_ref=self.submission.reference,
                cost=None if None in costs else sum(filter(None, costs), Decimal(0)),
                detail=f"refused for {refused} of its numbers" if refused else None,
            )
        first = next(iter(said.refused.values()), None)
        if first is None or said.general is not None or said.has_strays:
            return self.of_request(said)
        of_items = {_verdict_of_item(item, self.reply) for item in said.refused.values()}
        is_one = len(of_items) == 1 and self.reply.status >= _BAD_REQUEST
        return self._refusal(first, verdict=of_items.pop() if is_one else Verdict.AMBIGUOUS)

    def _refusal(self, item: Item, *, verdict: Verdict) -> Outcome:
        code, detail = code_and_detail(item, reply=self.reply, hide=self.hide)
        pause_s = retry_after_s(self.reply) if verdict in _PAUSES else None
        return Outcome(verdict=verdict, code=code, detail=detail, retry_after_s=pause_s)


@dataclass(frozen=True, kw_only=True)
class _Said:
    """A reply's two lists, as far as they concern our numbers, and what it says of the request as a whole."""

    accepted: Mapping[str, Item]  # by the digits of the number
    refused: Mapping[str, Item]
    general: Item | None  # an error without a number
    has_strays: bool  # it accepts what is none of our numbers, or one of them written in another way

    @classmethod
    def of(cls, reply: HttpReply, *, among: set[str] | None) -> _Said:
        """Divide the reply; ``among`` are the digits of our numbers, None where only CPSMS knows them."""
        document = shapes.document(reply.body)
        errors = list(shapes.items(document.get("error")))
        successes = {shapes.to(item): item for item in shapes.items(document.get("success"))}
        accepted = {to: item for to, item in successes.items() if _is_ours(to, among)}
        refused = {to: item for item in errors if _is_ours(to := shapes.to(item), among)}
        general = next((item for item in errors if not shapes.to(item)), None)
        if general is None and reply.status >= _BAD_REQUEST and not accepted and not refused:
            general = next(iter(errors), None)  # of a number written in some other way
        return cls(
            accepted=accepted, refused=refused, general=general, has_strays=len(accepted) < len(successes)
        )


def _is_ours(to: str, among: set[str] | None) -> bool:
    return bool(to) if among is None else to in among


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


def _accepted(reference: str, item: Item) -> Outcome:
    return Outcome(
        verdict=Verdict.ACCEPTED,
        provider_ref=reference,
        parts=shapes.parts(item.get("smsAmount")),
        cost=shapes.price(item),
    )
