"""CPSMS.dk API v2: one text to up to 500 numbers or to a group, answered number by number.

Source: https://api.cpsms.dk/v2 and the vendor's documentation of 2016 (Compaya), read November 2026; later
shapes from clients in use. It gives no message id: our reference stands for it, in its log and when what it
keeps is taken back. Rooms: ``request`` writes submissions, ``replies`` reads the answers,
``log`` reads the log and the delivery reports, ``shapes`` knows how lists and amounts look.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from worker.errors import ConfigError
from worker.gateways.base import Capabilities, HttpRequest, Lookup, Standing, Taken
from worker.gateways.checks import check_base_url, check_dialect, check_submission
from worker.gateways.cpsms import shapes
from worker.gateways.cpsms.log import CODES, heard, report
from worker.gateways.cpsms.replies import code_and_detail, outcomes
from worker.gateways.cpsms.request import OPTIONS, written
from worker.text.segments import Encoding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from worker.gateways.base import HttpReply, Outcome, Push, Question, Report, Submission
    from worker.gateways.cpsms.shapes import Item

BASE_URL = "https://api.cpsms.dk/v2"

_OK = 200
_NOTHING_THERE = 409
_CLOCKS_APART_S = 60.0  # by which its clock and ours may differ
_DIALECT = {"dlr_codes": frozenset(CODES)}


@dataclass(frozen=True, kw_only=True)
class Cpsms:
    """The adapter; ``secret`` is the API key of the vendor's web panel.

    The dialect ``dlr_codes`` (2020 or 2016) tells the two sets of delivery codes apart: they disagree on 4.
    """

    name: ClassVar[str] = "cpsms"
    capabilities: ClassVar[Capabilities] = Capabilities(
        max_recipients=500,  # assumed: not documented
        max_parts=10,
        encodings=frozenset(Encoding),
        is_told_encoding=True,
        encoding_options={("format", "GSM"): Encoding.GSM_7, ("format", "UNICODE"): Encoding.UCS_2},
        options=OPTIONS,
        targets=frozenset({"group"}),
        schedules=True,
        cancel_ahead_s=600.0,
        cancels_blindly=True,  # assumed: what it answers where there is nothing to delete is not documented
        pushes=True,
        lookup=Lookup(interval_s=120.0, most_references=None, is_proof=False, tells_delivery=True),
    )

    base_url: str = BASE_URL
    username: str
    secret: str = field(repr=False)
    dialect: Mapping[str, str | int | bool] = field(default_factory=dict)
    login: ClassVar[None] = None

    def __post_init__(self) -> None:
        """Raise ``ConfigError`` for an address, a login or a dialect that cannot be used."""
        object.__setattr__(self, "base_url", check_base_url(self.base_url))
        if ":" in self.username or not self.username or not self.secret:
            message = "gateway cpsms: give username, without a colon, and secret"
            raise ConfigError(message)
        object.__setattr__(self, "dialect", check_dialect(self.dialect, gateway=self.name, known=_DIALECT))

    def build(self, submission: Submission) -> HttpRequest:
        """Write ``POST /send``, or ``POST /sendgroup`` for a group.

        Raises:
            ConfigError: the submission is more than CPSMS carries, or has characters that it would remove.
        """
        check_submission(submission, gateway=self.name, capabilities=self.capabilities)
        call, body = written(submission)
        headers = {**self._headers(), "Content-Type": "application/json"}
        return HttpRequest(method="POST", url=f"{self.base_url}/{call}", headers=headers, body=body)

    def read(self, submission: Submission, reply: HttpReply) -> Mapping[str, Outcome]:
        """Say of every recipient what the reply means; no status and no body makes this raise."""
        return outcomes(submission, reply, hide=self._hidden())

    def check(self) -> HttpRequest:
        """Write ``GET /creditvalue``."""
        return self._call("GET", "creditvalue")

    def read_check(self, reply: HttpReply) -> Standing:
        """Find the account well if the reply is 200, says no error, and shows credit above zero."""
        document = shapes.document(reply.body)
        balance = shapes.credit(document.get("credit"))
        error = next(shapes.items(document.get("error")), None)
        reason = self._trouble(reply, error=error, balance=balance)
        return Standing(
            is_answered=reply.status == _OK and error is None and bool(document),
            is_well=reason is None,
            reason=reason,
            balance=balance,
            unit=None if balance is None else "points",
        )

    def ask(self, questions: Sequence[Question]) -> HttpRequest:
        """Write ``GET /getlog/<from>/<to>`` over the time of all questions, a minute more at both ends."""
        sent_at_s = [question.sent_at_s for question in questions]
        from_s = max(0, math.floor(min(sent_at_s) - _CLOCKS_APART_S))
        return self._call("GET", f"getlog/{from_s}/{math.ceil(max(sent_at_s) + _CLOCKS_APART_S)}")

    def hear(
        self, questions: Sequence[Question], reply: HttpReply
    ) -> Mapping[str, Mapping[str, Outcome]] | None:
        """Find the rows of the log with a reference of ours, and in them our numbers and their delivery."""
        rows = shapes.parsed(reply.body) if reply.status == _OK else None
        return heard(questions, rows, codes=self._codes()) if isinstance(rows, list) else None

    def cancel(self, *, reference: str, provider_ref: str | None) -> HttpRequest:  # noqa: ARG002 - of the contract
        """Write ``DELETE /deletesms/<reference>``: whatever has the reference and 10 minutes left goes."""
        return self._call("DELETE", f"deletesms/{reference}")

    def read_cancel(self, reply: HttpReply) -> Taken:
        """Read 200 with a word of success, or 409: there was nothing that could still be deleted."""
        document = shapes.document(reply.body)
        error = next(shapes.items(document.get("error")), None)
        if reply.status == _NOTHING_THERE:
            return Taken.TOO_LATE
        if reply.status != _OK or error is not None or not {"success", "Success"} & document.keys():
            return Taken.UNCLEAR
        return Taken.BACK

    def report(self, push: Push) -> Sequence[Report]:
        """Read ``status`` and ``receiver``, in the address whether it is called by GET or by POST."""
        return report(push, codes=self._codes())

    def _call(self, method: str, path: str) -> HttpRequest:
        return HttpRequest(method=method, url=f"{self.base_url}/{path}", headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Basic {self._basic()}",
            "Accept": "application/json",
            "User-Agent": "bulksend",
        }

    def _basic(self) -> str:
        return base64.b64encode(f"{self.username}:{self.secret}".encode()).decode()

    def _hidden(self) -> tuple[str, ...]:
        return (self.secret, self._basic())

    def _codes(self) -> str:
        return str(self.dialect.get("dlr_codes", "2020"))

    def _trouble(self, reply: HttpReply, *, error: Item | None, balance: Decimal | None) -> str | None:
        if error is not None or reply.status != _OK:
            code, detail = code_and_detail(error or {}, reply=reply, hide=self._hidden())
            return f"{code}: {detail}" if detail else code
        if balance is None:
            return "the answer shows no credit that can be read"
        return None if balance > 0 else "the credit is used up"
