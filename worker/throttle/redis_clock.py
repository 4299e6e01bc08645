"""The clock of Redis as it is seen from here: what each answer leaves possible, and no answer's delay."""

from __future__ import annotations

import math
from dataclasses import dataclass

from worker.throttle.limits import SECOND_US

_KNOWN_S = 10.0  # clocks drift apart by a millisecond or so in that time


@dataclass
class RedisClock:
    """How far the clock of this machine is ahead of that of Redis.

    What Redis says of its time was true at some moment between the question and the answer. The quickest
    answers tell the most; by a slow one nothing moves that the quick ones have told, so what was granted with
    it is due when it is due, and not as much later as the answer came.
    """

    _ahead_s: float = math.inf
    _told_at_s: float = -math.inf

    def is_known(self, at_s: float) -> bool:
        """Say whether an answer that came lately is there to judge a slow one by."""
        return at_s - self._told_at_s < _KNOWN_S

    def told(self, now_us: int, *, asked_s: float, answered_s: float) -> float:
        """Return when Redis said this time, on ``clock.elapsed_s``, between question and answer."""
        now_s = now_us / SECOND_US
        ahead_s = min(max(self._ahead_s, asked_s - now_s), answered_s - now_s)
        self._ahead_s, self._told_at_s = ahead_s, answered_s
        return now_s + ahead_s
