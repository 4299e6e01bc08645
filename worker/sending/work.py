"""Work: the requests of one lease: planned, marked, let go, and recorded until nothing of it may leave."""

from __future__ import annotations

import logging
import secrets
import string
import time
from collections.abc import Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field

from worker.clock import Stamp, elapsed_s
from worker.errors import InputError, LedgerError, NotSent, OutcomeUnknown, TooLate
from worker.ledger import batches, control, intent
from worker.ledger.engine import LedgerUnavailableError, reading, writing
from worker.ledger.values import Intention, Marked, Stop
from worker.sending.books import Books
from worker.sending.departures import Departure
from worker.sending.desk import Desk
from worker.sending.plan import units_of
from worker.sending.record import Ended, Reply, not_sent, unreachable
from worker.sending.reserve import Reservations, Reserved, Unsendable
from worker.sending.tempo import LOOK_S, Tempo
from worker.sending.write import LOCKED_S
from worker.waiting import within

_log = logging.getLogger(__name__)
_ALPHABET = string.ascii_lowercase + string.digits
_REFERENCE_LENGTH = 20  # 36 ** 20 is above 2 ** 103: 100 random bits and more
_LEDGER_RETRY_S = 1.0
_LOOK_S = 0.25  # how often a wait looks whether it is to end
_WAKE_S = 0.02  # how exactly a wait for departures ends: they are asked for well before they come


