"""smSend and its brothers (Skebby, Mobyt, Esendex, Aruba, smsenvoi, TextAnywhere): one API, many brands.

Source: the vendor's documentation (smsend/REST-API, 2019-07), read November 2026; other brands from clients
in use. A request is accepted or refused as a whole. It carries our reference as ``order_id``, by which the
gateway is asked, and which it takes back until its time. Host, message types and login are the brand's:
``base_url`` and ``dialect``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from worker.errors import ConfigError
from worker.gateways.base import Capabilities, HttpRequest, Lookup, Outcome, Standing, Taken, Verdict
from worker.gateways.checks import check_base_url, check_submission, target
from worker.gateways.replies import retry_after_s, telling
from worker.gateways.smsend import shapes
from worker.gateways.smsend.dialect import Dialect
from worker.gateways.smsend.errors import verdict_of_refusal
from worker.gateways.smsend.login import SmsendLogin
from worker.gateways.smsend.payload import OPTIONS, RESERVED, payload
from worker.gateways.smsend.standing import standing
from worker.gateways.smsend.states import heard, reports
from worker.text.segments import Encoding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.gateways.base import HttpReply, Push, Question, Report, Submission

BASE_URL = "https://app.gateway.smsend.it/API/v1.0/REST"

_OK = 200
_NOT_FOUND = 404
_ACCEPTING = {200, 201}  # the documents name both
_PAUSES = {Verdict.RETRY, Verdict.THROTTLED}


@dataclass(frozen=True, kw_only=True)
class Smsend:
    """The adapter; user name and secret are those of the brand's panel."""

    name: ClassVar[str] = "smsend"
    capabilities: ClassVar[Capabilities] = Capabilities(
        max_recipients=1000,  # assumed: not documented
        max_parts=7,
        encodings=frozenset(Encoding),
        is_told_encoding=True,
        options=OPTIONS,
        max_sender_digits=16,
        max_characters={Encoding.GSM_7: 1000, Encoding.UCS_2: 450},
        differs=True,
        reserved=RESERVED,
        targets=frozenset({"group"}),
        schedules=True,
        cancel_ahead_s=0.0,
        pushes=True,
        # No limit is documented; a wave of doubtful submissions shall not be a wave of calls.
        lookup=Lookup(interval_s=1.0, most_references=1, is_proof=True, tells_delivery=True),
        blocked=frozenset({"BLACKLISTED"}),
    )

    base_url: str = BASE_URL
    username: str
    secret: str = field(repr=False)
    dialect: Mapping[str, str | int | bool] = field(default_factory=dict)
    login: SmsendLogin = field(init=False, repr=False)
    _dialect: Dialect = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Raise ``ConfigError`` for an address, a login or a dialect that cannot be used."""
        base_url, dialect = check_base_url(self.base_url), Dialect.of(self.dialect)
        if not self.username or not self.secret or (dialect.is_basic and ":" in self.username):
            message = "gateway smsend: give username, without a colon where login is basic, and secret"
            raise ConfigError(message)
        login = SmsendLogin(
            base_url=base_url,
            username=self.username,
            secret=self.secret,
            is_basic=dialect.is_basic,
            is_token=dialect.is_token,
        )
        object.__setattr__(self, "base_url", base_url)
        object.__setattr__(self, "login", login)
        object.__setattr__(self, "_dialect", dialect)

    def build(self, submission: Submission) -> HttpRequest:
        """Write ``POST sms``, ``paramsms`` where texts differ, or ``smstogroups``.

        A message type without alias (``no_alias``) leaves the sender out, as its document demands.

        Raises:
            ConfigError: the submission is more than the gateway carries.
        """
        check_submission(submission, gateway=self.name, capabilities=self.capabilities)
        call, fields = payload(submission, dialect=self._dialect)
        return HttpRequest(
            method="POST",
            url=f"{self.base_url}/{call}",
            headers={**shapes.HEADERS, "Content-Type": "application/json"},
            body=json.dumps(fields).encode(),
        )

    def read(self, submission: Submission, reply: HttpReply) -> Mapping[str, Outcome]:
        """Say what the reply means, the same for every recipient; no status and no body makes this raise."""
        found = shapes.document(reply.body) if reply.status in _ACCEPTING else {}
        outcome = _accepted(submission, found) if shapes.is_ok(found) else self._refused(submission, reply)
        return dict.fromkeys(submission.recipients, outcome)

    def check(self) -> HttpRequest:
        """Write ``GET status``."""
        return self._call("GET", "status?getMoney=true&typeAliases=true")

    def read_check(self, reply: HttpReply) -> Standing:
        """Find the account well if there is a quantity above zero of the message type in use."""
        return standing(reply, dialect=self._dialect, hide=self.login.hidden)

    def ask(self, questions: Sequence[Question]) -> HttpRequest:
        """Write ``GET sms/{order_id}`` for the first question; no proxy is to answer what it remembers."""
        call = self._call("GET", f"sms/{quote(questions[0].reference, safe='')}")
        return replace(call, headers={**call.headers, "Cache-Control": "no-cache"})

    def hear(
        self, questions: Sequence[Question], reply: HttpReply
    ) -> Mapping[str, Mapping[str, Outcome]] | None:
        """Find our numbers among the states of the order; 404 says that there is no such order."""
        return heard(questions[0], reply, dialect=self._dialect)

    def cancel(self, *, reference: str, provider_ref: str | None) -> HttpRequest:
        """Write ``DELETE sms/{order_id}``."""
        return self._call("DELETE", f"sms/{quote(provider_ref or reference, safe='')}")

    def read_cancel(self, reply: HttpReply) -> Taken:
        """Say what became of it; 404 is an order that is no longer, or never was, on the schedule."""
        if reply.status == _NOT_FOUND and not self.login.is_over(reply):
            return Taken.TOO_LATE
        is_said = shapes.is_ok(shapes.document(reply.body)) or not reply.body.strip()
        return Taken.BACK if reply.status == _OK and is_said else Taken.UNCLEAR

    def report(self, push: Push) -> Sequence[Report]:
        """Read the one report of a push."""
        return reports(push, dialect=self._dialect)

    def _call(self, method: str, path: str) -> HttpRequest:
        return HttpRequest(method=method, url=f"{self.base_url}/{path}", headers=shapes.HEADERS)

    def _refused(self, submission: Submission, reply: HttpReply) -> Outcome:
        texts = submission.texts or (submission.text,)
        code, detail = shapes.complaint(reply, hide=(*telling(texts), *self.login.hidden))
        _, said = shapes.complaint(reply, hide=telling((*texts, *self.login.hidden)))
        verdict = verdict_of_refusal(submission, status=reply.status, said=said or "")
        if self.login.is_over(reply):
            verdict = Verdict.LOGIN
        return Outcome(
            verdict=verdict,
            code=code,
            detail=detail,
            retry_after_s=retry_after_s(reply) if verdict in _PAUSES else None,
        )


def _accepted(submission: Submission, found: shapes.Item) -> Outcome:
    """Read an acceptance; one that counts fewer messages than it was given leaves open which."""
    recipients = submission.recipients
    total = shapes.amount(found.get("total_sent"))
    order_id = shapes.order_id(found.get("order_id")) or submission.reference
    counts_credits = str(submission.options.get("returnCredits", False)).lower() in {"true", "1"}
    if total is not None and total < len(recipients) and not target(recipients[0])[0] and not counts_credits:
        detail = "it counts fewer messages than recipients"
        return Outcome(verdict=Verdict.AMBIGUOUS, provider_ref=order_id, detail=detail)
    cost = total if counts_credits and len(recipients) == 1 else None
    return Outcome(verdict=Verdict.ACCEPTED, provider_ref=order_id, cost=cost)
