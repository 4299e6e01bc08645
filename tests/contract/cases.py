"""The shape of an adapter's contract: what is sent, what is answered, what follows for each recipient.

Each gateway brings its ``Contract``s in ``cases_NAME.py`` and a line in ``contracts.py``. Whatever is not a
table of its own is checked for every gateway alike, from what its capabilities promise.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from worker.gateways.base import HttpReply, Question, Submission
from worker.text.segments import Encoding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from decimal import Decimal

    from hypothesis.strategies import SearchStrategy

    from worker.gateways.base import Adapter, HttpRequest, Lookup, Outcome, Push, Report, Taken, Verdict
    from worker.states import MessageState

HOST = "http://127.0.0.1:1"  # where every contract's base_url begins; nobody listens there
ANNA, BO, CARL = "+4520304050", "+4520304051", "+46701234567"
SENDER = "ACME"
REFERENCE = "abcdefghij0123456789"
SECOND_REFERENCE = "9876543210zyxwvutsrq"
PROVIDER_REF = "918273"
TEXT = "Hello there, this is the text"
SENT_AT_S = 1_796_000_000.25
LEAVES_AT_S = 1_796_003_600.0  # 2026-11-30 01:53:20 UTC
DLR_URL = "https://sms.example/dlr/token"
QUESTIONS = (
    Question(
        reference=REFERENCE, recipients=(ANNA, BO), sent_at_s=SENT_AT_S, sender=SENDER, texts=(TEXT, TEXT)
    ),
    Question(
        reference=SECOND_REFERENCE,
        recipients=(CARL,),
        sent_at_s=SENT_AT_S + 90,
        sender=SENDER,
        texts=(TEXT,),
    ),
)


def submission(*recipients: str, **changes: object) -> Submission:
    """A submission to some numbers, plain but for the changes."""
    plain: dict[str, object] = {
        "reference": REFERENCE,
        "sender": SENDER,
        "text": TEXT,
        "encoding": Encoding.GSM_7,
        "recipients": recipients or (ANNA,),
    }
    return Submission(**(plain | changes))  # type: ignore[arg-type]  # the fields are checked where they are used


def reply(status: int, body: bytes = b"", **headers: str) -> HttpReply:
    """A reply; ``retry_after`` stands for the header ``retry-after``."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpReply(status=status, headers=names, body=body)


def says(status: int, document: object, **headers: str) -> HttpReply:
    """A reply in JSON."""
    return reply(status, json.dumps(document).encode(), **headers)


def json_bodies(*words: str) -> SearchStrategy[bytes]:
    """JSON out of a gateway's words and numbers of ours, and other octets."""
    numbers = st.sampled_from([ANNA, ANNA[1:], int(ANNA), BO, "45", 400, 402, REFERENCE, TEXT, SENDER])
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | numbers
    names = st.sampled_from(words or ("status", "error", "message"))
    documents = st.recursive(
        leaves | names,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=5),
        max_leaves=20,
    )
    return documents.map(lambda document: json.dumps(document).encode()) | st.binary(max_size=80)


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What must be said of one recipient; the last two count where they are given, the detail never."""

    verdict: Verdict
    parts: int | None = None
    cost: Decimal | None = None
    delivery: MessageState | None = None
    provider_ref: str | None = None
    code: str | None = None

    def is_met_by(self, outcome: Outcome) -> bool:
        """Compare what the case speaks of."""
        said = (outcome.verdict, outcome.parts, outcome.cost, outcome.delivery)
        is_named = self.provider_ref in {None, outcome.provider_ref}
        has_code = self.code in {None, outcome.code}
        return is_named and has_code and said == (self.verdict, self.parts, self.cost, self.delivery)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A line of a table; its name tells it from the others."""

    name: str


@dataclass(frozen=True, kw_only=True)
class BuildCase(Case):
    """A submission and the fields that must stand in its request, as the gateway would read them."""

    submission: Submission
    fields: Mapping[str, object]
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RefusalCase(Case):
    """A submission that must be refused before any request, and what the sentence must name."""

    submission: Submission
    named: str


@dataclass(frozen=True, kw_only=True)
class OptionCase(Case):
    """An option, called ``name``: values that are carried, and values that are refused by its name."""

    carried: tuple[object, ...]
    refused: tuple[object, ...] = ()
    changes: Mapping[str, object] = field(default_factory=dict)  # of the submission that has it


@dataclass(frozen=True, kw_only=True)
class ReadCase(Case):
    """A reply to a submission and what it means, recipient by recipient."""

    reply: HttpReply
    expected: Mapping[str, Expected]
    changes: Mapping[str, object] = field(default_factory=dict)  # of the submission


