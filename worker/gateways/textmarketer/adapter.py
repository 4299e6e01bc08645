"""Text Marketer's REST API: one text to up to 500 numbers, answered for the whole request.

Source: https://api.textmarketer.co.uk/services/rest and the vendor's documentation, read November 2026. It
gives one id for the request and refuses the request as a whole, so a bad number is found by halving. Our
reference is the tag ``custom`` of its delivery reports: a row proves that it has the message, the absence of
one proves nothing. Credentials travel in a header, never in the address.
"""

from __future__ import annotations

import base64
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote, urlencode

from worker.errors import ConfigError
from worker.gateways.base import Capabilities, HttpRequest, Lookup, Standing, Taken
from worker.gateways.checks import check_base_url, check_dialect, check_flag, check_submission
from worker.gateways.textmarketer import xml
from worker.gateways.textmarketer.answers import Answers
from worker.text.segments import Encoding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.gateways.base import HttpReply, Outcome, Push, Question, Report, Submission

BASE_URL = "https://api.textmarketer.co.uk/services/rest"

_OK = 200
_BAD_REQUEST = 400
_GONE = {"35", "36"}  # not a scheduled message, or one that has left
_VALIDITY_H = range(1, 73)
_VALIDITY = re.compile(r"[0-9]{1,2}", re.ASCII)
_EMAIL = re.compile(r"[!-?A-~]{1,64}@[0-9A-Za-z.-]{1,255}", re.ASCII)  # the gateway knows it better


