"""How far a provider's rates let something go: for a forecast, without jitter, connections and other work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worker.settings import Provider, Rate, rate_text


@dataclass(kw_only=True)
class _Counted:
    """What a longer limit has counted since its time began."""

    amount: int
    window_ms: int
    since_ms: float = 0.0
    used: float = 0.0

    def room(self, at_ms: float) -> float:
        """Return how many units may leave; 0 where none may until ``ends_ms``."""
        if at_ms >= self.ends_ms:
            self.since_ms, self.used = at_ms, 0.0
        return max(self.amount - self.used, 0.0)

    @property
    def ends_ms(self) -> float:
        return self.since_ms + self.window_ms


_ROUNDING = 1e-6


def _together(weight: float) -> int:
    """Return how many leave together at the least: one message, or those of one request."""
    return max(1, int(1 / weight + _ROUNDING))


class Pace:
    """The line of what leaves: a limit of a second paces evenly, a longer one is used up and waited for."""

    def __init__(self, rates: Sequence[Rate]) -> None:
        self._per_ms = min((rate.amount / 1000 for rate in rates if rate.window_s == 1), default=0.0)
        self._longer = [
            _Counted(amount=rate.amount, window_ms=1000 * rate.window_s)
            for rate in rates
            if rate.window_s > 1
        ]
        self._free_ms = 0.0

    def take(self, at_ms: int, n: int, *, weight: float, until_ms: int | None) -> tuple[int, int]:
        """Let messages leave; return how many could, and when the last of them did.

        Args:
            at_ms: not before, epoch ms.
            n: messages.
            weight: units of each; a part of 1 where several are one request.
            until_ms: epoch ms; what has not left by then does not.
        """
        taken, left_ms = 0, float(at_ms)
        while taken < n:
            begins_ms, room = self._room(max(left_ms, self._free_ms))
            if until_ms is not None and begins_ms >= until_ms:
                break
            if self._per_ms and until_ms is not None:
                room = min(room, (until_ms - begins_ms) * self._per_ms)
            step = min(n - taken, max(_together(weight), int(min(room / weight + _ROUNDING, n))))
            taken, left_ms = taken + step, self._use(begins_ms, step, weight=weight)
        return taken, round(left_ms)

    def _use(self, begins_ms: float, n: int, *, weight: float) -> float:
        """Count messages that leave from a moment on; return when the last of them does."""
        for each in self._longer:
            each.used = round(each.used + n * weight, 6)
        self._free_ms = begins_ms
        if not self._per_ms:
            return begins_ms
        self._free_ms += n * weight / self._per_ms
        return begins_ms + max(n * weight - max(weight, 1.0), 0.0) / self._per_ms

    def _room(self, at_ms: float) -> tuple[float, float]:
        """Return from when on something may leave, and how many units at once."""
        while blocked := [each.ends_ms for each in self._longer if not each.room(at_ms)]:
            at_ms = max(blocked)
        return at_ms, min((each.room(at_ms) for each in self._longer), default=float("inf"))


def least_ms(rates: Sequence[Rate], units: int, *, over_ms: int) -> int | None:
    """Return the time over which so many units can be spread evenly, None where the given one will do."""
    tight = (
        rate
        for rate in rates
        if units * 1000 * rate.window_s > rate.amount * max(over_ms, 1000 * rate.window_s)
    )
    return max((-(-units * 1000 * rate.window_s // rate.amount) for rate in tight), default=None)


def rate_in_force(noted: str | None, configured: Provider | None) -> str:
    """Return the rate that the ledger has noted, else that of the settings here; empty is no limit."""
    if noted is not None:
        return noted
    return rate_text(configured.rate) if configured else ""
