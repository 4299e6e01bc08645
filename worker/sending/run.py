"""Work one batch: lease, then plan, mark, submit and record until nothing of it may leave; release."""

from __future__ import annotations

import functools
import logging
import secrets
import string
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine

from worker.clock import Stamp
from worker.errors import InputError, LedgerError, NotSent, TooLate
from worker.ledger import accounts, batches, campaigns, control, intent, outcomes
from worker.ledger.engine import LedgerUnavailableError, reading, writing
from worker.ledger.values import DueRow, Intention, Marked, Stop
from worker.sending.permits import Permits
from worker.sending.plan import group_rows, parts_differ
from worker.sending.record import TROUBLE_PAUSE_S, Ended, Hold, Reply, ended, unreachable
from worker.sending.submit import Gateway
from worker.settings import Timers
from worker.states import SubmissionOutcome
from worker.waiting import within

_log = logging.getLogger(__name__)
_ALPHABET = string.ascii_lowercase + string.digits
_REFERENCE_LENGTH = 20  # 36 ** 20 is above 2 ** 103: 100 random bits and more
_LEDGER_RETRY_S = 1.0


def new_reference() -> str:
    """Return a fresh reference for a submission: 20 lower-case letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_REFERENCE_LENGTH))


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What a worker process needs to send for one account."""

    engine: Engine
    owner: str
    gateway: Gateway
    pool: ThreadPoolExecutor  # as many threads as there are permits
    permits: Permits
    max_recipients: int
    timers: Timers
    should_stop: Callable[[], bool]


def send_batch(desk: Desk, batch_id: int) -> int:
    """Work a batch as far as it goes now and return how many requests were made.

    A batch that is leased, done, not due, paused or held is left alone: a repeated task does nothing.
    """
    lease_ms = int(desk.timers.lease * 1000)
    with writing(desk.engine) as connection:
        held = batches.lease(connection, batch_id, owner=desk.owner, lease_ms=lease_ms)
        trouble = accounts.trouble_of(connection, held.provider) if held else accounts.Trouble()
    if held is None:
        return 0
    work = _Work(desk=desk, held=held, lease_ms=lease_ms, trouble=trouble, is_probe=trouble.is_braked)
    try:
        work.run()
    finally:
        work.finish()
    facts = {"batch_id": batch_id, "fence": held.fence, "n_requests": work.n_requests}
    _log.info("batch worked", extra=facts)
    return work.n_requests


@dataclass(kw_only=True)
class _Work:
    """The state of working one lease: what is planned, and what is out."""

    desk: Desk
    held: batches.Lease
    lease_ms: int
    trouble: accounts.Trouble  # of the account when the batch was leased
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
            if not self.out:
                return
            self._record_some()

    def finish(self) -> None:
        """Record what is still out and give the batch back, whatever else fails."""
        try:
            while self.out:
                self._record_some()
        finally:
            wait(self.out)
            self.desk.permits.give_back(len(self.out))
            self.out.clear()
            self._release()

    def _release(self) -> None:
        try:
            with writing(self.desk.engine) as connection:
                batches.release(connection, self.held)
        except LedgerError as error:  # the sweep opens it when the lease has run out
            _log.warning("batch not released", extra={"batch_id": self.held.batch_id, "reason": str(error)})

    def _send_more(self) -> None:
        """Open connections and mark a good handful of requests in one commit, when permits are to be had."""
        most = 1 if self.is_probe else self.desk.permits.total
        if self.stopped or self._should_rest() or 2 * len(self.out) > most:
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
            try:
                future = self.desk.pool.submit(
                    self.desk.gateway.submit, self.held, each, still_ours=still_ours
                )
            except RuntimeError:  # no thread is to be had
                self._save([ended(each, TooLate("there was no thread to send with"))])
                continue
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
            self._hold(unreachable(reason))
            return False
        return True

    def _mark(self, requests: Sequence[tuple[DueRow, ...]]) -> tuple[list[Marked], Stamp]:
        """Mark, and tell when the commit was sent: from then on the time to the first byte is short."""
        intentions = [Intention(reference=new_reference(), rows=rows) for rows in requests]
        with writing(self.desk.engine) as connection:
            marked = intent.mark(connection, self.held, intentions, lease_ms=self.lease_ms)
            marked_at = Stamp.now()
        if isinstance(marked, Stop):
            self.stopped = True
            _log.info("mark refused", extra={"batch_id": self.held.batch_id, "reason": marked.value})
            return [], marked_at
        return marked, marked_at

    def _record_some(self) -> None:
        """Wait for an answer and write it with what else has come; nothing is forgotten before that."""
        done, _ = wait(self.out, return_when=FIRST_COMPLETED)
        answered = [future for future in self.out if future in done]
        ends = [ended(self.out[future], future.result()) for future in answered]
        self._save(ends)
        for future in answered:
            del self.out[future]
        self.desk.permits.give_back(len(answered))
        self._note(ends)
        holds = [end.hold for end in ends if end.hold is not None]
        if holds:
            self._hold(max(holds, key=lambda hold: hold.pause_s))
        refusal = next((end.refusal for end in ends if end.refusal), None)
        if refusal and not self.stopped:
            self._pause(refusal)

    def _save(self, ends: Sequence[Ended]) -> None:
        """Write outcomes together; one that the ledger refuses takes no other with it."""
        try:
            self._write(lambda connection: outcomes.record(connection, [end.result for end in ends]))
        except LedgerError as error:
            if len(ends) > 1:
                for end in ends:
                    self._save([end])
                return
            self.stopped = True  # its rows become UNKNOWN when the lease has run out
            _log.error("outcome refused", extra={"batch_id": self.held.batch_id, "reason": str(error)})
            self._hold(
                Hold(pause_s=TROUBLE_PAUSE_S, reason="the ledger refuses outcomes: see the worker's log")
            )

    def _note(self, ends: Sequence[Ended]) -> None:
        """Count what could not be read; look at the account only when there is something to count."""
        written = [end for end in ends if end.result.outcome is not SubmissionOutcome.NOT_SENT]
        if len(written) < len(ends):
            _log.warning("requests not sent", extra={"n_requests": len(ends) - len(written)})
        clear = [end.is_clear for end in written]
        if self.is_probe and clear and clear[-1]:  # the gateway is well again: go on at once, as before
            self.is_probe = False
            self.planned.clear()
        if self.trouble.is_counting or not all(clear):
            self.trouble = accounts.Trouble(is_counting=True)
            self._write(lambda connection: accounts.note_answers(connection, self.held.provider, clear))

    def _hold(self, hold: Hold) -> None:
        """Let the account wait, on every host: nothing is marked for it before the pause is over."""
        provider, pause_ms = self.held.provider, int(hold.pause_s * 1000)
        try:
            self._write(
                lambda connection: accounts.hold_account(
                    connection, provider, pause_ms=pause_ms, reason=hold.reason
                )
            )
        except LedgerError as error:
            _log.error("provider not held", extra={"provider": provider, "reason": str(error)})
            return
        facts = {"provider": provider, "pause_ms": pause_ms, "reason": hold.reason}
        _log.warning("provider held", extra=facts)

    def _write(self, change: Callable[[Connection], object]) -> None:
        """Write what is known; while the database is away it is kept, and nothing else is marked."""
        while True:
            try:
                with writing(self.desk.engine) as connection:
                    change(connection)
            except LedgerUnavailableError:
                _log.warning("outcomes wait for the ledger", extra={"batch_id": self.held.batch_id})
                time.sleep(_LEDGER_RETRY_S)
            else:
                return
