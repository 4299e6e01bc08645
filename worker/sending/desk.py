"""What a worker process needs to send for one account."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from worker.sending.pace import Pace
from worker.sending.plan import Unit
from worker.sending.record import Judge
from worker.sending.refusals import Refusals
from worker.sending.submit import Gateway
from worker.settings import Timers
from worker.throttle.limits import Limits


def started_pool(n: int, *, name: str) -> ThreadPoolExecutor:
    """Return a pool whose threads all run.

    One that starts them when they are needed may find that none is to be had, with the call queued already:
    another thread would make it later, when nobody counts on it any more.

    Raises:
        RuntimeError: there are not so many threads to be had.
    """
    pool = ThreadPoolExecutor(max_workers=n, thread_name_prefix=name)
    together = threading.Barrier(n + 1)
    try:
        for _ in range(n):
            pool.submit(together.wait)
    except RuntimeError:
        together.abort()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    together.wait()
    return pool


def freeze_memory() -> None:
    """Take all that there is now out of garbage collection: looking through it would hold up departures.

    For a process that is ready to send: modules, adapters and pools live as long as it does. At 1000/s from
    one process that is the difference between 0.4 % of the departures missed and none.
    """
    gc.collect()
    gc.freeze()


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Everything that lives longer than a lease."""

    engine: Engine
    owner: str
    login: str  # at the gateway: which of all accounts there can tell what became of a request
    gateway: Gateway
    pool: ThreadPoolExecutor  # as many threads as there are connections, all started
    pace: Pace
    limits: Limits  # of the settings; the ledger may have another rate
    unit: Unit
    max_recipients: int
    timers: Timers
    judge: Judge
    folder: Path  # for what the ledger cannot take
    providers: Collection[str]  # that this worker serves, this one among them
    should_stop: Callable[[], bool]
    should_hurry: Callable[[], bool] = lambda: False  # stop without waiting for what is under way
    refusals: Refusals = field(default_factory=Refusals)
