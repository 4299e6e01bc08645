"""The one place that publishes: a hint is a batch id in its provider's queue; and the tick that repeats it.

The ledger is the queue. A hint that is lost is published again, one that is repeated finds nothing to lease.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from sqlalchemy import Engine

from worker.app import SEND_BATCH, make_app, queue_of
from worker.clock import instant
from worker.errors import BrokerError, LedgerError
from worker.ledger import batches, failover, hints
from worker.ledger.engine import reading, writing
from worker.providers import children_of
from worker.settings import Settings, Timers
from worker.states import Lane

_log = logging.getLogger(__name__)
_HINTS_PER_CHILD = 4
_HANDED_OVER_AT_ONCE = 5  # batches
_TAKEN_S = 2.0  # a worker that took a hint has leased its batch by then


@dataclass(frozen=True, kw_only=True)
class Dispatcher:
    """Publishes what is due and sweeps what was abandoned; any number may run at once."""

    engine: Engine
    app: Celery
    timers: Timers
    children: int

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
        found = self._find(provider, lane)
        if not found:
            return 0
        ids = [batch.id for batch in found]
        with writing(self.engine) as connection:
            hints.note_published(connection, ids)
        try:
            self._send(queue_of(provider, lane), found)
        except BrokerError:  # nothing waits for an answer: they are published again once Redis is back
            with writing(self.engine) as connection:
                hints.forget_published(connection, ids)
            raise
        return len(found)

    def _forget_lost(self, provider: str, lane: Lane) -> None:
        """Let hints be repeated at once that Redis has lost: its queue is empty, and nobody took them."""
        taken_by_now_ms = int(_TAKEN_S * 1000)
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
        repeat_ms = int(self.timers.hint_repeat * 1000)
        with reading(self.engine) as connection:
            room = _HINTS_PER_CHILD * self.children - hints.hints_out(
                connection, provider, lane=lane, repeat_ms=repeat_ms
            )
            if room <= 0:
                return []
            return hints.due_for_hints(
                connection,
                provider,
                lane=lane,
                horizon_ms=int(self.timers.horizon * 1000),
                repeat_ms=repeat_ms,
                limit=room,
            )

    def _send(self, queue: str, found: Sequence[hints.DueBatch]) -> None:
        try:
            with self.app.producer_pool.acquire(block=True, timeout=10) as producer:
                for batch in found:
                    self.app.send_task(
                        SEND_BATCH,
                        args=[batch.id],
                        queue=queue,
                        eta=None if batch.due_at is None else instant(batch.due_at),
                        producer=producer,
                        retry=False,
                    )
        except OperationalError as error:
            raise BrokerError(
                f"Redis cannot be reached ({type(error.__cause__ or error).__name__}): check `broker`"
            ) from None

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
        closed_ms = int(self.timers.failover * 1000)
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
            for provider in providers:
                n_moved = self.hand_over(provider, providers=providers)
                if n_moved:
                    _log.warning("handed over", extra={"provider": provider, "n_messages": n_moved})
            for provider in providers:
                self.publish_due(provider)
        except (LedgerError, BrokerError) as error:
            _log.warning("tick failed", extra={"reason": str(error)})


def run_tick(dispatcher: Dispatcher, providers: Sequence[str], *, wait: Callable[[float], bool]) -> None:
    """Tick until ``wait``, given the seconds between two rounds, returns True."""
    while not wait(dispatcher.timers.tick):
        dispatcher.tick(providers)
