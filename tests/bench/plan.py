"""Plan: which combinations are run, and for how long; pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from worker.throttle.limits import Limit, Limits

MOST_CONNECTIONS = 1000
"""More than this no provider may have (settings)."""

GUARD_S = 0.025
TIMEOUT_S = 2.0
"""Of a request; a killed process keeps its connections for this and 10 s more."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One combination.

    Attributes:
        per_second: the limit.
        latency_s: of the gateway.
        processes: that send.
        largest: units of the largest request; above 1 they are mixed.
        is_stirred: one process joins late, and one is killed and another takes its place.
    """

    per_second: int
    latency_s: float
    processes: int
    largest: int = 1
    is_stirred: bool = True

    @property
    def name(self) -> str:
        """What it is called, on the command line too."""
        mixed = f" mixed 1-{self.largest}" if self.largest > 1 else ""
        return f"{self.per_second}/s {1000 * self.latency_s:.0f}ms {self.processes}p{mixed}"

    @property
    def connections(self) -> int:
        """Twice what the rate needs, so that what a killed process still holds is to spare."""
        needed = math.ceil(self.per_second * (self.latency_s + 0.3))
        return min(MOST_CONNECTIONS, max(16, 2 * needed))

    def limits(self, guard_s: float) -> Limits:
        """Return what the throttle is told."""
        rates = (Limit(amount=self.per_second, window_s=1),)
        return Limits(rates=rates, guard_s=guard_s, connections=self.connections)


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """How long each part is run, in seconds, and how large it is.

    Attributes:
        departures: each combination without guard, judged by its departure stamps.
        receiver: each combination with the guard, judged at the receiver.
        bare: the bare paced loop beside it.
        celery: each arrangement of Celery, and ours beside it.
        whole: a campaign by real workers.
        sandbox: each simulated gateway, half of it the bare handler beside it.
        rows: of the bulk campaign behind which the urgent message waits.
        minute: of the limit per minute; None: not run.
        due: messages that are due at a time.
        million: messages that wait, for what they cost in memory.
        imported: rows that are previewed and imported.
        compared: numbers that are read quickly and by libphonenumber.
    """

    departures: float
    receiver: float
    bare: float
    celery: float
    whole: float
    sandbox: float
    rows: int
    minute: float | None
    due: int
    million: int
    imported: int
    compared: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One run of the bench."""

    cases: tuple[Case, ...]
    lengths: Lengths


def _case(per_second: int, latency_ms: int, processes: int, largest: int = 1) -> Case:
    return Case(
        per_second=per_second,
        latency_s=latency_ms / 1000,
        processes=processes,
        largest=largest,
        is_stirred=True,
    )


_MIXED = (_case(100, 50, 4, 8),)

SHORT = Plan(
    cases=(_case(10, 0, 1), _case(100, 50, 2), _case(500, 300, 4), *_MIXED),
    lengths=Lengths(
        departures=10,
        receiver=10,
        bare=5,
        celery=10,
        whole=10,
        sandbox=8,
        rows=5_000,
        minute=None,
        due=2_000,
        million=20_000,
        imported=100_000,
        compared=200_000,
    ),
)
_RATES = (10, 100, 500, 1000)
_LATENCIES_MS = (0, 50, 300)
_PROCESSES = (1, 2, 4, 8)
_ROWS = 100_000

DEFAULT = Plan(
    cases=(  # of rate, latency and processes, each two values meet at least once
        *(
            _case(per_second, _LATENCIES_MS[(row + column) % len(_LATENCIES_MS)], processes)
            for row, per_second in enumerate(_RATES)
            for column, processes in enumerate(_PROCESSES)
        ),
        *_MIXED,
    ),
    lengths=Lengths(
        departures=61.5,
        receiver=61.5,
        bare=6,
        celery=20,
        whole=20,
        sandbox=16,
        rows=_ROWS,
        minute=130,
        due=20_000,
        million=1_000_000,
        imported=1_000_000,
        compared=1_000_000,
    ),
)
ALL = Plan(
    cases=tuple(
        _case(per_second, latency_ms, processes)
        for per_second in _RATES
        for latency_ms in _LATENCIES_MS
        for processes in _PROCESSES
    )
    + tuple(_case(per_second, 50, processes, 8) for per_second in (10, 100, 500) for processes in (2, 8)),
    lengths=Lengths(
        departures=61.5,
        receiver=61.5,
        bare=20,
        celery=60,
        whole=60,
        sandbox=60,
        rows=_ROWS,
        minute=190,
        due=20_000,
        million=1_000_000,
        imported=1_000_000,
        compared=1_000_000,
    ),
)
