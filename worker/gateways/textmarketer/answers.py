"""What Text Marketer's answers mean: its codes and statuses, and the rows of its delivery reports.

Source: the vendor's documentation of ``sms`` and ``deliveryReport``, read November 2026. What it does with a
request of several numbers of which one is bad is not documented: a refusal is taken as one of them all, and
an acceptance that costs less than all of them as one that leaves open whom it means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from worker.gateways.base import Outcome, Verdict
from worker.gateways.replies import retry_after_s, telling, verdict_of_status, words
from worker.gateways.textmarketer import xml
from worker.states import MessageState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal
    from xml.etree.ElementTree import Element

    from worker.gateways.base import HttpReply, Question, Submission

_CODES: Mapping[str, Verdict] = MappingProxyType(
    {
        "0": Verdict.RECIPIENT,  # also a number abroad, where the account may not send abroad
        "1": Verdict.ACCOUNT,  # user name or password
        "2": Verdict.ACCOUNT,  # no credits
        "3": Verdict.CAMPAIGN,  # originator
        "4": Verdict.CAMPAIGN,
        "5": Verdict.TEXT,
        "6": Verdict.ACCOUNT,  # not enough credits for this message; for some of its numbers there may be
        "7": Verdict.TEXT,
        "8": Verdict.TEXT,  # characters beyond GSM
        "9": Verdict.RECIPIENT,
        "10": Verdict.RECIPIENT,
        "11": Verdict.CAMPAIGN,  # validity
        "12": Verdict.BUG,  # custom, which is our reference
        "13": Verdict.OPTED_OUT,  # in a STOP group
        "30": Verdict.CAMPAIGN,  # e-mail
        "31": Verdict.CAMPAIGN,  # an e-mail, and a sender that is none of the account's numbers
        "32": Verdict.CAMPAIGN,
        "33": Verdict.BUG,
        "34": Verdict.CAMPAIGN,  # schedule
    }
)
# Of several errors the one counts that says most of the request as a whole.
_WEIGHT = (
    Verdict.ACCOUNT,
    Verdict.BUG,
    Verdict.CAMPAIGN,
    Verdict.TEXT,
    Verdict.OPTED_OUT,
    Verdict.RECIPIENT,
)
_OF_ONE_NUMBER = {Verdict.RECIPIENT, Verdict.OPTED_OUT}
_TOO_MUCH = "6"
_REFUSING = {400, 401, 402, 403}  # statuses whose body may say it more precisely
_UNAVAILABLE = 503
_SUCCESS = 2  # hundreds
_RATE_LIMIT = re.compile(r"\bexceed[^<]*\brequests?\b|\btoo many requests\b|\brate.?limit", re.IGNORECASE)
_PAUSES = {Verdict.RETRY, Verdict.THROTTLED}
_CODE_LIMIT = 40  # characters

_REF = {"SENT": "message_id", "QUEUED": "message_id", "SCHEDULED": "scheduled_id"}
_SINGLE, _PART = 160, 153  # characters; those that count twice may cost more, none costs less

# PENDING may still change; NON-UK is never reported on.
_DELIVERIES = {
    "DELIVERED": MessageState.DELIVERED,
    "REJECTED": MessageState.UNDELIVERED,
    "FAILED": MessageState.UNDELIVERED,
}


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Reads the replies to one account; ``secrets`` are hidden where the gateway echoes them."""

    secrets: tuple[str, ...] = field(repr=False)

    def outcome(self, submission: Submission, reply: HttpReply) -> Outcome:
        """Say what a reply to ``POST sms`` means for each recipient."""
        root = xml.response(reply.body)
        if reply.status // 100 != _SUCCESS:
            verdict, fault = _refusal(reply, faults=xml.faults(root))
        elif not xml.faults(root):
            return self._acceptance(submission, root)
        else:  # an error under a status of success: nothing is accepted if it is one that is known
            verdict, fault = _weightiest(xml.faults(root), unknown=Verdict.AMBIGUOUS)
        if any(xml.ident(xml.word(root, name)) for name in _REF.values()):  # it may have been sent after all
            verdict = Verdict.AMBIGUOUS
        is_too_much = verdict is Verdict.ACCOUNT and fault is not None and fault.code == _TOO_MUCH
        if (verdict in _OF_ONE_NUMBER or is_too_much) and len(submission.recipients) > 1:
            verdict = Verdict.SPLIT
        code, detail = self._words(reply, fault=fault, text=submission.text)
        pause_s = retry_after_s(reply) if verdict in _PAUSES else None
        return Outcome(verdict=verdict, code=code, detail=detail, retry_after_s=pause_s)

    def trouble(self, reply: HttpReply) -> str:
        """Say in a line why a call was refused."""
        code, detail = self._words(reply, fault=next(iter(xml.faults(xml.response(reply.body))), None))
        return f"{code}: {detail}" if detail else code

    def is_limit(self, reply: HttpReply) -> bool:
        """Say whether a call came too early: the gateway works, and limits those that read."""
        return reply.status == _UNAVAILABLE and bool(_RATE_LIMIT.search(_said(reply)))

    def heard(self, questions: Sequence[Question], root: Element) -> dict[str, dict[str, Outcome]]:
        """Give by reference and number what the rows say of ours."""
        asked = {
            (question.reference, msisdn.removeprefix("+")): msisdn
            for question in questions
            for msisdn in question.recipients
        }
        references = {question.reference for question in questions}
        heard: dict[str, dict[str, Outcome]] = {}
        for row in sorted(xml.rows(root), key=_order):
            if row.custom in references:
                ours = heard.setdefault(row.custom, {})
                msisdn = asked.get((row.custom, row.number))
                if msisdn is not None:
                    ours[msisdn] = self._found(row)
        return heard

    def _found(self, row: xml.Row) -> Outcome:
        return Outcome(
            verdict=Verdict.ACCEPTED,
            delivery=_DELIVERIES.get(row.status),
            provider_ref=row.message_id,
            code=words(row.status, hide=self.secrets, limit=_CODE_LIMIT),
        )

    def _acceptance(self, submission: Submission, root: Element | None) -> Outcome:
        status = xml.word(root, "status").upper()
        ref = xml.ident(xml.word(root, _REF[status])) if status in _REF else None
        if ref is None:
            return Outcome(verdict=Verdict.AMBIGUOUS, detail="the answer says neither yes nor no")
        n, used = len(submission.recipients), xml.credit(xml.word(root, "credits_used"))
        if used and n > 1 and used < n * _least_parts(submission.text):
            detail = "accepted, for fewer credits than all recipients cost"
            return Outcome(verdict=Verdict.AMBIGUOUS, provider_ref=ref, detail=detail)
        return Outcome(verdict=Verdict.ACCEPTED, provider_ref=ref, cost=_share(used, n=n))

    def _words(self, reply: HttpReply, *, fault: xml.Fault | None, text: str = "") -> tuple[str, str | None]:
        hide = (*telling([text]), *self.secrets)
        code = words(fault.code, hide=hide, limit=_CODE_LIMIT) if fault else None
        detail = words(fault.text if fault else xml.plain(reply.body), hide=hide)
        return code or str(reply.status), detail


