"""Pace: an account's departures and connections, as one process asks the throttle for them (DESIGN 4.8)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from worker.clock import Stamp
from worker.errors import BrokerError
from worker.sending.departures import LATE_S, Departure
from worker.sending.gate import Gate
from worker.throttle.call import Ask, Grant, History, Reason
from worker.throttle.limits import LEAVES_WITHIN_US, SECOND_US, Limits
from worker.throttle.throttle import Throttle

_REACH_S = 0.22  # a departure is at most so far away: the mark's 250 ms without what may go wrong
_FIRST_LEAD_S = 0.02
_FIRST_LATENCY_S = 1.0  # until it is known, as if long: nothing is marked that no connection may be free for
_LONGEST_LEAD_S = 0.12
_FEW = 5  # from which one learns how long something takes
ASKED_AT_ONCE = 256
"""Most requests for which departures are asked for at once."""
_WRITE_S = 0.01  # before the mark is too old, to write in


class Usual:
    """How long something usually takes: quick to learn that it is more, slow to believe that it is less.

    What was assumed before is given up for the longest of the first few, where that is less.
    """

    def __init__(self, first_s: float) -> None:
        self.value_s = first_s
        self._first: list[float] = []  # as long as they are few

    def note(self, seconds: float) -> None:
        """Take in how long it was this time."""
        self.value_s += (seconds - self.value_s) * (0.5 if seconds > self.value_s else 0.05)
        if len(self._first) < _FEW:
            self._first.append(seconds)
            if len(self._first) == _FEW:
                self.value_s = min(self.value_s, max(self._first))


@dataclass(kw_only=True)
class Pace:
    """What one process asks the throttle of one account; reserved by one thread, exchanged by any.

    Attributes:
        throttle: the way to Redis.
        account: the key of the account.
        process: a random name of this process, for this provider.
        deadline_s: of a request.
        mark_s: from the mark to the first byte.
        read_history: what the ledger knows of departures in windows of these lengths; asked after a loss.
    """

    throttle: Throttle
    account: str
    process: str
    deadline_s: float
    mark_s: float
    read_history: Callable[[Sequence[int]], History]
    gate: Gate = field(default_factory=Gate)
    lead: Usual = field(default_factory=lambda: Usual(_FIRST_LEAD_S))
    latency: Usual = field(default_factory=lambda: Usual(_FIRST_LATENCY_S))
    holds: int = 0  # connections

    @property
    def lead_s(self) -> float:
        """From a reservation to the end of its mark, with something to spare."""
        return min(1.25 * self.lead.value_s + 0.002, _LONGEST_LEAD_S, self.reach_s / 2)

    @property
    def reach_s(self) -> float:
        """How far a departure may be."""
        return min(_REACH_S, 0.88 * self.mark_s)

    @property
    def depth(self) -> int:
        """How many requests are marked for each connection: a second one where it is free in time for it."""
        return 2 if self.latency.value_s < self.reach_s / 2 else 1

    def within_reach(self, limits: Limits) -> int:
        """Return the most requests that can need a connection of their own within one reach."""
        interval_us = limits.interval_us
        n_requests = 1 + _us(self.reach_s) // interval_us if interval_us else ASKED_AT_ONCE
        return min(n_requests, limits.connections)

    def reserve(self, limits: Limits, costs: Sequence[int], *, n_out: int, is_urgent: bool) -> Grant:
        """Reserve departures for the first of these requests, and connections to carry them.

        Raises:
            BrokerError: Redis is away.
        """
        ask = self._ask(limits, costs, n_out=n_out, is_urgent=is_urgent)
        grant = self.throttle.reserve(ask)
        if grant.reason is Reason.HISTORY:
            history = self.read_history([window.window_s for window in limits.windows])
            grant = self.throttle.reserve(replace(ask, history=history))
        self._hold(grant)
        return grant

    def _hold(self, grant: Grant) -> None:
        self.holds = grant.connections
        self.gate.set_width(self.holds)

    def departure(self, limits: Limits, grant: Grant, n: int, *, units: int, marked_at: Stamp) -> Departure:
        """Return the n-th departure of a grant, for a request of so many units that was marked."""
        held = [(grant, n)]

        def exchange(left_s: float) -> float | None:
            missed, number = held.pop()  # given back by the call, whatever it is answered
            other = self._exchange(limits, units, missed=missed, n=number, left_s=left_s)
            if other is None:
                return None
            held.append((other, 0))
            return other.local_s(other.departures[0])

        def give_back() -> None:
            for unused, number in held:
                self.give_back(limits, unused, {number: units})

        return Departure(
            at_s=grant.local_s(grant.departures[n]),
            late_s=_late_s(limits),
            marked_at=marked_at,
            mark_s=self.mark_s,
            exchange=exchange,
            give_back=give_back,
        )

    def _exchange(self, limits: Limits, units: int, *, missed: Grant, n: int, left_s: float) -> Grant | None:
        """Give a departure back that a request missed, for another; None when there is none in time."""
        ask = replace(
            self._ask(limits, [units], n_out=0, is_urgent=False),
            unused=((missed.departures[n], units),),
            begun=missed.begun,
            lead_us=0,
            reach_us=_us(max(0.0, min(left_s - _WRITE_S, self.reach_s))),
        )
        try:
            grant = self.throttle.reserve(ask)
        except BrokerError:
            return None
        return grant if grant.departures else None

    def give_back(self, limits: Limits, grant: Grant, unused: Mapping[int, int]) -> None:
        """Give back units of a grant that did not leave, by the number of their departure.

        Longer windows have them again; while Redis is away they are lost.
        """
        given = tuple((grant.departures[n], units) for n, units in unused.items() if units)
        if not given or not limits.windows:
            return
        ask = self._ask(limits, [], n_out=0, is_urgent=False)
        with suppress(BrokerError):
            self.throttle.reserve(replace(ask, unused=given, begun=grant.begun))

    def release(self, limits: Limits, *, n_out: int) -> None:
        """Give back the connections that so many requests do not need.

        Raises:
            BrokerError: Redis is away; they are free when their time is over.
        """
        self._hold(self.throttle.reserve(self._ask(limits, [], n_out=n_out, is_urgent=False)))

    def _ask(self, limits: Limits, costs: Sequence[int], *, n_out: int, is_urgent: bool) -> Ask:
        return Ask(
            account=self.account,
            process=self.process,
            limits=limits,
            in_use=n_out,
            holds=self.holds,
            costs=tuple(costs),
            depth=self.depth,
            lead_us=_us(self.lead_s),
            reach_us=_us(self.reach_s),
            deadline_us=_us(self.deadline_s),
            is_urgent=is_urgent,
        )


def enough_out(grant: Grant, limits: Limits, *, n_out: int) -> float:
    """Return how many may still be out when more departures are asked for, so that a mark is for a handful.

    At a rate they come by themselves, a few at a time, and no connection is to be idle.
    """
    if grant.reason is Reason.CONNECTIONS:
        return n_out * 3 // 4
    return math.inf if limits.interval_us or grant.reason is not Reason.NONE else n_out // 2


def _late_s(limits: Limits) -> float:
    """Return how long after its departure a request may leave, without more in any window than its limit."""
    if limits.interval_us:
        return LATE_S
    return LEAVES_WITHIN_US / SECOND_US if limits.windows else math.inf


def _us(seconds: float) -> int:
    return int(1_000_000 * seconds)