def new_reference() -> str:
    """Return a fresh reference for a submission: 20 lower-case letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_REFERENCE_LENGTH))


@dataclass(kw_only=True)
class Work:
    """The state of working one lease: what is next, what is out, and what is known of it.

    ``earlier`` is another lease of which nothing more is sent here; it ends with its last answer.
    """

    desk: Desk
    held: batches.Lease
    lease_ms: int
    books: Books
    tempo: Tempo
    reservations: Reservations
    earlier: Work | None = None
    n_requests: int = 0
    out: dict[Future[Reply], Marked] = field(default_factory=dict)
    stopped: bool = False
    rests: bool = False  # it was worked for long enough, and another batch waits
    slice_began_at: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Keep as many requests out as rate and connections allow, recording what came back in between."""
        while self._goes_on():
            self._record_some()

    def run_to_the_last(self) -> bool:
        """Do the same until only answers are to come; say whether the process may go on with another batch.

        Not where it may be its last for now: the account is tried out, the ledger is away, or it is to stop.
        """
        while self._goes_on():
            is_through = self.rests or self.reservations.is_drained
            if is_through and self.earlier is None and not self.books.unsaved:
                return bool(self.out) and not (self.reservations.is_probe or self._is_stopped())
            self._record_some()
        return False

    def _goes_on(self) -> bool:
        self._send_more()
        may_send = self.reservations.has_more and not (self.rests or self._is_stopped())
        waits = self._has_unsaved() or may_send
        return self.n_out > 0 or (waits and not self.desk.should_stop())

    def _is_stopped(self) -> bool:
        return self.stopped or self.tempo.is_over or self.desk.should_stop()

    def _has_unsaved(self) -> bool:
        return bool(self.books.unsaved or (self.earlier and self.earlier.books.unsaved))

    @property
    def n_out(self) -> int:
        """How many requests of this process are out."""
        return len(self.out) + (self.earlier.n_out if self.earlier else 0)

    def finish(self) -> None:
        """Record what is still out and give the batch back, whatever else fails."""
        try:
            while self.n_out or (self._has_unsaved() and not self.desk.should_stop()):
                self._record_some()
        finally:
            for work in filter(None, (self.earlier, self)):
                wait(work.out)
                work.out.clear()
            self.tempo.release(n_out=self.desk.pace.gate.under_way)  # who hurries lets go of some
            for work in filter(None, (self.earlier, self)):
                work.close()

    def close(self) -> None:
        """Give the batch back: nothing of it is out."""
        self.books.save()
        if self.books.unsaved:  # they are on disk, and the sweep opens the batch
            self.books.close()
        else:
            self._release()
        facts = {"batch_id": self.held.batch_id, "fence": self.held.fence, "n_requests": self.n_requests}
        _log.info("batch worked", extra=facts)

    def _release(self) -> None:
        try:
            with writing(self.desk.engine) as connection:
                batches.release(connection, self.held)
        except LedgerError as error:  # the sweep opens it when the lease has run out
            _log.warning("batch not released", extra={"batch_id": self.held.batch_id, "reason": str(error)})

    # --- out

    def _send_more(self) -> None:
        """Reserve departures for a good handful of requests, mark them in one commit, and let them leave."""
        if self._has_unsaved() or self._is_stopped() or self._should_rest():
            return
        try:
            reserved = self.reservations.reserve(n_out=self.n_out)
        except Unsendable as reason:
            self._pause(str(reason))
        except NotSent as reason:
            self.stopped = True
            self.books.conclusions.hold(unreachable(reason))
        else:
            if reserved is not None:
                self._send(reserved)

    def _send(self, reserved: Reserved) -> None:
        intentions = [Intention(reference=new_reference(), rows=rows) for rows in reserved.requests]
        marked, marked_at = self._mark(intentions)
        if not marked:  # what was planned has changed: its departures would be lost for everybody
            self.reservations.forget_plan()
        places = {each.reference: n for n, each in enumerate(intentions)}
        unused = dict(enumerate(reserved.costs))
        for each in marked:
            n, units = places[each.reference], units_of(each.rows, self.desk.unit)
            unused[n] -= units
            departure = self.desk.pace.departure(
                self.tempo.limits, reserved.grant, n, units=units, marked_at=marked_at
            )
            self.out[self.desk.pool.submit(self._carry, each, departure)] = each
        self.n_requests += len(marked)
        self.desk.pace.lead.note(elapsed_s() - reserved.grant.at_s)
        self.desk.pace.give_back(self.tempo.limits, reserved.grant, unused)

    def _carry(self, marked: Marked, departure: Departure) -> Reply:
        """Carry one request, in a thread of the pool."""
        try:
            with self.desk.pace.gate.passed(departure.left_s):
                reply = self.desk.gateway.submit(self.held, marked, before_write=departure.wait)
        except TooLate as reason:
            reply = reason
        if isinstance(reply, NotSent) or departure.left_at_s is None:  # what cannot be written does not leave
            departure.give_back()
        else:
            self.desk.pace.latency.note(elapsed_s() - departure.left_at_s)
        return reply

    def _should_rest(self) -> bool:
        """Say whether the slice is used up while another batch waits."""
        if not self.rests and time.monotonic() - self.slice_began_at > self.desk.timers.slice:
            with reading(self.desk.engine) as connection:
                self.rests = batches.others_wait(connection, self.held)
            self.slice_began_at = time.monotonic()
        return self.rests

    def _pause(self, reason: str) -> None:
        self.stopped = True
        try:
            with writing(self.desk.engine) as connection:
                control.pause(connection, self.held.campaign_id, reason=reason, author="worker")
        except (InputError, LedgerError) as error:  # somebody was quicker, or the next lease finds the same
            reason = str(error)
        _log.error("campaign paused", extra={"batch_id": self.held.batch_id, "reason": reason})

    def _mark(self, intentions: Sequence[Intention]) -> tuple[list[Marked], Stamp]:
        """Mark, and tell when the commit was sent: from then on the time to the first byte is short."""
        try:
            with writing(self.desk.engine, wait_s=LOCKED_S) as connection:
                marked = intent.mark(
                    connection, self.held, intentions, lease_ms=self.lease_ms, login=self.desk.login
                )
                marked_at = Stamp.now()
        except LedgerUnavailableError as error:
            self._take_back(intentions, reason=str(error))
            return [], Stamp.now()
        if isinstance(marked, Stop):
            self.stopped = True
            _log.info("mark refused", extra={"batch_id": self.held.batch_id, "reason": marked.value})
            return [], marked_at
        return marked, marked_at

    def _take_back(self, intentions: Sequence[Intention], *, reason: str) -> None:
        """Say that nothing has left of requests whose mark may stand in the ledger: its answer was lost."""
        self.stopped = True
        _log.warning("mark not answered", extra={"batch_id": self.held.batch_id, "reason": reason})
        unsent = TooLate("the ledger did not answer")
        marked = [Marked(reference=each.reference, rows=each.rows) for each in intentions]
        self.books.add([Ended(result=not_sent(each, unsent)) for each in marked])
        self.books.miss()

    # --- back

    def _record_some(self) -> None:
        """Wait for an answer and write it with what else has come; nothing is forgotten before that."""
        done = self._done()
        if self.earlier is not None:
            self.earlier.record(done)
            if not (self.earlier.out or (self.earlier.books.unsaved and not self.desk.should_stop())):
                self.earlier.close()
                self.earlier = None
        self.record(done)

    def record(self, done: Collection[Future[Reply]]) -> None:
        """Write what these requests came to, as far as they are of this lease."""
        ended = [future for future in self.out if future in done or self.desk.should_hurry()]
        self.books.add([self._judged(future) for future in ended])
        ends = self.books.save()
        if self.books.was_refused:
            self.stopped = True
        if self.reservations.is_probe and any(end.is_answered for end in ends):
            self.reservations.end_probe()
        refusal = next((end.refusal for end in ends if end.refusal), None)
        if refusal:
            self._pause(refusal)
        elif self.desk.refusals.note(self.desk.engine, self.held, ends):
            self.stopped = True

    def _done(self) -> set[Future[Reply]]:
        """Wait for the next answer, or until there is something else to do; return which requests ended."""
        idle_s = self._idle_s()
        out = [*self.out, *(self.earlier.out if self.earlier else ())]
        if not out:
            within(idle_s, self.desk.should_stop, every_s=min(_WAKE_S, idle_s))
            return set()
        done: set[Future[Reply]] = set()
        ends_s = elapsed_s() + idle_s

        def has_come() -> bool:
            look_s = min(_LOOK_S, max(0.0, ends_s - elapsed_s()))
            done.update(wait(out, timeout=look_s, return_when=FIRST_COMPLETED).done)
            return bool(done) or self.desk.should_hurry()

        within(idle_s, has_come, every_s=0.0)
        return done

    def _idle_s(self) -> float:
        """Return how long there is nothing to do but to wait: until ledger or throttle are asked again."""
        if self._is_away():
            return _LEDGER_RETRY_S
        if self.reservations.has_more and not (self.rests or self._is_stopped()):
            return min(self.reservations.wait_s(n_out=self.n_out), LOOK_S)
        return _LEDGER_RETRY_S if self.n_out else 0.0

    def _is_away(self) -> bool:
        return self.books.is_away or bool(self.earlier and self.earlier.books.is_away)

    def _judged(self, future: Future[Reply]) -> Ended:
        """Judge a request that has ended; of one that is not waited for nobody knows."""
        reply = future.result() if future.done() else OutcomeUnknown("stopped in a hurry")
        marked = self.out.pop(future)
        return self.desk.judge.ended(marked, reply, is_one_text=self.held.text is not None)
