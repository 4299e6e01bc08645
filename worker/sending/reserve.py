"""Reserve: the next requests of a lease, and departures for them as soon as connections are open."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import Connection

from worker.clock import elapsed_s
from worker.errors import BulksendError
from worker.ledger import intent, openings
from worker.ledger.batches import Lease, others_wait
from worker.ledger.drafts import BATCH_ROWS
from worker.ledger.engine import LedgerUnavailableError, reading, writing
from worker.ledger.values import DueRow
from worker.sending.desk import Desk
from worker.sending.pace import ASKED_AT_ONCE
from worker.sending.plan import group_rows, parts_differ, units_of
from worker.sending.tempo import Tempo
from worker.sending.write import LOCKED_S
from worker.throttle.call import Grant

_HANDFUL_S = 0.05  # in which rows that are due one by one come together: a mark is a commit


class Unsendable(BulksendError):
    """A message can never leave as it was previewed: let the campaign wait for a person."""


@dataclass(frozen=True, kw_only=True)
class Reserved:
    """Requests that are to be marked now: what each costs, and the grant with a departure for each."""

    requests: Sequence[tuple[DueRow, ...]]
    costs: Sequence[int]
    grant: Grant


@dataclass(kw_only=True)
class Reservations:
    """What is planned next within one lease, and the asking for its departures."""

    desk: Desk
    held: Lease
    tempo: Tempo
    is_probe: bool  # the account is braked: one message, and then see
    _planned: deque[tuple[DueRow, ...]] = field(default_factory=deque)
    _has_looked: bool = False  # into the ledger, for what there is
    _is_stale: bool = False  # what was planned has changed: there may be more
    _read_at_s: float = 0.0
    _over_at_s: float = math.inf  # when the first row of the plan cannot leave in time any more
    _next_due_at_s: float | None = None  # when a further row is due, where that is soon

    @property
    def has_more(self) -> bool:
        """Whether requests wait for a departure to be reserved, or are so soon due that one may wait."""
        return bool(self._planned) or self._next_due_at_s is not None or self._is_stale

    @property
    def is_drained(self) -> bool:
        """Whether all that there was to send has its departure: what is queued again by an answer has not."""
        return self._has_looked and not self.has_more

    def end_probe(self) -> None:
        """Go on at once as before: the account is well again."""
        self.is_probe = False
        self.forget_plan()

    def wait_s(self, *, n_out: int) -> float:
        """Return the seconds until departures are to be asked for; infinite: when something has come back."""
        if n_out >= self._most():
            return math.inf
        due_in_s = (self._next_due_at_s or 0.0) - elapsed_s()
        return max(due_in_s, self.tempo.wait_s(n_out=n_out))

    def _most(self) -> int:
        """Most requests that may be out: those that wait for their departure need no connection yet."""
        if self.is_probe:
            return 1
        return self.desk.pace.depth * self.desk.limits.connections

    def reserve(self, *, n_out: int) -> Reserved | None:
        """Reserve departures for a good handful of requests; None when there is nothing to mark now.

        Args:
            n_out: how many requests are out.

        Raises:
            Unsendable: a text was previewed with another number of parts, or the rate is too low for it.
            NotSent: the gateway is away: no departure was asked for.
        """
        self._look(n_out=n_out)
        if self.wait_s(n_out=n_out) > 0 and (n_out or self.has_more):
            return None
        if not self._planned:
            self._plan()
        if not self._planned or self.wait_s(n_out=n_out) > 0:
            return None
        return self._reserve(n_out=n_out)

    def _look(self, *, n_out: int) -> None:
        """See whether the rate is another, and whether there is anything to stay for."""
        if self.tempo.look(n_out=n_out):
            self.forget_plan()  # requests are as large as the rate allows
        if not n_out:
            self.tempo.leave_if_far()
        if elapsed_s() >= self._over_at_s:
            self._drop_over()

    def _drop_over(self) -> None:
        """Take what cannot leave in time any more out of the plan, and let it be decided what becomes of it.

        Its departures would be lost for everybody. Who has the batch next decides where the ledger is away.
        """
        n_before = _n_rows(self._planned)
        self._set_plan(_in_time(self._planned, age_ms=1000 * (elapsed_s() - self._read_at_s)))
        if _n_rows(self._planned) == n_before:  # what was over first has left
            return
        with suppress(LedgerUnavailableError), writing(self.desk.engine, wait_s=LOCKED_S) as connection:
            openings.tidy_held(connection, self.held)

    def _set_plan(self, requests: Iterable[tuple[DueRow, ...]]) -> None:
        self._planned = deque(requests)
        ends_ms = [row.over_in_ms for rows in self._planned for row in rows if row.over_in_ms is not None]
        self._over_at_s = self._read_at_s + min(ends_ms, default=math.inf) / 1000

    def forget_plan(self) -> None:
        """Plan anew before anything more leaves; until then nobody knows that all has its departure."""
        self._set_plan(())
        self._has_looked, self._is_stale = False, True

    def _plan(self) -> None:
        with reading(self.desk.engine) as connection:
            rows = intent.next_due(connection, self.held, limit=BATCH_ROWS)
            self._read_at_s = elapsed_s()
            due_in_s = None if rows else self._due_in_s(connection)
        self._has_looked, self._is_stale = True, False
        self._next_due_at_s = None if due_in_s is None else elapsed_s() + due_in_s
        if parts_differ(rows, udh_bits=self.held.udh_bits):
            raise Unsendable("a text has another number of parts than was previewed")
        most = 1 if self.is_probe else self.desk.max_recipients
        has = self.desk.gateway.adapter.capabilities
        planned = group_rows(
            rows,
            max_recipients=most,
            unit=self.desk.unit,
            grain=self.tempo.limits.grain,
            differs=has.differs,
            reserved=has.reserved,
        )
        self._set_plan(planned)

    def _due_in_s(self, connection: Connection) -> float | None:
        """Return when the next row is due, if that is worth to wait for: nobody else's rows are due now."""
        due_in_ms = intent.next_due_in_ms(connection, self.held)
        if due_in_ms is None or due_in_ms > 1000 * self.desk.timers.slot_wait:
            return None
        if others_wait(connection, self.held):
            return None
        return max(due_in_ms / 1000, _HANDFUL_S)

    def _reserve(self, *, n_out: int) -> Reserved | None:
        n_asked = min(len(self._planned), self._most() - n_out, ASKED_AT_ONCE)
        costs = [units_of(self._planned[n], self.desk.unit) for n in range(n_asked)]
        if any(map(self.tempo.never_fits, costs)):  # a rate that was set after the preview
            raise Unsendable("the provider's rate is too low for a message of so many parts ever to leave")
        if not costs:  # connections have become slower meanwhile
            return None
        self._open(n_asked, n_out=n_out)
        grant = self.tempo.reserve(costs, n_out=n_out)
        if grant is None:
            return None
        requests = [self._planned.popleft() for _ in grant.departures]
        return Reserved(requests=requests, costs=costs[: len(requests)], grant=grant)

    def _open(self, n_asked: int, *, n_out: int) -> None:
        """Open connections before a departure is reserved: a gateway that is away costs neither.

        As many as can be needed within one reach, beside those that are in use.
        """
        within_reach = self.desk.pace.within_reach(self.tempo.limits)
        n = min(n_asked, within_reach, self.desk.limits.connections - n_out)
        if n > 0:
            self.desk.gateway.open(n=n, pool=self.desk.pool)


def _in_time(requests: Iterable[tuple[DueRow, ...]], *, age_ms: float) -> Iterator[tuple[DueRow, ...]]:
    """Return the requests without the rows whose time is over, so long after they were read."""
    for rows in requests:
        kept = tuple(row for row in rows if row.over_in_ms is None or row.over_in_ms > age_ms)
        if kept:
            yield kept


def _n_rows(requests: Iterable[tuple[DueRow, ...]]) -> int:
    return sum(map(len, requests))
