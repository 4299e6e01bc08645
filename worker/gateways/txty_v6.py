"""Txty SMS v6: one number and one text in a GET that sends.

Source: the vendor's documentation of 2021-10-14 (OpenAPI), read November 2026. It has one call. Nothing can
be asked, taken back or reported, so an ambiguous message stays so; and as a GET may be answered out of a
cache, an answer that speaks of another message accepts nothing.
"""

from __future__ import annotations

import base64
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlencode

from worker.errors import ConfigError
from worker.gateways import txty_shapes as shapes
from worker.gateways.base import Capabilities, HttpRequest, Outcome, Standing, Taken, Verdict
from worker.gateways.checks import check_base_url, check_dialect, check_flag, check_submission
from worker.gateways.replies import telling
from worker.text.segments import Encoding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.gateways.base import HttpReply, Push, Question, Report, Submission

BASE_URL = "https://sms.cloudsms.dk"

_CODES = {
    "MSISDN_EMPTY": Verdict.RECIPIENT,
    "MSISDN_INVALID": Verdict.RECIPIENT,
    "MSISDN_LONG": Verdict.RECIPIENT,
    "MSISDN_ALPHA": Verdict.RECIPIENT,
    "SENDER_EMPTY": Verdict.CAMPAIGN,
    "SENDER_INVALID": Verdict.CAMPAIGN,
    "SENDER_LONG": Verdict.CAMPAIGN,
    "TEXT_EMPTY": Verdict.TEXT,
    "TEXT_LONG": Verdict.TEXT,
    "SCHEDULED_INVALID": Verdict.CAMPAIGN,
    "REFERENCE_LONG": Verdict.BUG,  # it is ours, of 20 characters
    "CANNOT_AFFORD": Verdict.ACCOUNT,
    "INTERNAL_ERROR": Verdict.AMBIGUOUS,
    "METHOD_NOT_IMPLEMENTED": Verdict.BUG,
    "BAD_REQUEST": Verdict.CAMPAIGN,
}
_LOGIN_STATUSES = {401, 403}  # which say more than BAD_REQUEST

_FLAGS = ("premium", "flash", "silent")
_GUID = re.compile(r"[\w.:{}-]{1,100}", re.ASCII)
_SUCCESS = range(200, 300)
_DIALECT = {"login": frozenset({"query", "basic"})}
_NOTHING_TO_ASK = "gateway txty_v6 cannot be asked anything"


