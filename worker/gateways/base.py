"""The contract of a gateway adapter: pure functions between our values and the gateway's bytes.

An adapter builds an ``HttpRequest`` and reads an ``HttpReply``; it performs no I/O and keeps no state.
It says per recipient what the gateway said; what follows for the message is decided elsewhere
(``worker.sending.record``). Classes of answers: RCPT, CAMP, ACCT, RETRY, AMBIG and BUG. An account can be
checked, and where a gateway can be asked for our references, it can be asked what became of a submission.
What a gateway offers beyond sending (a login before, its own groups and schedule, delivery reports) is told
by its capabilities.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from worker.states import MessageState
from worker.text.segments import Encoding


class Verdict(enum.StrEnum):
    """What a gateway's answer means for one recipient of a request."""

    ACCEPTED = "accepted"
    RECIPIENT = "recipient"  # permanent for this recipient only
    OPTED_OUT = "opted_out"  # the gateway keeps a stop list and this number is on it
    CAMPAIGN = "campaign"  # sender, text or parameters are refused: do not retry unchanged
    TEXT = "text"  # the text is refused: as CAMPAIGN where all have the same, else only these recipients
    ACCOUNT = "account"  # login, credit, address: the account waits for a person
    RETRY = "retry"  # surely refused, for a passing reason of the gateway: may be sent again, with back-off
    THROTTLED = "throttled"  # refused because it came too early: the account waits, no attempt is used up
    LOGIN = "login"  # surely refused, because the session is over: log in again, no attempt is used up
    SPLIT = "split"  # refused because of another recipient of the request: send again in smaller requests
    AMBIGUOUS = "ambiguous"  # may or may not have been accepted: never resend
    BUG = "bug"  # our adapter is wrong


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """How a gateway can be asked what became of our references."""

    interval_s: float  # the least time between two calls of one account, in the whole system
    most_references: int | None  # that one call can carry; None: one call covers a span of time
    is_proof: bool  # not to know a reference means that it never had it
    is_alike: bool = False  # it does not know our reference: number, sender, text and time are compared
    tells_delivery: bool = False  # it also says what became of a message on the way to the handset


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a gateway can carry; checked before any request is built."""

    max_recipients: int  # per request
    max_parts: int  # of one text
    encodings: frozenset[Encoding]
    options: frozenset[str]  # names that `--option` and the provider's settings may use
    is_told_encoding: bool = False  # else it takes GSM-7 for every text that this holds
    # Options, with their word in capitals, that ask for an encoding: texts are composed in it.
    encoding_options: Mapping[tuple[str, str], Encoding] = field(default_factory=dict)
    max_sender_alnum: int = 11
    max_sender_digits: int = 15
    # Of one text, in septets or 16 bit units; absent: by parts only.
    max_characters: Mapping[Encoding, int] = field(default_factory=dict)
    differs: bool = False  # one request can carry a different text to each recipient
    reserved: frozenset[str] = frozenset()  # marks of a text that may not stand in a request of several texts
    targets: frozenset[str] = frozenset()  # what it keeps itself and can be sent to: "group", "contact"
    schedules: bool = False  # it can keep a message until a time
    cancel_ahead_s: float | None = None  # a kept message can be taken back so long before; None: never
    cancels_blindly: bool = False  # it may say that it took back what it has not got, or not yet
    pushes: bool = False  # it calls an address of ours with delivery reports
    lookup: Lookup | None = None  # None: it cannot be asked
    stop_list: str = "all"  # what a number on it gets no more: "all", or what has the same "sender"
    blocked: frozenset[str] = frozenset()  # codes of delivery that say that a number is on it
    check_interval_s: float = 0.0  # the least time between two checks of one account, in the whole system


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One request to be: one text to one or more recipients, or to each his own where the gateway can."""

    reference: str  # ours: 20 lower-case letters and digits, never reused
    sender: str = field(repr=False)
    text: str = field(repr=False)  # empty where ``texts`` are given
    texts: tuple[str, ...] | None = field(default=None, repr=False)  # of the recipients, in their order
    encoding: Encoding
    udh_bits: int = 8  # as its parts were counted
    recipients: tuple[str, ...] = field(repr=False)  # E.164 with plus, no number twice; or one ``group:ID``
    options: Mapping[str, object] = field(default_factory=dict)
    leaves_at_s: float | None = None  # Unix seconds: the gateway is to keep it until then
    dlr_url: str | None = field(default=None, repr=False)  # where its delivery reports are to be pushed


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """What is to be written to the wire. ``url`` may hold credentials: it is never logged."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, kw_only=True)
class HttpReply:
    """What came back. ``headers`` have lower-case names; ``body`` is bounded and whole."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the gateway said about one recipient.

    ``code`` and ``detail`` are the gateway's own words for the operator, trimmed and free of numbers.
    """

    verdict: Verdict
    delivery: MessageState | None = None  # DELIVERED, UNDELIVERED or EXPIRED, when a look-up says so
    provider_ref: str | None = None
    parts: int | None = None  # as the gateway counted, when it says so
    cost: Decimal | None = None  # in the gateway's own unit, when it says so
    code: str | None = None
    detail: str | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a check of an account found."""

    is_well: bool  # login, address and credit let messages leave
    is_answered: bool = True  # the gateway took the call and its answer could be read, well or not
    is_let_in: bool | None = None  # it took, or refused, the login; None: that is not known
    reason: str | None  # when it is not well: the gateway's code and words, trimmed and free of numbers
    balance: Decimal | None  # in the gateway's own unit, when it says so
    unit: str | None = None  # of the balance: a currency, "points", "credits"
    abilities: tuple[str, ...] = ()  # what the account can do, a few words each, as the gateway says it