def _refusal(reply: HttpReply, *, faults: list[xml.Fault]) -> tuple[Verdict, xml.Fault | None]:
    by_status = verdict_of_status(reply.status)
    if reply.status in _REFUSING and faults:
        return _weightiest(faults, unknown=by_status)
    if reply.status == _UNAVAILABLE:  # documented as not served, and as the limit of calls that read
        by_status = Verdict.THROTTLED if _RATE_LIMIT.search(_said(reply)) else Verdict.RETRY
    return by_status, next(iter(faults), None)


def _said(reply: HttpReply) -> str:
    faults = xml.faults(xml.response(reply.body))
    return " ".join(fault.text for fault in faults) or xml.plain(reply.body)


def _weightiest(faults: list[xml.Fault], *, unknown: Verdict) -> tuple[Verdict, xml.Fault]:
    """Give the error that counts, and its verdict; ``unknown`` is that of codes that nobody documents."""
    read = [(_CODES.get(fault.code, unknown), fault) for fault in faults]
    return min(read, key=lambda each: _WEIGHT.index(each[0]) if each[0] in _WEIGHT else -1)


def _least_parts(text: str) -> int:
    return 1 if len(text) <= _SINGLE else -(-len(text) // _PART)


def _share(used: Decimal | None, *, n: int) -> Decimal | None:
    """Give what each of n recipients cost, where the sum can be divided."""
    return used // n if used is not None and used >= 0 and used % n == 0 else None


def _order(row: xml.Row) -> tuple[bool, float]:
    return (row.status in _DELIVERIES, row.updated_at_s)
