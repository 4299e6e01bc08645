"""Tempo: at which rate one lease goes, and when it asks for departures again."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from worker.clock import elapsed_s
from worker.errors import BrokerError, LedgerError
from worker.ledger import rates, turns
from worker.ledger.batches import Lease
from worker.ledger.engine import reading, writing
from worker.sending.desk import Desk
from worker.sending.pace import enough_out
from worker.settings import rates_of
from worker.throttle.call import Grant, Reason
from worker.throttle.limits import Limit, Limits

_log = logging.getLogger(__name__)
LOOK_S = 0.5
"""How often to look at the rate in force: it holds within a second of the order."""
_LOOK_AGAIN_S = 0.05
_BACK_EARLY_S = 1.5  # a batch given back is leased again after a tick and the way through Redis


def in_force(limits: Limits, rate: str | None) -> Limits:
    """Return the limits of the settings with the rate that the ledger has, if it has one."""
    if rate is None:
        return limits
    found = (Limit(amount=each.amount, window_s=each.window_s) for each in rates_of(rate))
    return replace(limits, rates=tuple(found))


@dataclass(kw_only=True)
class Tempo:
    """The departures of one lease."""

    desk: Desk
    held: Lease
    limits: Limits
    is_over: bool = False  # nothing more leaves within this lease
    _ask_at_s: float = 0.0
    _looked_at_s: float = 0.0
    _next_at_s: float = 0.0  # the next departure, where it is known
    _most_out: float = math.inf  # requests, when departures are asked for
    _rate: str | None = None  # in force, as the ledger has it
    _short_since_s: float | None = None

    def wait_s(self, *, n_out: int) -> float:
        """Return the seconds until departures are to be asked for, with so many requests out.

        That is when the next one is near; and where connections are what is short, when there is room for a
        good handful.
        """
        if self.is_over or n_out > self._most_out:
            return math.inf
        return max(0.0, self._ask_at_s - elapsed_s())

    def look(self, *, n_out: int) -> bool:
        """Look, not too often, at the rate in force and for urgent work; say whether the rate is another."""
        if elapsed_s() - self._looked_at_s < LOOK_S:
            return False
        with reading(self.desk.engine) as connection:
            text = rates.effective(connection, self.held.provider)
            yields = not self.held.is_urgent and self._urgent_waits(connection)
        self._looked_at_s = elapsed_s()
        self._rate = text
        before, self.limits = self.limits, in_force(self.desk.limits, text)
        if self.limits != before:
            self._ask_at_s = self._next_at_s = 0.0
        if yields:
            self._yield(n_out=n_out)
        return self.limits != before

    def _urgent_waits(self, connection: Connection) -> bool:
        return turns.urgent_waits(connection, self.desk.pace.account, served=self.desk.providers)

    def _yield(self, *, n_out: int) -> None:
        """Let urgent work go first, with the connections that it may need, and look again soon.

        It is leased within a moment, and a trickle of it must not keep bulk waiting from look to look.
        """
        self.release(n_out=n_out)
        self._ask_at_s = self._looked_at_s + _LOOK_AGAIN_S
        self._looked_at_s -= LOOK_S - _LOOK_AGAIN_S
        self._note_short()

    def never_fits(self, units: int) -> bool:
        """Say whether a request of so many units could never leave at this rate."""
        return self.limits.largest is not None and units > self.limits.largest

    def reserve(self, costs: Sequence[int], *, n_out: int) -> Grant | None:
        """Reserve departures for the first of these requests; None when there are none now."""
        try:
            grant = self.desk.pace.reserve(self.limits, costs, n_out=n_out, is_urgent=self.held.is_urgent)
        except BrokerError as error:  # nothing leaves without it
            _log.warning("no departures", extra={"batch_id": self.held.batch_id, "reason": str(error)})
            self.is_over = True
            return None
        self._ask_at_s = grant.at_s + grant.wait_us / 1_000_000
        n_after = n_out + len(grant.departures)
        self._most_out = enough_out(grant, self.limits, n_out=n_after)
        is_known = grant.reason in {Reason.RATE, Reason.WINDOW}
        self._next_at_s = grant.at_s + grant.next_in_us / 1_000_000 if is_known else 0.0
        if grant.departures:
            self._short_since_s = None
            return grant
        if not n_out:
            self._note_short()
        return None

    def leave_if_far(self) -> None:
        """Give the lease back while the next departure is far, instead of a child that sleeps for it."""
        far_s = self._next_at_s - elapsed_s()
        if far_s > self.desk.timers.slot_wait:
            self.is_over = True
            self._note_throttled(far_s - _BACK_EARLY_S)

    def _note_short(self) -> None:
        """Give the lease back after so long without a departure: it would run out."""
        self._short_since_s = self._short_since_s or elapsed_s()
        if elapsed_s() - self._short_since_s > self.desk.timers.slice:
            self.is_over = True

    def _note_throttled(self, wait_s: float) -> None:
        """Let nobody lease anything of the account before the next departure is near."""
        reason = f"{self._rate or 'its rate'} is used up"
        try:
            with writing(self.desk.engine) as connection:
                rates.note_throttled(
                    connection,
                    self.desk.pace.account,
                    wait_ms=int(1000 * wait_s),
                    reason=reason,
                    rate=self._rate,
                )
        except LedgerError as error:
            _log.warning("wait not noted", extra={"reason": str(error)})

    def release(self, *, n_out: int) -> None:
        """Give the connections back that so many requests do not need."""
        try:
            self.desk.pace.release(self.limits, n_out=n_out)
        except BrokerError as error:  # they are free when their time is over
            _log.warning("connections not given back", extra={"reason": str(error)})
