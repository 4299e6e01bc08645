"""The shape of an adapter's contract: what is sent, what is answered, what follows for each recipient."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.gateways.base import HttpReply, Question, Submission
from worker.text.segments import Encoding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

    from worker.gateways.base import Adapter, HttpRequest, Lookup, Outcome, Verdict

ANNA, BO, CARL = "+4520304050", "+4520304051", "+46701234567"
REFERENCE = "abcdefghij0123456789"
SECOND_REFERENCE = "9876543210zyxwvutsrq"
TEXT = "Hello there, this is the text"
SENT_AT_S = 1_796_000_000.25
QUESTIONS = (
    Question(reference=REFERENCE, recipients=(ANNA, BO), sent_at_s=SENT_AT_S),
    Question(reference=SECOND_REFERENCE, recipients=(CARL,), sent_at_s=SENT_AT_S + 90),
)


def submission(*recipients: str, **changes: object) -> Submission:
    """A submission to some numbers, plain but for the changes."""
    fields: dict[str, object] = {
        "reference": REFERENCE,
        "sender": "ACME",
        "text": TEXT,
        "encoding": Encoding.GSM_7,
        "recipients": recipients or (ANNA,),
    }
    return Submission(**(fields | changes))  # type: ignore[arg-type]  # the fields are checked where they are used


def reply(status: int, body: bytes = b"", **headers: str) -> HttpReply:
    """A reply; ``retry_after`` stands for the header ``retry-after``."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpReply(status=status, headers=names, body=body)


def says(status: int, document: object, **headers: str) -> HttpReply:
    """A reply in JSON."""
    return reply(status, json.dumps(document).encode(), **headers)


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What must be said of one recipient; parts and cost count, code and detail do not."""

    verdict: Verdict
    parts: int | None = None
    cost: Decimal | None = None

    def is_met_by(self, outcome: Outcome) -> bool:
        """Compare what the case speaks of."""
        said = (outcome.verdict, outcome.parts, outcome.cost)
        return said == (self.verdict, self.parts, self.cost)


@dataclass(frozen=True, kw_only=True)
class BuildCase:
    """A submission and the fields that must stand in its request, as the gateway would read them."""

    name: str
    submission: Submission
    fields: Mapping[str, object]
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReadCase:
    """A reply and what it means, recipient by recipient."""

    name: str
    reply: HttpReply
    expected: Mapping[str, Expected]


@dataclass(frozen=True, kw_only=True)
class CheckCase:
    """A reply to a check: the reason is None when the account is well."""

    name: str
    reply: HttpReply
    reason: str | None
    balance: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class AskCase:
    """Questions and the address that asks them."""

    name: str
    questions: tuple[Question, ...]
    url: str


@dataclass(frozen=True, kw_only=True)
class HearCase:
    """A reply to ``QUESTIONS`` and what is heard, None for nothing that could be understood."""

    name: str
    reply: HttpReply
    heard: Mapping[str, Mapping[str, Expected]] | None


@dataclass(frozen=True, kw_only=True)
class Contract:
    """All that an adapter brings to the runner."""

    adapter: Adapter
    secrets: tuple[str, ...]  # must never be seen outside the request itself
    max_recipients: int
    builds: tuple[BuildCase, ...]
    reads: tuple[ReadCase, ...]
    checks: tuple[CheckCase, ...]
    asks: tuple[AskCase, ...]
    hears: tuple[HearCase, ...]
    lookup: Lookup | None
    good_body: bytes  # accepts ANNA
    fields_of: Callable[[HttpRequest], Mapping[str, object]]  # reads a request as the gateway would
