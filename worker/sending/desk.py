"""What a worker process needs to send for one account."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy import Engine

from worker.sending.keep import Keep
from worker.sending.permits import Permits
from worker.sending.record import Judge
from worker.sending.submit import Gateway
from worker.settings import Timers


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Everything that lives longer than a lease."""

    engine: Engine
    owner: str
    gateway: Gateway
    pool: ThreadPoolExecutor  # as many threads as there are permits
    permits: Permits
    max_recipients: int
    timers: Timers
    judge: Judge
    keep: Keep
    should_stop: Callable[[], bool]
    should_hurry: Callable[[], bool] = lambda: False  # stop without waiting for what is under way