@dataclass(frozen=True, kw_only=True)
class Textmarketer:
    """The adapter; ``username`` and ``secret`` are those of the API, not of the web panel."""

    name: ClassVar[str] = "textmarketer"
    capabilities: ClassVar[Capabilities] = Capabilities(
        max_recipients=500,  # assumed, as in the vendor's simple API: not documented for this one
        max_parts=4,
        encodings=frozenset({Encoding.GSM_7}),
        options=frozenset({"validity", "check_stop", "email"}),
        max_sender_digits=16,
        max_characters={Encoding.GSM_7: 612},
        schedules=True,
        cancel_ahead_s=0.0,
        # 100 calls that read in 15 minutes are allowed: 60 of these, 30 checks, and some of a person's
        lookup=Lookup(interval_s=15.0, most_references=1, is_proof=False, tells_delivery=True),
        check_interval_s=30.0,
        stop_list="sender",  # a STOP group belongs to who texts; `check_stop` says whether it counts
    )

    base_url: str = BASE_URL
    username: str
    secret: str = field(repr=False)
    dialect: Mapping[str, str | int | bool] = field(default_factory=dict)
    login: ClassVar[None] = None

    def __post_init__(self) -> None:
        """Raise ``ConfigError`` for an address, a login or a dialect that cannot be used."""
        object.__setattr__(self, "base_url", check_base_url(self.base_url))
        check_dialect(self.dialect, gateway=self.name, known={})
        if ":" in self.username or not self.username or not self.secret:
            message = "gateway textmarketer: give username, without a colon, and secret"
            raise ConfigError(message)

    def build(self, submission: Submission) -> HttpRequest:
        """Write ``POST sms``.

        Raises:
            ConfigError: the submission is more than Text Marketer carries.
        """
        check_submission(submission, gateway=self.name, capabilities=self.capabilities)
        fields = {
            "message": submission.text,
            "to": ",".join(msisdn.removeprefix("+") for msisdn in submission.recipients),
            "originator": submission.sender.removeprefix("+"),
            "custom": submission.reference,
            **_options(submission.options),
        }
        if submission.leaves_at_s is not None:
            fields["schedule"] = xml.iso_8601(math.ceil(submission.leaves_at_s))
        return HttpRequest(
            method="POST",
            url=f"{self.base_url}/sms",
            headers={**self._headers(), "Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(fields).encode(),
        )

    def read(self, submission: Submission, reply: HttpReply) -> Mapping[str, Outcome]:
        """Say of every recipient what the reply means, the same of each; nothing makes this raise."""
        return dict.fromkeys(submission.recipients, self._answers.outcome(submission, reply))

    def check(self) -> HttpRequest:
        """Write ``GET credits``."""
        return self._request("GET", "credits")

    def read_check(self, reply: HttpReply) -> Standing:
        """Find the account well if the reply is 200 and shows credits above zero."""
        root = xml.response(reply.body)
        is_good = reply.status == _OK and not xml.faults(root)
        balance = xml.credit(xml.word(root, "credits")) if is_good else None
        reason = None
        if not is_good:
            reason = self._answers.trouble(reply)
        elif balance is None:
            reason = "the answer shows no credits that can be read"
        elif balance <= 0:
            reason = "the credits are used up"
        return Standing(
            is_well=reason is None,
            is_answered=balance is not None or self._answers.is_limit(reply),
            reason=reason,
            balance=balance,
            unit=None if balance is None else "credits",
        )

    def ask(self, questions: Sequence[Question]) -> HttpRequest:
        """Write ``GET deliveryReport/all/custom/<tag>``.

        Raises:
            ConfigError: there is not just one question.
        """
        if len(questions) != 1:
            message = f"gateway {self.name}: it can be asked of one reference at a time"
            raise ConfigError(message)
        return self._request("GET", f"deliveryReport/all/custom/{quote(questions[0].reference, safe='')}")

    def hear(
        self, questions: Sequence[Question], reply: HttpReply
    ) -> Mapping[str, Mapping[str, Outcome]] | None:
        """Find the rows with our tag and in them our numbers; of several for a number the last counts."""
        root = xml.response(reply.body) if reply.status == _OK else None
        return None if root is None or xml.faults(root) else self._answers.heard(questions, root)

    def cancel(self, *, reference: str, provider_ref: str | None) -> HttpRequest:
        """Write ``DELETE sms/<scheduled_id>``.

        Raises:
            ConfigError: the gateway gave no id for the submission.
        """
        if provider_ref is None:
            message = f"gateway {self.name}: submission {reference} has no id to be cancelled by"
            raise ConfigError(message)
        return self._request("DELETE", f"sms/{quote(provider_ref, safe='')}")

    def read_cancel(self, reply: HttpReply) -> Taken:
        """Believe what is told with its documented word or code; all else is unclear."""
        root = xml.response(reply.body)
        if reply.status == _OK and xml.word(root, "status").upper() == "DELETED":
            return Taken.BACK
        codes = {fault.code for fault in xml.faults(root)}
        return Taken.TOO_LATE if reply.status == _BAD_REQUEST and codes & _GONE else Taken.UNCLEAR

    def report(self, push: Push) -> Sequence[Report]:  # noqa: ARG002 - the contract of adapters
        """Give none: the gateway does not push."""
        return ()

    @property
    def _answers(self) -> Answers:
        return Answers(secrets=(self.secret, self._basic()))

    def _request(self, method: str, path: str) -> HttpRequest:
        return HttpRequest(method=method, url=f"{self.base_url}/{path}", headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Basic {self._basic()}", "Accept": "text/xml", "User-Agent": "bulksend"}

    def _basic(self) -> str:
        return base64.b64encode(f"{self.username}:{self.secret}".encode()).decode()


def _options(options: Mapping[str, object]) -> dict[str, str]:
    fields = {}
    if "validity" in options:
        word = str(options["validity"])
        if not _VALIDITY.fullmatch(word) or int(word) not in _VALIDITY_H:
            message = "option validity must be a number of hours from 1 to 72"
            raise ConfigError(message)
        fields["validity"] = str(int(word))
    if check_flag("check_stop", options.get("check_stop", False)):
        fields["check_stop"] = "true"
    if "email" in options:
        fields["email"] = str(options["email"])
        if not _EMAIL.fullmatch(fields["email"]):
            message = "option email must be an e-mail address"
            raise ConfigError(message)
    return fields
