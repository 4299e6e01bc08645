"""The contract of a gateway adapter: pure functions between our values and the gateway's bytes.

An adapter builds an ``HttpRequest`` and reads an ``HttpReply``; it performs no I/O and keeps no state.
It says per recipient what the gateway said; what follows for the message is decided elsewhere
(``worker.sending.record``). Classes of answers: RCPT, CAMP, ACCT, RETRY, AMBIG and BUG. An account can be
checked, and where a gateway can be asked for our references, it can be asked what became of a submission.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from worker.text.segments import Encoding


class Verdict(enum.StrEnum):
    """What a gateway's answer means for one recipient of a request."""

    ACCEPTED = "accepted"
    RECIPIENT = "recipient"  # permanent for this recipient only
    OPTED_OUT = "opted_out"  # the gateway keeps a stop list and this number is on it
    CAMPAIGN = "campaign"  # sender, text or parameters are refused: do not retry unchanged
    ACCOUNT = "account"  # login, credit, address: the account waits for a person
    RETRY = "retry"  # surely refused, for a passing reason of the gateway: may be sent again, with back-off
    THROTTLED = "throttled"  # refused because it came too early: the account waits, no attempt is used up
    SPLIT = "split"  # refused because of another recipient of the request: send again in smaller requests
    AMBIGUOUS = "ambiguous"  # may or may not have been accepted: never resend
    BUG = "bug"  # our adapter is wrong


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """How a gateway can be asked what became of our references."""

    interval_s: float  # the least time between two calls of one account, in the whole system
    most_references: int | None  # that one call can carry; None: one call covers a span of time
    is_proof: bool  # not to know a reference means that it never had it


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a gateway can carry; checked before any request is built."""

    max_recipients: int  # per request
    max_parts: int  # of one text
    encodings: frozenset[Encoding]
    options: frozenset[str]  # names that `--option` and the provider's settings may use
    max_sender_alnum: int = 11
    max_sender_digits: int = 15
    lookup: Lookup | None = None  # None: it cannot be asked


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One request to be: the same text to one or more recipients."""

    reference: str  # ours: 20 lower-case letters and digits, never reused
    sender: str = field(repr=False)
    text: str = field(repr=False)
    encoding: Encoding
    recipients: tuple[str, ...] = field(repr=False)  # E.164 with plus; no number twice
    options: Mapping[str, object] = field(default_factory=dict)


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
    reason: str | None  # when it is not well: the gateway's code and words, trimmed and free of numbers
    balance: Decimal | None  # in the gateway's own unit, when it says so


@dataclass(frozen=True, kw_only=True)
class Question:
    """One submission of ours of which the gateway is asked what became of it."""

    reference: str
    recipients: tuple[str, ...] = field(repr=False)  # E.164 with plus
    sent_at_s: float  # Unix seconds by our clock


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
