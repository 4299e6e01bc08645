"""Work one batch: lease, then plan, mark, submit and record until nothing of it may leave; release."""

from __future__ import annotations

import functools
import logging
import secrets
import string
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field

from worker.clock import Stamp
from worker.errors import InputError, LedgerError, NotSent, OutcomeUnknown, TooLate
from worker.ledger import batches, campaigns, control, intent, trouble
from worker.ledger.engine import LedgerUnavailableError, reading, writing
from worker.ledger.values import DueRow, Intention, Marked, Stop
from worker.sending.books import Books
from worker.sending.conclusions import Conclusions
from worker.sending.desk import Desk
from worker.sending.keep import Keep
from worker.sending.plan import group_rows, parts_differ
from worker.sending.record import Ended, Reply, not_sent, unreachable
from worker.sending.write import LOCKED_S
from worker.waiting import within

_log = logging.getLogger(__name__)
_ALPHABET = string.ascii_lowercase + string.digits
_REFERENCE_LENGTH = 20  # 36 ** 20 is above 2 ** 103: 100 random bits and more
_LEDGER_RETRY_S = 1.0
_LOOK_S = 0.25  # how often a wait looks whether it is to end


def new_reference() -> str:
    """Return a fresh reference for a submission: 20 lower-case letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_REFERENCE_LENGTH))


def send_batch(desk: Desk, batch_id: int) -> int:
    """Work a batch as far as it goes now and return how many requests were made.

    A batch that is leased, done, not due, paused or held is left alone: a repeated task does nothing.
    """
    lease_ms = int(desk.timers.lease * 1000)
    with writing(desk.engine) as connection:
        held = batches.lease(connection, batch_id, owner=desk.owner, lease_ms=lease_ms)
        if held is None:
            return 0
        intent.fail_late(connection, held)
        found = trouble.trouble_of(connection, held.provider)
    books = Books(
        engine=desk.engine,
        keep=Keep(desk.folder),
        should_stop=desk.should_stop,
        providers=desk.providers,
        conclusions=Conclusions(
            engine=desk.engine, timers=desk.timers, held=held, is_counting=found.is_counting
        ),
    )
    work = _Work(desk=desk, held=held, lease_ms=lease_ms, books=books, is_probe=found.is_braked)
    try:
        work.run()
    finally:
        work.finish()
    facts = {"batch_id": batch_id, "fence": held.fence, "n_requests": work.n_requests}
    _log.info("batch worked", extra=facts)
    return work.n_requests


@dataclass(kw_only=True)
class _Work:
    """The state of working one lease: what is planned, what is out, and what is known of it."""

    desk: Desk
    held: batches.Lease
    lease_ms: int
    books: Books
    is_probe: bool  # the account is braked: one message, and then see
    n_requests: int = 0
    planned: deque[tuple[DueRow, ...]] = field(default_factory=deque)
    out: dict[Future[Reply], Marked] = field(default_factory=dict)
    stopped: bool = False
    slice_began_at: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Keep as many requests out as there are permits, recording what came back in between."""
        while True:
            self._send_more()
            if not self.out and (not self.books.unsaved or self.desk.should_stop()):
                return
            self._record_some()

    def finish(self) -> None:
        """Record what is still out and give the batch back, whatever else fails."""
        try:
            while self.out or (self.books.unsaved and not self.desk.should_stop()):
                self._record_some()
        finally:
            wait(self.out)
            self.desk.permits.give_back(len(self.out))
            self.out.clear()
            self.books.save()
            if self.books.unsaved:  # they are on disk, and the sweep opens the batch
                self.books.close()
            else:
                self._release()

    def _release(self) -> None:
        try:
            with writing(self.desk.engine) as connection:
                batches.release(connection, self.held)
        except LedgerError as error:  # the sweep opens it when the lease has run out
            _log.warning("batch not released", extra={"batch_id": self.held.batch_id, "reason": str(error)})

    # --- out

    def _send_more(self) -> None:
        """Open connections and mark a good handful of requests in one commit, when permits are to be had."""
        most = 1 if self.is_probe else self.desk.permits.total
        if self.books.unsaved or self.stopped or self._should_rest() or 2 * len(self.out) > most:
            return
        if not (self.planned or self._plan()):
            return
        n = self._permitted(min(most, len(self.planned)))
        before = len(self.out)
        try:
            if n and self._opened(n):
                self._submit(*self._mark([self.planned.popleft() for _ in range(n)]))
        finally:
            self.desk.permits.give_back(n - (len(self.out) - before))

    def _submit(self, marked: Sequence[Marked], marked_at: Stamp) -> None:
        for each in marked:
            still_ours = functools.partial(marked_at.is_within, self.desk.timers.mark_to_write)
            future = self.desk.pool.submit(self.desk.gateway.submit, self.held, each, still_ours=still_ours)
            self.out[future] = each
            self.n_requests += 1

    def _permitted(self, n_wanted: int) -> int:
        """Take permits; with nothing out, wait for one as long as a slot is waited for."""
        n = 0

        def had_some() -> bool:
            nonlocal n
            n = self.desk.permits.take(n_wanted)
            return n > 0 or self.desk.should_stop()

        within(0.0 if self.out else self.desk.timers.slot_wait, had_some)
        return n

    def _should_rest(self) -> bool:
        """Stop when told to, or when the slice is used up while another batch waits."""
        if self.desk.should_stop():
            self.stopped = True
        elif time.monotonic() - self.slice_began_at > self.desk.timers.slice:
            with reading(self.desk.engine) as connection:
                self.stopped = batches.others_wait(connection, self.held)
            self.slice_began_at = time.monotonic()
        return self.stopped

    def _plan(self) -> bool:
        with reading(self.desk.engine) as connection:
            rows = intent.next_due(connection, self.held, limit=campaigns.BATCH_ROWS)
        if parts_differ(rows):
            self._pause("a text has another number of parts than was previewed")
            return False
        most = 1 if self.is_probe else self.desk.max_recipients
        self.planned.extend(group_rows(rows, max_recipients=most))
        return bool(self.planned)

    def _pause(self, reason: str) -> None:
        self.stopped = True
        try:
            with writing(self.desk.engine) as connection:
                control.pause(connection, self.held.campaign_id, reason=reason, author="worker")
        except (InputError, LedgerError) as error:  # somebody was quicker, or the next lease finds the same
            reason = str(error)
        _log.error("campaign paused", extra={"batch_id": self.held.batch_id, "reason": reason})

    def _opened(self, n: int) -> bool:
        """Open connections before anything is marked: a gateway that is away costs no mark."""
        try:
            self.desk.gateway.open(n=n, pool=self.desk.pool)
        except NotSent as reason:
            self.stopped = True
            self.books.conclusions.hold(unreachable(reason))
            return False
        return True

    def _mark(self, requests: Sequence[tuple[DueRow, ...]]) -> tuple[list[Marked], Stamp]:
        """Mark, and tell when the commit was sent: from then on the time to the first byte is short."""
        intentions = [Intention(reference=new_reference(), rows=rows) for rows in requests]
        try:
            with writing(self.desk.engine, wait_s=LOCKED_S) as connection:
                marked = intent.mark(connection, self.held, intentions, lease_ms=self.lease_ms)
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
        self.books.add(self._answers())
        ends = self.books.save()
        if self.books.was_refused:
            self.stopped = True
        if self.is_probe and any(end.is_answered for end in ends):  # well again: go on at once, as before
            self.is_probe = False
            self.planned.clear()
        refusal = next((end.refusal for end in ends if end.refusal), None)
        if refusal:
            self._pause(refusal)

    def _answers(self) -> list[Ended]:
        """Wait for the next answer; while the ledger is away, only until it is to be tried again."""
        if not self.out:
            within(_LEDGER_RETRY_S if self.books.is_away else 0.0, self.desk.should_stop, every_s=_LOOK_S)
            return []
        done: set[Future[Reply]] = set()

        def has_come() -> bool:
            done.update(wait(self.out, timeout=_LOOK_S, return_when=FIRST_COMPLETED).done)
            return bool(done) or self.desk.should_hurry()

        within(_LEDGER_RETRY_S, has_come, every_s=0.0)
        ended = [future for future in self.out if future in done or self.desk.should_hurry()]
        return [self._judged(future) for future in ended]

    def _judged(self, future: Future[Reply]) -> Ended:
        """Judge a request that has ended; of one that is not waited for nobody knows."""
        reply = future.result() if future.done() else OutcomeUnknown("stopped in a hurry")
        marked = self.out.pop(future)
        self.desk.permits.give_back(1)
        return self.desk.judge.ended(marked, reply)
