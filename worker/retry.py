"""Retry: when a message that was refused for now is tried again, and when no more; pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How often a message is tried, and how long it waits in between at most."""

    attempts: int  # in all
    first_s: float  # the longest pause before the second attempt; it doubles with each
    longest_s: float


def delay_s(
    policy: Policy,
    *,
    attempts: int,
    random: Callable[[], float],
    retry_after_s: float | None = None,
    leave_in_s: float | None = None,
) -> float | None:
    """Return the pause before the next attempt, None when there is to be none.

    Full jitter: anything between nothing and a bound that doubles with each attempt up to a cap, so that what
    was refused together does not come back together. What the gateway asked for comes on top.

    Args:
        policy: attempts and pauses.
        attempts: those that were made and count.
        random: gives a number from 0 to 1.
        retry_after_s: the pause that the gateway asked for.
        leave_in_s: the time that is left in which the message may leave; the attempt fits into it.
    """
    if attempts >= policy.attempts:
        return None
    asked_s = retry_after_s or 0.0
    bound_s = min(policy.longest_s, policy.first_s * 2 ** min(attempts - 1, 60))
    if leave_in_s is not None:
        bound_s = min(bound_s, leave_in_s - asked_s)
    return asked_s + random() * bound_s if bound_s > 0 else None
