"""One call to the throttle: what is asked, what is granted, and how the script reads and writes it; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from worker.throttle.limits import SECOND_US, Limit, Limits

LEASE_BEYOND_US = 10 * SECOND_US
"""Connections of a process that says nothing more expire so long after its last request must have ended."""


class Reason(StrEnum):
    """Why a call got fewer departures than it asked for."""

    NONE = "none"
    RATE = "rate"
    """The next departure by the limit per second is beyond reach."""
    WINDOW = "window"
    """A longer window is full."""
    TURN = "turn"
    """It is the turn of another process that waits."""
    CONNECTIONS = "connections"
    """More would be out than its connections can carry in time; call again when a request has ended."""
    URGENT = "urgent"
    """Urgent work waits; it goes first."""
    NEW = "new"
    """Redis has just begun, lost what it knew, or a longer window was added: wait."""
    HISTORY = "history"
    """Call again, with the history that the ledger has."""


def state_key(account: str) -> str:
    """Return the name of an account's state in Redis; its braces keep it on one node of a cluster."""
    return f"bulksend:{{{account}}}:throttle"


@dataclass(frozen=True, kw_only=True)
class History:
    """What the ledger knows of an account, read after the answer ``history`` came, not before.

    Attributes:
        departed: for each longer window (its ``window_s``) what may have left within it, as pairs of its
            least age in microseconds and its units. Many may be added up into one, as young as the youngest.
        last_us: age of the youngest request of which no end is recorded, -1 when there is none.
    """

    departed: Mapping[int, Sequence[tuple[int, int]]] = field(default_factory=dict)
    last_us: int = -1


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A call for departures; it restates what the process uses. Times in microseconds.

    Attributes:
        account: the key of the account.
        process: random name of the caller, one per process and provider; its calls never overlap.
        limits: what holds now.
        in_use: requests that this process has out now (marked, not ended).
        holds: ``connections`` of the last grant under this name, 0 before the first.
        costs: units of the next requests in their order, some hundreds at most. None only restates; none and
            ``in_use`` 0 gives all connections back.
        lead_us: usual time from this call to the end of the mark's commit; counts as ``reach_us`` at most.
        reach_us: the farthest departure from now.
        deadline_us: the longest time of a request.
        is_urgent: goes before what is not.
        history: only after the answer ``history``.
        depth: how many requests may be out for each connection, 1 or 2: a second one where the first usually
            ends in time for it.
        unused: departures that were granted and at which nothing left, each with its units: these are given
            back. Where ``costs`` has a request, it is one of them and wants another departure: it is out
            already, so neither connections nor urgent work nor turns matter. Nothing is restated, and it may
            overlap other calls.
        begun: of the grant that ``unused`` is from.
    """

    account: str
    process: str
    limits: Limits
    in_use: int
    holds: int
    costs: tuple[int, ...] = ()
    lead_us: int
    reach_us: int
    deadline_us: int
    is_urgent: bool = False
    history: History | None = None
    depth: int = 2
    unused: tuple[tuple[int, int], ...] = ()
    begun: int = 0

    def __post_init__(self) -> None:
        """Refuse what would wait for ever."""
        largest = self.limits.largest
        if largest is not None and max(self.costs, default=0) > largest:
            raise ValueError(f"a request of {max(self.costs)} units never fits a limit of {largest}")

    @property
    def is_exchange(self) -> bool:
        """Whether it gives departures back, for another or for none."""
        return bool(self.unused)

    @property
    def key(self) -> str:
        """Name of the account's state in Redis."""
        return state_key(self.account)

    @property
    def text(self) -> str:
        """What the script reads."""
        call = {
            "process": "" if self.is_exchange else self.process,
            "connections": self.limits.connections,
            "in_use": self.in_use,
            "holds": self.holds,
            "costs": self.costs,
            "interval": self.limits.interval_us,
            "windows": [self._window(window) for window in self.limits.windows],
            "lead": min(self.lead_us, self.reach_us),
            "reach": self.reach_us,
            "fresh": SECOND_US + self.limits.guard_us + self.reach_us,
            "deadline": self.deadline_us,
            "lease": self.deadline_us + LEASE_BEYOND_US,
            "depth": self.depth,
            "urgent": self.is_urgent and not self.is_exchange,
            "first": self.is_urgent or self.is_exchange,
            "exchange": self.is_exchange,
            "unused": self.unused,
            "begun": self.begun,
        }
        return json.dumps(call | ({} if self.history is None else {"last": self.history.last_us}))

    def _window(self, window: Limit) -> dict[str, object]:
        described: dict[str, object] = {"length": self.limits.cell_us(window), "amount": window.amount}
        if self.history is not None and window.window_s in self.history.departed:
            described["past"] = self.history.departed[window.window_s]
        return described


@dataclass(frozen=True, kw_only=True)
class Grant:
    """The answer to an ``Ask``; times on the clock of Redis, in microseconds.

    Attributes:
        departures: when the first requests of ``costs`` leave, one time each; never more than were asked for.
        now: the time of the answer.
        next_in_us: how far the next departure is from now, at least; by this the caller stays or gives up.
        wait_us: how long to wait before the next call is of use.
        connections: how many requests this process may have under way at the same time, from now on.
        begun: when the account's state began; what was granted by an earlier one is not counted any more.
        reason: why there are fewer departures than costs.
        at_s: ``now`` on ``clock.elapsed_s`` of this machine, as closely as the quickest answers tell.
    """

    departures: tuple[int, ...]
    now: int
    next_in_us: int
    wait_us: int
    connections: int
    begun: int
    reason: Reason
    at_s: float

    @classmethod
    def read(cls, reply: Sequence[Any], *, at_s: float) -> Self:
        """Read what the script answered."""
        reason, _, next_in_us, wait_us, connections, begun, *departures = reply
        return cls(
            departures=tuple(departures),
            now=cls.now_of(reply),
            next_in_us=next_in_us,
            wait_us=wait_us,
            connections=connections,
            begun=begun,
            reason=Reason(reason.decode()),
            at_s=at_s,
        )

    @staticmethod
    def now_of(reply: Sequence[Any]) -> int:
        """Return when the script answered."""
        return int(reply[1])

    def local_s(self, departure: int) -> float:
        """Return a departure on ``clock.elapsed_s`` of this machine."""
        return self.at_s + (departure - self.now) / SECOND_US


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How an account stands, for showing.

    Attributes:
        per_second: units that departed within the last second.
        in_use: requests that its processes said to have out at their last call.
        connections: connections that they hold.
        processes: how many they are.
    """

    per_second: int
    in_use: int
    connections: int
    processes: int