@dataclass(frozen=True, kw_only=True)
class TxtyV6:
    """The adapter; ``secret`` is the token. Dialect ``login``: ``query`` (documented) or ``basic``."""

    name: ClassVar[str] = "txty_v6"
    capabilities: ClassVar[Capabilities] = Capabilities(
        max_recipients=1,
        max_parts=10,  # assumed: not documented
        encodings=frozenset(Encoding),
        options=frozenset(_FLAGS),
        schedules=True,
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
        if not self.username or not self.secret or (self._is_basic and ":" in self.username):
            message = "gateway txty_v6: give username (with login basic: without a colon) and secret"
            raise ConfigError(message)

    def build(self, submission: Submission) -> HttpRequest:
        """Write ``GET /v6/sms``. Its address holds login, number and text.

        Raises:
            ConfigError: the submission is more than Txty v6 carries.
        """
        check_submission(submission, gateway=self.name, capabilities=self.capabilities)
        if submission.dlr_url is not None:
            message = "gateway txty_v6: it pushes no delivery reports"
            raise ConfigError(message)
        return HttpRequest(
            method="GET",
            url=f"{self.base_url}/v6/sms?{urlencode(self._query(submission))}",
            headers=self._headers(),
        )

    def read(self, submission: Submission, reply: HttpReply) -> Mapping[str, Outcome]:
        """Say what the reply means for the one recipient; no status and no body makes this raise."""
        outcome = self._outcome(submission, reply=reply, said=shapes.document(reply.body))
        return dict.fromkeys(submission.recipients, outcome)

    def check(self) -> None:
        """Give nothing: there is no call that only reads."""

    def read_check(self, reply: HttpReply) -> Standing:  # noqa: ARG002 - the contract's; there is no such reply
        """Find the account not well: there is no call that could tell."""
        return Standing(is_well=False, is_answered=False, reason=_NOTHING_TO_ASK, balance=None)

    def ask(self, questions: Sequence[Question]) -> HttpRequest:  # noqa: ARG002 - as above
        """Refuse: ``custom_reference`` can be written only.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(_NOTHING_TO_ASK)

    def hear(self, questions: Sequence[Question], reply: HttpReply) -> None:
        """Hear nothing."""

    def cancel(self, *, reference: str, provider_ref: str | None) -> HttpRequest:  # noqa: ARG002 - as above
        """Refuse: what it keeps until a time leaves then.

        Raises:
            ConfigError: always.
        """
        message = "gateway txty_v6 cannot take a message back"
        raise ConfigError(message)

    def read_cancel(self, reply: HttpReply) -> Taken:  # noqa: ARG002 - as above
        """Say nothing: there is no such reply."""
        return Taken.UNCLEAR

    def report(self, push: Push) -> Sequence[Report]:  # noqa: ARG002 - as above
        """Read nothing: no push is documented."""
        return ()

    @property
    def _is_basic(self) -> bool:
        return self.dialect.get("login") == "basic"

    def _basic(self) -> str:
        return base64.b64encode(f"{self.username}:{self.secret}".encode()).decode()

    def _headers(self) -> dict[str, str]:
        login = {"Authorization": f"Basic {self._basic()}"} if self._is_basic else {}
        # A GET may be answered out of a cache, and then nothing is sent.
        return {**login, "Accept": "application/json", "Cache-Control": "no-cache", "User-Agent": "bulksend"}

    def _query(self, submission: Submission) -> dict[str, str]:
        query = {} if self._is_basic else {"username": self.username, "token": self.secret}
        query |= {
            "msisdn": shapes.digits(submission.recipients[0]),
            "sender": shapes.digits(submission.sender),
            "text": submission.text,
            "custom_reference": submission.reference,
        }
        for name in _FLAGS:
            if check_flag(name, submission.options.get(name, False)):
                query[f"settings_{name}"] = "true"
        if submission.leaves_at_s is not None:
            leaves_at = datetime.fromtimestamp(math.ceil(submission.leaves_at_s), UTC)
            query["settings_scheduled"] = f"{leaves_at:%Y-%m-%dT%H:%M:%SZ}"
        return query

    def _outcome(self, submission: Submission, *, reply: HttpReply, said: shapes.Item) -> Outcome:
        code = shapes.word(said.get("error"))
        if code or reply.status not in _SUCCESS:
            return self._refusal(submission, reply=reply, said=said, code=code)
        guid = shapes.word(said.get("guid"))
        if not _GUID.fullmatch(guid):
            return Outcome(verdict=Verdict.AMBIGUOUS, detail="the reply names no message")
        message = next(iter(shapes.items(said.get("message"))), {})
        if not _is_about(submission, message=message, said=said):
            return Outcome(verdict=Verdict.AMBIGUOUS, detail="the reply speaks of another message")
        return Outcome(
            verdict=Verdict.ACCEPTED,
            provider_ref=guid,
            parts=shapes.parts(message.get("message_count")),
            cost=shapes.cost(message.get("price")),
        )

    def _refusal(self, submission: Submission, *, reply: HttpReply, said: shapes.Item, code: str) -> Outcome:
        if said.get("guid"):
            return Outcome(verdict=Verdict.AMBIGUOUS, detail="the reply both accepts and refuses it")
        if code == "BAD_REQUEST" and reply.status in _LOGIN_STATUSES:
            code = ""
        return shapes.refusal(
            reply,
            verdict=shapes.verdict_of(reply, code=code, known=_CODES, other=Verdict.CAMPAIGN),
            code=said.get("error"),
            detail=said.get("message"),
            hide=(*telling([submission.text]), *shapes.secrets(self.secret, self._basic())),
        )


def _is_about(submission: Submission, *, message: shapes.Item, said: shapes.Item) -> bool:
    """Compare our reference, or the number where the reply has none."""
    reference = shapes.word(message.get("reference"))
    if reference:
        return reference == submission.reference
    recipient = next(iter(shapes.items(said.get("recipient"))), {})
    number = shapes.digits(shapes.word(recipient.get("msisdn")))
    return number in {"", shapes.digits(submission.recipients[0])}
