"""The program that Celery loads (``celery -A worker.tasks``): the application and its one task, a shell.

Nothing is opened in the parent process: engine, adapters and threads are made in the child that sends.
"""

from __future__ import annotations

import functools
import logging
import math
import multiprocessing
import os
import random
import signal
import socket

from celery.signals import setup_logging, worker_shutting_down
from sqlalchemy import Engine

from worker.app import SEND_BATCH, make_app
from worker.errors import ConfigError, LedgerError
from worker.folder import folder_of
from worker.ledger.batches import provider_of
from worker.ledger.engine import open_ledger, reading
from worker.log import configure_logging
from worker.providers import accounts_of
from worker.retry import Policy
from worker.sending import run
from worker.sending.desk import Desk, started_pool
from worker.sending.permits import Permits
from worker.sending.record import Judge
from worker.sending.submit import Gateway
from worker.settings import load_settings

_log = logging.getLogger(__name__)

settings = load_settings()
if settings.broker is None:
    raise ConfigError("broker is not set: start workers with `bulksend worker` or `bulksend up`")
app = make_app(settings.broker, settings.timers)
app.set_current()

_permits = {name: Permits(provider.connections) for name, provider in settings.providers.items()}
_HURRIES = 2
_HURRY_S = 2
_stopping = multiprocessing.get_context("fork").Value("b", 0, lock=False)  # pool children do not see SIGTERM


@worker_shutting_down.connect
def _stop(**_facts: object) -> None:
    """Let requests under way end; told a second time, let go of them."""
    limit_s = math.ceil(settings.timers.soft_shutdown) if _stopping.value == 0 else _HURRY_S
    _stopping.value = min(_stopping.value + 1, _HURRIES)
    signal.alarm(limit_s)  # Celery waits for a Redis that is gone for ever


@setup_logging.connect
def _log_lines(**_facts: object) -> None:
    configure_logging()


@app.task(name=SEND_BATCH)
def send_batch(batch_id: int) -> None:
    """Work one batch, if it is to be worked at all."""
    try:
        with reading(_engine()) as connection:
            provider = provider_of(connection, batch_id)
        if provider is not None:
            run.send_batch(_desk(provider), batch_id)
    except (
        ConfigError,
        LedgerError,
        RuntimeError,
    ) as error:  # the tick repeats the hint; no thread to be had
        _log.error("batch not worked", extra={"batch_id": batch_id, "reason": str(error)})
    except Exception as bug:  # noqa: BLE001 - Celery would print it, and its words may hold a number or a text
        facts = {"batch_id": batch_id, "error_class": type(bug).__name__}
        _log.error("batch not worked because of a bug", extra=facts)


@functools.cache
def _engine() -> Engine:
    return open_ledger(settings.ledger)


def _policy() -> Policy:
    retries = settings.retries
    return Policy(attempts=retries.attempts, first_s=retries.first, longest_s=retries.longest)


@functools.cache
def _desk(provider: str) -> Desk:
    accounts = accounts_of(settings)
    if provider not in accounts:
        raise ConfigError(f"There is no provider {provider} in this worker's settings")
    account = accounts[provider]
    connections = account.provider.connections
    adapter, client = account.open(connections=connections)
    return Desk(
        engine=_engine(),
        owner=f"{socket.gethostname()}:{os.getpid()}",
        gateway=Gateway(adapter=adapter, client=client, options=account.provider.options),
        pool=started_pool(connections, name=provider),
        permits=_permits[provider],
        max_recipients=account.max_recipients,
        timers=settings.timers,
        judge=Judge(policy=_policy(), random=random.SystemRandom().random),
        folder=folder_of(settings),
        providers=settings.providers.keys(),
        should_stop=lambda: bool(_stopping.value),
        should_hurry=lambda: bool(_stopping.value >= _HURRIES),
    )
