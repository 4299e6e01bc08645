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

from worker.clock import elapsed_s
from worker.errors import LedgerError
from worker.ledger import accounts, batches, campaigns, intent, outcomes
from worker.ledger.engine import LedgerUnavailableError, reading, writing
from worker.sending.plan import group_rows, parts_differ
from worker.sending.record import Ended, Hold, Reply, ended
from worker.sending.submit import Gateway
from worker.settings import Timers

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
    pool: ThreadPoolExecutor
    width: int  # concurrent requests of this process
    max_recipients: int
    timeout_s: float
    timers: Timers
    should_stop: Callable[[], bool]


def send_batch(desk: Desk, batch_id: int) -> int:
    """Work a batch as far as it goes now and return how many requests were made.

    A batch that is leased, done, not due, paused or held is left alone: a repeated task does nothing.
    """
    lease_ms = int(desk.timers.lease * 1000)
    with writing(desk.engine) as connection:
        held = batches.lease(connection, batch_id, owner=desk.owner, lease_ms=lease_ms)
    if held is None:
        return 0
    work = _Work(desk=desk, held=held, lease_ms=lease_ms)
    try:
        work.run()
    finally:
        work.finish()
    _log.info(
        "batch worked", extra={"batch_id": batch_id, "fence": held.fence, "n_requests": work.n_requests}
    )
    return work.n_requests


@dataclass(kw_only=True)
class _Work:
    """The state of working one lease: what is planned, and what is out."""

    desk: Desk
    held: batches.Lease
    lease_ms: int
    n_requests: int = 0
    planned: deque[tuple[intent.DueRow, ...]] = field(default_factory=deque)
    out: dict[Future[Reply], intent.Marked] = field(default_factory=dict)
    stopped: bool = False
    started_at: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Keep as many requests out as the process may, recording what came back in between."""
        while True:
            self._mark_and_submit()
            if not self.out:
                return
            self._record(self._wait())

    def finish(self) -> None:
        """Record what is still out and give the batch back."""
        while self.out:
            self._record(self._wait())
        try:
            with writing(self.desk.engine) as connection:
                batches.release(connection, self.held)
        except LedgerUnavailableError:
            _log.warning("batch not released", extra={"batch_id": self.held.batch_id})

    def _mark_and_submit(self) -> None:
        """Mark a good handful of requests in one commit, when there is room for one."""
        room = self.desk.width - len(self.out)
        if self.stopped or self._should_rest() or (self.out and room < max(1, self.desk.width // 2)):
            return
        requests = self._next_requests(room)
        if not requests:
            return
        marked_at = elapsed_s()
        for marked in self._mark(requests):
            still_ours = functools.partial(self._is_ours, marked_at)
            future = self.desk.pool.submit(self.desk.gateway.submit, self.held, marked, still_ours=still_ours)
            self.out[future] = marked
            self.n_requests += 1

    def _should_rest(self) -> bool:
        """Stop when told to, or when the slice is used up while another batch waits."""
        if self.desk.should_stop():
            self.stopped = True
        elif time.monotonic() - self.started_at > self.desk.timers.slice:
            with reading(self.desk.engine) as connection:
                self.stopped = batches.others_wait(connection, self.held)
            self.started_at = time.monotonic()
        return self.stopped

    def _is_ours(self, marked_at: float) -> bool:
        """Say whether the lease, renewed at the mark, outlives a request that begins now."""
        return elapsed_s() - marked_at < self.desk.timers.lease - self.desk.timeout_s

    def _next_requests(self, room: int) -> list[tuple[intent.DueRow, ...]]:
        if not self.planned and not self._plan():
            return []
        return [self.planned.popleft() for _ in range(min(room, len(self.planned)))]

    def _plan(self) -> bool:
        with reading(self.desk.engine) as connection:
            rows = intent.next_due(connection, self.held, limit=campaigns.BATCH_ROWS)
        if parts_differ(rows):
            self._pause("a text has another number of parts than was previewed")
            return False
        self.planned.extend(group_rows(rows, max_recipients=self.desk.max_recipients))
        return bool(self.planned)

    def _pause(self, reason: str) -> None:
        self.stopped = True
        try:
            with writing(self.desk.engine) as connection:
                campaigns.pause(connection, self.held.campaign_id, reason=reason, author="worker")
        except LedgerError as error:  # somebody was quicker, or the next lease finds the same
            reason = str(error)
        _log.error("batch stopped", extra={"batch_id": self.held.batch_id, "reason": reason})

    def _mark(self, requests: Sequence[tuple[intent.DueRow, ...]]) -> list[intent.Marked]:
        intentions = [intent.Intention(reference=new_reference(), rows=rows) for rows in requests]
        with writing(self.desk.engine) as connection:
            marked = intent.mark(connection, self.held, intentions, lease_ms=self.lease_ms)
        if isinstance(marked, intent.Stop):
            self.stopped = True
            _log.info("mark refused", extra={"batch_id": self.held.batch_id, "reason": marked.value})
            return []
        return marked

    def _wait(self) -> list[Ended]:
        done, _ = wait(self.out, return_when=FIRST_COMPLETED)
        return [ended(self.out.pop(future), future.result()) for future in done]

    def _record(self, ends: Sequence[Ended]) -> None:
        self._write(lambda connection: outcomes.record(connection, [end.result for end in ends]))
        holds = [end.hold for end in ends if end.hold is not None]
        if holds:
            self._hold(max(holds, key=lambda hold: hold.pause_s))

    def _hold(self, hold: Hold) -> None:
        """Let the account wait, on every host: nothing is marked for it before the pause is over."""
        provider, pause_ms = self.held.provider, int(hold.pause_s * 1000)
        self._write(
            lambda connection: accounts.hold_account(
                connection, provider, pause_ms=pause_ms, reason=hold.reason
            )
        )
        _log.warning(
            "provider held", extra={"provider": provider, "pause_ms": pause_ms, "reason": hold.reason}
        )

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
