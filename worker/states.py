"""States of messages, batches and campaigns, and the transitions that are allowed: pure data."""

from __future__ import annotations

import enum
from collections.abc import Mapping


class MessageState(enum.StrEnum):
    """Where one message stands; it is in exactly one state at any moment."""

    QUEUED = "queued"
    SUBMITTING = "submitting"  # marked durably, a byte may leave
    ACCEPTED = "accepted"  # the gateway said so
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    EXPIRED = "expired"
    REJECTED = "rejected"  # permanently refused by the gateway
    SUPPRESSED = "suppressed"  # opted out
    UNKNOWN = "unknown"  # the gateway may have acted: never resent blindly
    FAILED = "failed"  # given up by us, or settled so by an operator
    CANCELLED = "cancelled"


class BatchState(enum.StrEnum):
    """Where a batch stands."""

    OPEN = "open"
    LEASED = "leased"
    HELD = "held"
    DONE = "done"  # no row is queued


class CampaignState(enum.StrEnum):
    """Where a campaign stands; done is derived and not stored."""

    IMPORTING = "importing"
    READY = "ready"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DISCARDED = "discarded"


class Lane(enum.StrEnum):
    """Which campaigns of a provider go first."""

    BULK = "bulk"
    URGENT = "urgent"


class Late(enum.StrEnum):
    """What happens to what is due when its start was missed."""

    SEND = "send"
    SKIP = "skip"  # it is given up
    HOLD = "hold"  # a person decides


class SubmissionOutcome(enum.StrEnum):
    """What became of one request."""

    OPEN = "open"  # marked, no outcome recorded yet
    ANSWERED = "answered"  # the gateway told the outcome of a recipient at least, not always of each
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class PushOutcome(enum.StrEnum):
    """What became of a delivery report that a gateway pushed."""

    MATCHED = "matched"  # what it says is in the ledger
    UNKNOWN = "unknown"  # it is of no message that we know of, so far
    UNREADABLE = "unreadable"


class Taking(enum.StrEnum):
    """What became of the wish that the gateway gives back what it keeps until its time."""

    BACK = "back"  # it will not leave
    TOO_LATE = "too_late"
    UNCLEAR = "unclear"  # told, and nothing is known of it: it may be asked again


class OptOutSource(enum.StrEnum):
    """Who said that a number wants no messages."""

    OPERATOR = "operator"
    IMPORT = "import"
    GATEWAY = "gateway"  # it refused the number as opted out or blocked
    REPLY = "reply"  # its owner


_M = MessageState

PROVEN = frozenset({_M.ACCEPTED, _M.DELIVERED, _M.UNDELIVERED, _M.EXPIRED})
"""The gateway has the message: nothing but the gateway's own word changes it any more."""

MAY_HAVE_LEFT = PROVEN | {_M.SUBMITTING, _M.UNKNOWN}
"""The gateway has the message, or nobody can say that it has not."""

OPEN_STATES = frozenset({_M.QUEUED, _M.SUBMITTING})
"""A campaign with a row in one of these is not done."""

_DELIVERY = frozenset({_M.DELIVERED, _M.UNDELIVERED, _M.EXPIRED})

MESSAGE_TRANSITIONS: Mapping[MessageState, frozenset[MessageState]] = {
    _M.QUEUED: frozenset({_M.SUBMITTING, _M.SUPPRESSED, _M.CANCELLED, _M.FAILED, *PROVEN}),
    _M.SUBMITTING: frozenset(
        {_M.QUEUED, _M.REJECTED, _M.SUPPRESSED, _M.UNKNOWN, _M.FAILED, _M.CANCELLED, *PROVEN}
    ),
    _M.UNKNOWN: frozenset({_M.QUEUED, _M.REJECTED, _M.SUPPRESSED, _M.FAILED, _M.CANCELLED, *PROVEN}),
    _M.ACCEPTED: _DELIVERY | {_M.CANCELLED},
    _M.DELIVERED: frozenset(),
    _M.UNDELIVERED: frozenset({_M.DELIVERED}),
    _M.EXPIRED: frozenset({_M.UNDELIVERED, _M.DELIVERED}),
    _M.REJECTED: frozenset({_M.QUEUED, *PROVEN}),
    _M.SUPPRESSED: PROVEN,
    _M.FAILED: frozenset({_M.QUEUED, *PROVEN}),
    _M.CANCELLED: PROVEN,
}
"""From state to the states it may become. Proof of acceptance counts from any state not yet proven.

Words about delivery are ordered by how much they tell, so that they lead to the same state in any order: that
the time ran out, that it failed, that it arrived.
"""

_C = CampaignState

NEVER_RELEASED = frozenset({_C.IMPORTING, _C.DISCARDED})
"""Nothing of such a campaign was ever to leave: its import goes on, or was given up."""

CAMPAIGN_TRANSITIONS: Mapping[CampaignState, frozenset[CampaignState]] = {
    _C.IMPORTING: frozenset({_C.READY, _C.RUNNING, _C.DISCARDED}),
    _C.READY: frozenset({_C.RUNNING, _C.CANCELLED, _C.DISCARDED}),
    _C.RUNNING: frozenset({_C.PAUSED, _C.CANCELLED}),
    _C.PAUSED: frozenset({_C.RUNNING, _C.CANCELLED}),
    _C.CANCELLED: frozenset(),
    _C.DISCARDED: frozenset(),
}


def after_outcome(
    current: MessageState, outcome: MessageState, *, is_current: bool, is_cancelled: bool
) -> MessageState | None:
    """Return the state a message takes when the outcome of a submission is recorded, or None for no change.

    Args:
        current: the state of the row now.
        outcome: what the submission's result asks for.
        is_current: whether the submission is the message's current one. An acceptance counts from any
            submission; everything else only from the current one, so that a late word about an old request
            never frees a message that a newer request carries.
        is_cancelled: whether its campaign is cancelled, or the message withdrawn; every way back to QUEUED
            then ends in CANCELLED.
    """
    if outcome in PROVEN:
        return None if outcome is current or outcome not in MESSAGE_TRANSITIONS[current] else outcome
    if not is_current or current not in {_M.SUBMITTING, _M.UNKNOWN} or outcome is current:
        return None
    return _M.CANCELLED if outcome is _M.QUEUED and is_cancelled else outcome


def is_doubled(current: MessageState, outcome: MessageState, *, is_current: bool) -> bool:
    """Say whether a proof of acceptance means that two requests with the message may have been accepted.

    It comes from another submission than the current one, which is out, or unknown, or accepted itself.
    """
    return outcome in PROVEN and not is_current and current in MAY_HAVE_LEFT