@dataclass(frozen=True, kw_only=True)
class CodeCase(Case):
    """A documented refusal: what it means alone and, where the gateway takes several, in a larger request.

    ``code`` must be kept, and of ``detail`` that it stands in what is kept.
    """

    reply: HttpReply
    alone: Verdict
    among: Verdict | None = None  # for each recipient; None: as alone
    code: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class CheckCase(Case):
    """A reply to a check: the reason is None when the account is well."""

    reply: HttpReply
    reason: str | None
    balance: Decimal | None = None
    abilities: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AskCase(Case):
    """Questions, the address that asks them, and what else stands in the request (read by ``fields_of``)."""

    questions: tuple[Question, ...]
    url: str
    fields: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class HearCase(Case):
    """A reply to questions and what is heard, None for nothing that could be understood."""

    reply: HttpReply
    heard: Mapping[str, Mapping[str, Expected]] | None
    questions: tuple[Question, ...] = QUESTIONS  # a gateway that is asked one by one takes the first


@dataclass(frozen=True, kw_only=True)
class CancelCase(Case):
    """A reply to a cancelling and what it says of the kept messages."""

    reply: HttpReply
    taken: Taken


@dataclass(frozen=True, kw_only=True)
class ReportCase(Case):
    """A push and the reports in it."""

    push: Push
    reports: tuple[Report, ...]


@dataclass(frozen=True, kw_only=True)
class LoginCase(Case):
    """A reply to a login: a session begins, or a verdict says why not."""

    reply: HttpReply
    session: str | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, kw_only=True)
class Contract:
    """All that an adapter brings to the runner, once for each dialect worth it."""

    adapter: Adapter  # with a ``base_url`` below ``HOST``
    brand: str = ""  # tells the contracts of one adapter apart
    secrets: tuple[str, ...]  # must never be seen outside the request itself: the secret, its encodings
    fields_of: Callable[[HttpRequest], Mapping[str, object]]  # reads any request as the gateway would
    good: HttpReply  # accepts ANNA, and is not whole without its last octet
    echo: Callable[[str], Sequence[HttpReply]]
    """Replies that refuse a submission to ANNA, in every shape, with the given words as code, text, anything
    the gateway writes (what its format cannot carry is left out); some 4xx and some with the good status."""

    max_recipients: int = 1
    carries_reference: bool = True
    needs_sender: bool = True
    read_method: str = "GET"  # of calls that only read
    unit: str | None = None  # of a balance
    lookup: Lookup | None = None

    builds: tuple[BuildCase, ...]
    refusals: tuple[RefusalCase, ...] = ()  # beside what every gateway refuses
    options: tuple[OptionCase, ...] = ()  # one at least for each option of the capabilities
    reads: tuple[ReadCase, ...]
    codes: tuple[CodeCase, ...]  # every one that is documented
    strange: tuple[HttpReply, ...] = ()  # whole replies with a word that nobody knows: ambiguous
    checks: tuple[CheckCase, ...] = ()
    asks: tuple[AskCase, ...] = ()
    hears: tuple[HearCase, ...] = ()
    knows: Callable[[Sequence[Question], Sequence[tuple[str, str]]], HttpReply] | None = None
    """The reply to questions by a gateway that has messages of these references to these numbers only."""

    cancel_fields: Mapping[str, object] = field(default_factory=dict)  # for REFERENCE and PROVIDER_REF
    cancels: tuple[CancelCase, ...] = ()
    reports: tuple[ReportCase, ...] = ()
    logins: tuple[LoginCase, ...] = ()
    over: tuple[HttpReply, ...] = ()  # replies to a submission that say: the session is over
    bodies: SearchStrategy[bytes] = field(default_factory=json_bodies)  # near what it writes, and far from it

    @property
    def id(self) -> str:
        """Its name in the list of tests."""
        return f"{self.adapter.name} {self.brand}".strip()

    @property
    def several(self) -> tuple[str, ...]:
        """Recipients for one request, as many as it takes."""
        return (ANNA, BO, CARL)[: self.max_recipients]

    @property
    def asked(self) -> tuple[Question, ...]:
        """Questions for one call, as many as it takes."""
        return QUESTIONS[: self.lookup.most_references] if self.lookup else ()

    @property
    def requests(self) -> Mapping[str, HttpRequest]:
        """One request of each kind that the adapter can write."""
        adapter, login = self.adapter, self.adapter.login
        can_cancel = adapter.capabilities.cancel_ahead_s is not None
        kinds = {
            "send": adapter.build(submission(ANNA)),
            "check": adapter.check(),
            "ask": adapter.ask(self.asked) if self.asked else None,
            "cancel": adapter.cancel(reference=REFERENCE, provider_ref=PROVIDER_REF) if can_cancel else None,
            "login": login.request() if login else None,
        }
        return {kind: request for kind, request in kinds.items() if request is not None}

    def cases(self) -> Iterator[Case]:
        """Walk all tables."""
        for each in fields(self):
            table = getattr(self, each.name)
            if isinstance(table, tuple):
                yield from (case for case in table if isinstance(case, Case))
