"""Limits: what an account may send, and what follows from it for one request; pure (DESIGN 4.8)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

CELLS = 120
"""So many cells count a window that is longer than a second."""

SECOND_US = 1_000_000
LEAVES_WITHIN_US = 250_000
"""The longest time from a departure to the first byte, where any moment is right."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """At most so many units in any window of so long."""

    amount: int
    window_s: int


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one account may do.

    Attributes:
        rates: all of them hold at once; empty means no limit of units.
        guard_s: every window is kept longer by this, for jitter on the way to the gateway.
        connections: requests under way at the same time, over all processes.
    """

    rates: tuple[Limit, ...]
    guard_s: float
    connections: int

    @property
    def guard_us(self) -> int:
        """The guard in whole microseconds."""
        return round(self.guard_s * SECOND_US)

    @property
    def interval_us(self) -> int:
        """Time between two units by the tightest limit per second, rounded up; 0 where there is none."""
        amounts = [rate.amount for rate in self.rates if rate.window_s == 1]
        return -(-(SECOND_US + self.guard_us) // min(amounts)) if amounts else 0

    @property
    def windows(self) -> tuple[Limit, ...]:
        """The limits of windows longer than a second, the tightest of each length, the shortest first."""
        tightest: dict[int, Limit] = {}
        for rate in sorted(self.rates, key=lambda rate: (rate.window_s, -rate.amount)):
            tightest[rate.window_s] = rate
        return tuple(rate for window_s, rate in tightest.items() if window_s > 1)

    def cell_us(self, window: Limit) -> int:
        """Return the length of one cell of this window, rounded up.

        Where no limit per second sets a pace, a request may leave at any moment of its mark's time.
        """
        spread_us = 0 if self.interval_us else LEAVES_WITHIN_US
        return -(-(window.window_s * SECOND_US + self.guard_us + spread_us) // CELLS)

    @property
    def grain(self) -> int | None:
        """The most units of one request, None without limits; one message may leave whatever it costs.

        It is the allowance of one second in the shortest window, and one cell of each longer window at most:
        so the other requests of the window stay near their even pace. 0 means one message per request.
        """
        if not self.rates:
            return None
        shortest = min(rate.window_s for rate in self.rates)
        return min(
            int(Fraction(rate.amount, rate.window_s)) if rate.window_s == shortest else rate.amount // CELLS
            for rate in self.rates
        )

    @property
    def largest(self) -> int | None:
        """The units of the largest message that can ever leave: the smallest longer window, None without."""
        return min((window.amount for window in self.windows), default=None)
