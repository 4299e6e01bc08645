"""The one place that publishes: a hint is a batch id in its provider's queue; and the tick that repeats it.

The ledger is the queue. A hint that is lost is published again, one that is repeated finds nothing to lease.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from sqlalchemy import Engine

from worker.app import SEND_BATCH, make_app, queue_of
from worker.clock import elapsed_s, instant
from worker.errors import BrokerError, ConfigError, LedgerError
from worker.ledger import batches, failover, hints, letting, missed, openings
from worker.ledger.engine import reading, writing
from worker.providers import children_of
from worker.settings import Settings, Timers
from worker.states import Lane, Late

_log = logging.getLogger(__name__)
_HINTS_PER_CHILD = 4
_HANDED_OVER_AT_ONCE = 5  # batches
_SKIPS_FOR_S = 0.5  # in one round
_TIDIED_AT_ONCE = 5  # batches
_READY_MS = 500  # in which a worker gets ready for its first batch: each of its processes, all at once
_TAKEN_S = 2.0  # a worker that took a hint has leased its batch by then


@dataclass(frozen=True, kw_only=True)
class Dispatcher:
    """Publishes what is due and sweeps what was abandoned; any number may run at once."""

    engine: Engine
    app: Celery
    timers: Timers
    children: int
    warm: Callable[[str], None] = lambda _provider: None  # called a moment before something is due

    @classmethod
    def of(cls, settings: Settings, *, engine: Engine, broker: str) -> Self:
        """Make the dispatcher of an installation; connects to nothing yet."""
        app = make_app(broker, settings.timers)
        return cls(engine=engine, app=app, timers=settings.timers, children=children_of(settings))

    def publish_due(self, provider: str) -> int:
        """Publish hints for a provider's due batches, urgent ones first, no more than its workers soon take.

        Returns:
            how many hints went out.

        Raises:
            BrokerError: Redis is away; the hints are repeated by the tick.
        """
        return sum(self._publish(provider, lane) for lane in (Lane.URGENT, Lane.BULK))

    def _publish(self, provider: str, lane: Lane) -> int:
        self._forget_lost(provider, lane)
        read_at_s = time.time()
        found = self._find(provider, lane)
        if not found:
            return 0
        if any(batch.due_in_ms for batch in found):
            self.warm(provider)
        ids = [batch.id for batch in found]
        with writing(self.engine) as connection:
            hints.note_published(connection, ids)
        try:
            self._send(queue_of(provider, lane), found, read_at_s=read_at_s)
        except BrokerError:  # nothing waits for an answer: they are published again once Redis is back
            with writing(self.engine) as connection:
                hints.forget_published(connection, ids)
            raise
        return len(found)

    def _forget_lost(self, provider: str, lane: Lane) -> None:
        """Let hints be repeated at once that Redis has lost: its queue is empty, and nobody took them."""
        taken_by_now_ms = _ms(_TAKEN_S)
        with reading(self.engine) as connection:
            waiting = hints.still_out(connection, provider, lane=lane, older_than_ms=taken_by_now_ms)
        if waiting and self._queue_is_empty(queue_of(provider, lane)):
            with writing(self.engine) as connection:
                hints.forget_published(connection, waiting)
            _log.info("hints lost", extra={"provider": provider, "n_batches": len(waiting)})

    def _queue_is_empty(self, queue: str) -> bool:
        try:
            with self.app.connection_for_write() as connection:
                channel: Any = connection.default_channel  # of kombu's Redis transport
                return not channel.client.llen(queue)
        except (OperationalError, RedisError, OSError):
            return False

    def _find(self, provider: str, lane: Lane) -> list[hints.DueBatch]:
        reach = hints.Reach(
            horizon_ms=_ms(self.timers.horizon),
            repeat_ms=_ms(self.timers.hint_repeat),
            late_ms=_ms(self.timers.late),
        )
        room = _HINTS_PER_CHILD * self.children
        with reading(self.engine) as connection:
            return hints.due_for_hints(connection, provider, lane=lane, reach=reach, limit=room)

    def _send(self, queue: str, found: Sequence[hints.DueBatch], *, read_at_s: float) -> None:
        """Send hints; what is not due yet gets its time by our clock, as that of a worker beside us goes.

        A little before it: who takes the hint gets ready, and waits.
        """
        try:
            with self.app.producer_pool.acquire(block=True, timeout=10) as producer:
                for batch in found:
                    self.app.send_task(
                        SEND_BATCH,
                        args=[batch.id],
                        queue=queue,
                        eta=_eta(batch, read_at_s=read_at_s),
                        producer=producer,
                        retry=False,
                    )
        except OperationalError as error:
            raise BrokerError(
                f"Redis cannot be reached ({type(error.__cause__ or error).__name__}): check `broker`"
            ) from None

    def decide_missed(self) -> None:
        """Decide about starts that were missed, as their campaigns were told to."""
        late_ms = _ms(self.timers.late)
        with reading(self.engine) as connection:
            starts = missed.missed_starts(connection, late_ms=late_ms)
        for start in starts:
            facts = {"campaign_id": start.campaign_id}
            if start.is_behind:
                with writing(self.engine) as connection:
                    missed.let_go_on(connection, start.campaign_id)
            elif start.late is Late.SKIP:
                _log.warning("missed start skipped", extra={**facts, "n_messages": self._skip(start)})
            else:
                with writing(self.engine) as connection:
                    missed.hold(connection, start, late_ms=late_ms)
                _log.warning("campaign held, its start was missed", extra=facts)

    def _skip(self, start: missed.MissedStart) -> int:
        """Give up what was missed, batch by batch, for as long as nothing else has to wait much for it."""
        audit, n_skipped = missed.skip_audit(start), 0
        ends_s = elapsed_s() + _SKIPS_FOR_S
        while elapsed_s() < ends_s:
            with writing(self.engine) as connection:
                n = missed.skip(connection, start, audit, late_ms=_ms(self.timers.late))
            if n is None:
                break
            n_skipped += n
        return n_skipped

    def tidy_overdue(self) -> openings.Overdue:
        """Decide about messages that could not leave in their time, in batches that nobody works on."""
        with reading(self.engine) as connection:
            batch_ids = openings.overdue_batches(connection, limit=_TIDIED_AT_ONCE)
        moved = failed = 0
        for batch_id in batch_ids:
            try:
                with writing(self.engine) as connection:
                    done = openings.tidy(connection, batch_id)
            except ConfigError as error:  # of one campaign, which waits for a person; the others go on
                _log.error("windows not read", extra={"batch_id": batch_id, "reason": str(error)})
                with writing(self.engine) as connection:
                    openings.hold_unread(connection, batch_id, reason=str(error))
                continue
            moved, failed = moved + done.moved, failed + done.failed
        return openings.Overdue(moved=moved, failed=failed)

    def open_added(self) -> None:
        """Open what was let in of a further file by a program that was killed then."""
        with reading(self.engine) as connection:
            campaign_id = letting.half_open(connection)
        if campaign_id is not None:
            with writing(self.engine) as connection:
                letting.open_some(connection, campaign_id)

    def sweep(self) -> int:
        """Open the batches whose worker is gone; returns how many."""
        with reading(self.engine) as connection:
            if not batches.has_expired(connection):
                return 0
        with writing(self.engine) as connection:
            return batches.sweep(connection)

    def hand_over(self, provider: str, *, providers: Sequence[str]) -> int:
        """Give due messages of a provider that takes nothing to those of ``providers`` that stand in for it.

        A few batches a round, one a transaction: whoever marks waits for it.

        Returns:
            how many messages were moved.
        """
        closed_ms = _ms(self.timers.failover)
        with reading(self.engine) as connection:
            if not failover.waits_for_fallback(
                connection, provider, closed_ms=closed_ms, providers=providers
            ):
                return 0
        n_messages = 0
        for _ in range(_HANDED_OVER_AT_ONCE):
            with writing(self.engine) as connection:
                n_moved = failover.hand_over(connection, provider, closed_ms=closed_ms, providers=providers)
            if not n_moved:
                break
            n_messages += n_moved
        return n_messages

    def tick(self, providers: Sequence[str]) -> None:
        """Do one round; a database or a Redis that is away is for the next round."""
        try:
            swept = self.sweep()
            if swept:
                _log.warning("leases swept", extra={"n_batches": swept})
            self.open_added()
            self.decide_missed()
            overdue = self.tidy_overdue()
            if overdue.moved or overdue.failed:
                facts = {"n_moved": overdue.moved, "n_failed": overdue.failed}
                _log.warning("messages could not leave in time", extra=facts)
            for provider in providers:
                n_moved = self.hand_over(provider, providers=providers)
                if n_moved:
                    _log.warning("handed over", extra={"provider": provider, "n_messages": n_moved})
            for provider in providers:
                self.publish_due(provider)
        except (LedgerError, BrokerError) as error:
            _log.warning("tick failed", extra={"reason": str(error)})


def _eta(batch: hints.DueBatch, *, read_at_s: float) -> datetime | None:
    early_ms = batch.due_in_ms - _READY_MS
    return instant(_ms(read_at_s) + early_ms) if early_ms > 0 else None


def run_tick(dispatcher: Dispatcher, providers: Sequence[str], *, wait: Callable[[float], bool]) -> None:
    """Tick until ``wait``, given the seconds between two rounds, returns True."""
    while not wait(dispatcher.timers.tick):
        dispatcher.tick(providers)


def _ms(seconds: float) -> int:
    return int(1000 * seconds)
