"""What passes between the ledger and those who send: plain values, without a database."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import Decimal

from worker.states import MessageState, SubmissionOutcome

LEAVES_WITHIN_MS = 500
"""A request leaves so soon after its mark: 250 ms after the commit was sent, and what the mark takes."""
PLANNED_WITHIN_MS = LEAVES_WITHIN_MS + 150
"""So long before the end of its time a message is planned at the latest: its departure is reserved before."""


@dataclass(frozen=True, kw_only=True)
class DueRow:
    """A queued message that may leave now, with its own text (the campaign's filled in)."""

    id: int
    msisdn: str
    text: str
    encoding: str
    parts: int
    attempts: int
    group_limit: int | None
    leave_in_ms: int | None  # the time in which it may leave, when it was read; None: any
    over_in_ms: int | None = None  # until it is not to be planned any more for now; None: ever


@dataclass(frozen=True, kw_only=True)
class Intention:
    """One request to be: a fresh reference and the rows that it is to carry."""

    reference: str
    rows: tuple[DueRow, ...]


@dataclass(frozen=True, kw_only=True)
class Marked:
    """One request that may be written now, with the rows that the ledger granted it."""

    reference: str
    rows: tuple[DueRow, ...]


class Stop(enum.StrEnum):
    """Why a mark was refused as a whole."""

    LEASE_LOST = "lease_lost"
    CONTROL = "control"  # campaign paused or cancelled, or account held


@dataclass(frozen=True, kw_only=True)
class MessageOutcome:
    """What one submission means for one of its messages.

    ``delay_ms`` counts from now and matters for QUEUED only. ``gives_up`` says that this provider is not to
    try it again: it goes to the campaign's fallback, or fails. ``keeps_attempt`` is False where the try does
    not count (a split, a throttle refusal). ``billed_parts`` and ``billed_cost`` are the gateway's own count,
    in its own unit. ``ends_doubt`` says that the gateway has proven it never had the request, which itself
    stays unknown. ``detail`` is the gateway's text, trimmed and free of numbers. ``stops`` says that its
    number wants none any more, or gets none: ``all``, or ``sender`` for those of this sender;
    ``keeps_number`` whether the list of opt-outs may hold it.
    """

    message_id: int
    state: MessageState
    delay_ms: int = 0
    gives_up: bool = False
    keeps_attempt: bool = True
    ends_doubt: bool = False
    group_limit: int | None = None
    provider_ref: str | None = None
    billed_parts: int | None = None
    billed_cost: Decimal | None = None
    code: str | None = None
    detail: str | None = None
    stops: str | None = None
    keeps_number: bool = True


@dataclass(frozen=True, kw_only=True)
class SubmissionResult:
    """One submission's end, with its messages; OPEN says nothing of the submission itself.

    Named by its reference, which is known before the ledger has answered: a mark whose commit got no answer
    is taken back by it, whether it was made or not.
    """

    reference: str
    outcome: SubmissionOutcome
    messages: tuple[MessageOutcome, ...]
    provider_ref: str | None = None
    code: str | None = None
    detail: str | None = None
