"""Txty API v4: one text to one number, or to a group or a contact of the account.

Source: the vendor's documentation of v4 (2014 to 2021), read November 2026. The status of a reply is not
documented, so its word ``status`` decides; no list of errors exists, so an unknown one is classed by what its
name speaks of. Everything is posted, so that the key stands in no address. ``price`` bills the recipient and
is never sent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlencode

from worker.errors import ConfigError
from worker.gateways import txty_shapes as shapes
from worker.gateways.base import Capabilities, HttpRequest, Lookup, Outcome, Standing, Taken, Verdict
from worker.gateways.checks import check_base_url, check_dialect, check_flag, check_submission, target
from worker.gateways.replies import telling
from worker.gateways.txty_v4 import outbox
from worker.gateways.txty_v4 import shapes as v4
from worker.gateways.txty_v4 import words as spoken
from worker.text.segments import Encoding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.gateways.base import HttpReply, Push, Question, Report, Submission

BASE_URL = "https://login.txty.dk/api/4"

_OK = 200
_FLAGS = ("flash", "silent")
_DIALECT = {"clock": frozenset({"utc", "copenhagen"})}


@dataclass(frozen=True, kw_only=True)
class TxtyV4:
    """The adapter; ``secret`` is the key. Dialect ``clock``: ``utc``, or ``copenhagen`` for shifted times."""

    name: ClassVar[str] = "txty_v4"
    capabilities: ClassVar[Capabilities] = Capabilities(
        max_recipients=1,
        max_parts=10,  # assumed: not documented
        encodings=frozenset(Encoding),
        options=frozenset({*_FLAGS, "wappush"}),
        targets=frozenset({"group", "contact"}),
        schedules=True,
        pushes=True,
        lookup=Lookup(
            interval_s=2.0,  # assumed: no limit is documented
            most_references=1,
            is_proof=False,
            is_alike=True,
            tells_delivery=True,
        ),
        blocked=frozenset({"14"}),
    )

    base_url: str = BASE_URL
    username: str
    secret: str = field(repr=False)
    dialect: Mapping[str, str | int | bool] = field(default_factory=dict)
    login: ClassVar[None] = None

    def __post_init__(self) -> None:
        """Raise ``ConfigError`` for an address, a login or a dialect that cannot be used."""
        object.__setattr__(self, "base_url", check_base_url(self.base_url))
        object.__setattr__(self, "dialect", check_dialect(self.dialect, gateway=self.name, known=_DIALECT))
        if not self.username or not self.secret:
            message = "gateway txty_v4: give username and secret"
            raise ConfigError(message)

    def build(self, submission: Submission) -> HttpRequest:
        """Write ``POST /sms/api.json``.

        Raises:
            ConfigError: the submission is more than Txty v4 carries.
        """
        check_submission(submission, gateway=self.name, capabilities=self.capabilities)
        return self._post("sms", self._fields(submission))

    def read(self, submission: Submission, reply: HttpReply) -> Mapping[str, Outcome]:
        """Say what the reply means for the one recipient; no status and no body makes this raise."""
        said = shapes.document(reply.body)
        if shapes.word(said.get("status")) == "success":
            outcome = spoken.success(said)
        else:
            outcome = self._refusal(submission, reply=reply, said=said)
        return dict.fromkeys(submission.recipients, outcome)

    def check(self) -> HttpRequest:
        """Write ``POST /view/yourprices/api.json``."""
        return self._post("view/yourprices", {})

    def read_check(self, reply: HttpReply) -> Standing:
        """Find the account well if the reply is 200, a success, and shows a balance above zero."""
        said = shapes.document(reply.body)
        prices = next(iter(shapes.items(said.get("yourprices"))), {})
        credit = next(iter(shapes.items(prices.get("credit"))), {})
        balance = shapes.amount(credit.get("balance"))
        is_answered = _is_read(reply, said=said, word="VIEW_YOURPRICES")
        reason = None
        if not is_answered:
            reason = self._reason(reply, said=said)
        elif balance is None:
            reason = "the answer shows no credit that can be read"
        elif balance <= 0:
            reason = "the credit is used up"
        return Standing(
            is_answered=is_answered,
            is_well=reason is None,
            reason=reason,
            balance=balance,
            unit=None if balance is None else "DKK",
            abilities=v4.abilities(prices),
        )

    def ask(self, questions: Sequence[Question]) -> HttpRequest:
        """Write ``POST /view/outbox/api.json`` that searches for the number, where there is but one."""
        numbers = {shapes.digits(msisdn) for question in questions for msisdn in question.recipients}
        return self._post("view/outbox", {"search": numbers.pop()} if len(numbers) == 1 else {})

    def hear(
        self, questions: Sequence[Question], reply: HttpReply
    ) -> Mapping[str, Mapping[str, Outcome]] | None:
        """Find the rows of the outbox that have our ids, or can only be ours: these as ``found_alike``.

        Such a row may still be that of an earlier message that was not asked about: ``provider_ref`` tells.
        """
        said = shapes.document(reply.body)
        rows = said.get("outbox")
        if not _is_read(reply, said=said, word="VIEW_OUTBOX") or not isinstance(rows, list):
            return None
        return outbox.heard(questions, shapes.items(rows), clock=self._clock)

    def cancel(self, *, reference: str, provider_ref: str | None) -> HttpRequest:  # noqa: ARG002 - the contract's
        """Refuse: what it keeps until a time leaves then.

        Raises:
            ConfigError: always.
        """
        message = "gateway txty_v4 cannot take a message back"
        raise ConfigError(message)

    def read_cancel(self, reply: HttpReply) -> Taken:  # noqa: ARG002 - there is no such reply
        """Say nothing."""
        return Taken.UNCLEAR

    def report(self, push: Push) -> Sequence[Report]:
        """Read a callback; one about an incoming message gives none."""
        return v4.reports(push, clock=self._clock)

    @property
    def _clock(self) -> v4.Clock:
        return v4.Clock(is_danish=self.dialect.get("clock") == "copenhagen")

    def _post(self, resource: str, fields: Mapping[str, str]) -> HttpRequest:
        return HttpRequest(
            method="POST",
            url=f"{self.base_url}/{resource}/api.json",
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept": "application/json",
                "User-Agent": "bulksend",
            },
            body=urlencode({"user": self.username, "key": self.secret, **fields}).encode(),
        )

    def _fields(self, submission: Submission) -> dict[str, str]:
        kind, recipient = spoken.recipient(submission.recipients[0])
        fields = {kind: recipient, "text": submission.text, "sender": spoken.sender(submission.sender)}
        for name in _FLAGS:
            if check_flag(name, submission.options.get(name, False)):
                fields[name] = "true"
        if "wappush" in submission.options:
            fields["wappush"] = spoken.link(submission.options["wappush"])
        if submission.leaves_at_s is not None:
            fields["schedule"] = str(self._clock.written(math.ceil(submission.leaves_at_s)))
        if submission.dlr_url is not None:
            fields["callback"] = submission.dlr_url
        return fields

    def _refusal(self, submission: Submission, *, reply: HttpReply, said: shapes.Item) -> Outcome:
        code = shapes.word(said.get("error")) if shapes.word(said.get("status")) == "error" else ""
        if (both := spoken.contradiction(said)) is not None:
            return both
        hide = (*telling([submission.text]), *shapes.secrets(self.secret))
        verdict = spoken.verdict(reply, code=code, kind=target(submission.recipients[0])[0])
        return shapes.refusal(reply, verdict=verdict, code=code, hide=hide)

    def _reason(self, reply: HttpReply, *, said: shapes.Item) -> str:
        outcome = shapes.refusal(
            reply, verdict=Verdict.BUG, code=said.get("error"), hide=shapes.secrets(self.secret)
        )
        if reply.status == _OK and not said.get("error"):
            return "the answer cannot be read"
        return f"{outcome.code}: {outcome.detail}" if outcome.detail else str(outcome.code)


def _is_read(reply: HttpReply, *, said: shapes.Item, word: str) -> bool:
    is_success = (said.get("status"), said.get("success")) == ("success", word)
    return reply.status == _OK and is_success and not said.get("error")