@dataclass(frozen=True, kw_only=True)
class Question:
    """One submission of ours of which the gateway is asked what became of it."""

    reference: str
    recipients: tuple[str, ...] = field(repr=False)  # E.164 with plus
    sent_at_s: float  # Unix seconds by our clock
    sender: str = field(default="", repr=False)  # the last three for gateways that do not know references
    texts: tuple[str, ...] = field(default=(), repr=False)  # of the recipients, in their order
    provider_refs: tuple[str | None, ...] = ()  # the gateway's own ids of them, where they are known


@dataclass(frozen=True, kw_only=True)
class Push:
    """A call of the gateway's at our address for delivery reports, as it came; nothing in it is trusted."""

    method: str
    query: str = field(repr=False)  # raw, percent-encoded
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # lower-case names
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a delivery report says of one message; which one, is found by what it names.

    ``delivery`` is DELIVERED, UNDELIVERED or EXPIRED, or ACCEPTED while it is on its way: every report proves
    that the gateway has the message.
    """

    delivery: MessageState
    msisdn: str | None = field(default=None, repr=False)  # E.164 with plus
    reference: str | None = None  # ours
    provider_ref: str | None = None
    code: str | None = None  # the gateway's own
    detail: str | None = None
    at_s: float | None = None  # Unix seconds by the gateway's clock


class Taken(enum.StrEnum):
    """What became of the wish to take a kept message back."""

    BACK = "back"  # it will not leave
    TOO_LATE = "too_late"  # it has left, or is about to
    UNCLEAR = "unclear"


class Login(Protocol):
    """How a gateway is logged in to, where requests carry a session instead of the secret.

    A session is an opaque text; it is a secret.
    """

    def request(self) -> HttpRequest:
        """Write the call that begins a session."""

    def read(self, reply: HttpReply) -> str | Outcome:
        """Return the session, or the refusal: ACCOUNT, RETRY or AMBIGUOUS (which is harmless here)."""

    def sign(self, request: HttpRequest, *, session: str) -> HttpRequest:
        """Give the request with the session in it."""

    def is_over(self, reply: HttpReply) -> bool:
        """Say whether a reply to any call says that the session is over."""


class Adapter(Protocol):
    """One gateway. Instances are immutable and safe to share between threads."""

    @property
    def name(self) -> str:
        """The word of the settings file, such as ``cpsms``."""

    @property
    def capabilities(self) -> Capabilities:
        """What the gateway can carry."""

    @property
    def base_url(self) -> str:
        """Where the gateway is: connections to it are opened before they are needed."""

    @property
    def login(self) -> Login | None:
        """How a session is begun; None: every request carries the secret itself."""

    def build(self, submission: Submission) -> HttpRequest:
        """Write the request for a submission; raises ``ConfigError`` for what the gateway cannot carry."""

    def read(self, submission: Submission, reply: HttpReply) -> Mapping[str, Outcome]:
        """Say for every recipient of the submission what the reply means; raises nothing."""

    def check(self) -> HttpRequest | None:
        """Write a read-only request that shows whether login, address and credit are in order.

        Returns:
            None where the gateway has no such call.
        """

    def read_check(self, reply: HttpReply) -> Standing:
        """Say what the reply to a check found; raises nothing. What cannot be read is not well."""

    def ask(self, questions: Sequence[Question]) -> HttpRequest:
        """Write the request that asks for one submission or more, as many as ``lookup`` allows.

        Raises:
            ConfigError: the gateway cannot be asked.
        """

    def hear(
        self, questions: Sequence[Question], reply: HttpReply
    ) -> Mapping[str, Mapping[str, Outcome]] | None:
        """Say of which recipients the gateway has a message of ours; raises nothing.

        Returns:
            By reference, then by msisdn, an ACCEPTED outcome. What the gateway does not name is absent; a
            reference that it knows is there even if it names none of the numbers. None when the reply says
            nothing: another status than 200, a body that is cut off, a call too early.
        """

    def cancel(self, *, reference: str, provider_ref: str | None) -> HttpRequest:
        """Write the request that takes back what the gateway keeps until its time, a whole submission.

        Raises:
            ConfigError: the gateway cannot take anything back.
        """

    def read_cancel(self, reply: HttpReply) -> Taken:
        """Say what became of it; raises nothing."""

    def report(self, push: Push) -> Sequence[Report]:
        """Read a pushed delivery report; raises nothing, and what cannot be read gives none."""
