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
import secrets
import signal
import socket
import time
from collections.abc import Callable, Sequence

from celery.signals import setup_logging, worker_shutting_down
from sqlalchemy import Engine

from worker.app import SEND_BATCH, make_app
from worker.broker import redis_address
from worker.errors import ConfigError, LedgerError
from worker.folder import folder_of
from worker.ledger import rates, turns
from worker.ledger.batches import way_of
from worker.ledger.deliveries import receipts_key
from worker.ledger.engine import open_ledger, reading
from worker.log import configure_logging
from worker.providers import Account, accounts_of, children_of
from worker.receipts import dlr_urls
from worker.retry import Policy
from worker.sending.desk import Desk, freeze_memory, started_pool
from worker.sending.early import wait_until_due
from worker.sending.pace import Pace
from worker.sending.record import Judge
from worker.sending.refusals import Refusals
from worker.sending.run import Relay
from worker.sending.seats import Seats
from worker.sending.submit import Gateway
from worker.sessions import store_of
from worker.settings import load_settings
from worker.states import Lane
from worker.throttle.call import History
from worker.throttle.throttle import Throttle

_log = logging.getLogger(__name__)

settings = load_settings()
if settings.broker is None:
    raise ConfigError("broker is not set: start workers with `bulksend worker` or `bulksend up`")
app = make_app(settings.broker, settings.timers)
app.set_current()

_seats = Seats(children_of(settings), list(settings.providers))
_refusals = Refusals(rule=settings.campaigns)
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
            way = way_of(connection, batch_id)
        if way is not None:
            _work(*way, batch_id)
    except (
        ConfigError,
        LedgerError,
        RuntimeError,
    ) as error:  # the tick repeats the hint; no thread to be had
        _log.error("batch not worked", extra={"batch_id": batch_id, "reason": str(error)})
    except Exception as bug:  # noqa: BLE001 - Celery would print it, and its words may hold a number or a text
        facts = {"batch_id": batch_id, "error_class": type(bug).__name__}
        _log.error("batch not worked because of a bug", extra=facts)


def _work(provider: str, lane: Lane, batch_id: int | None) -> None:
    """Work a batch and then others of its provider, as long as that leaves children for others."""
    desk = _desk(provider)
    ends_s = time.monotonic() + settings.timers.visibility / 5  # well before Redis repeats the hint
    while batch_id is not None and time.monotonic() < ends_s and wait_until_due(desk, batch_id):
        with _seats.taken(provider, lane) as is_seated, Relay(desk) as relay:
            # Where there is no seat, who works for this provider goes on, or its hint is repeated.
            if not is_seated or not _work_what_is_due(relay, provider, lane, batch_id, ends_s=ends_s):
                return
        batch_id = _due_soon(provider, lane)


def _work_what_is_due(relay: Relay, provider: str, lane: Lane, batch_id: int, *, ends_s: float) -> bool:
    """Work batches one after the other; say whether that is all that is due."""
    due: int | None = batch_id
    while due is not None:
        if not relay.send(due):
            return False
        due = _due_now(provider, lane)
        if due is not None and not (time.monotonic() < ends_s and _seats.may_stay(provider, lane)):
            return False
    return True


def _due_now(provider: str, lane: Lane) -> int | None:
    """Return the batch to go on with: one that is due."""
    with reading(_engine()) as connection:
        return turns.next_batch(connection, provider, lane=lane, late_ms=int(1000 * settings.timers.late))


def _due_soon(provider: str, lane: Lane) -> int | None:
    """Return the batch to wait for: one that soon will be due, or became due meanwhile."""
    timers = settings.timers
    soon_ms = int(1000 * min(2 * timers.tick, timers.slot_wait))
    found = _due_now(provider, lane)
    if found is not None:
        return found
    with reading(_engine()) as connection:
        return turns.soon_due(connection, provider, lane=lane, within_ms=soon_ms)


@functools.cache
def _engine() -> Engine:
    return open_ledger(settings.ledger)


def _policy() -> Policy:
    retries = settings.retries
    return Policy(attempts=retries.attempts, first_s=retries.first, longest_s=retries.longest)


@functools.cache
def _throttle() -> Throttle:
    return Throttle(redis_address(str(settings.broker)))


def _pace(account: Account) -> Pace:
    def history(windows_s: Sequence[int]) -> History:
        with reading(_engine()) as connection:
            found = rates.history(
                connection, account.account_key, unit=account.provider.unit, windows_s=windows_s
            )
        departed = {
            window_s: [(1000 * age_ms, units) for age_ms, units in cells]
            for window_s, cells in found.windows.items()
        }
        return History(
            departed=departed, last_us=-1 if found.last_age_ms is None else 1000 * found.last_age_ms
        )

    return Pace(
        throttle=_throttle(),
        account=account.account_key,
        process=secrets.token_hex(8),
        deadline_s=account.provider.timeout,
        mark_s=settings.timers.mark_to_write,
        read_history=history,
    )


def _dlr_url(provider: str) -> Callable[[str], str] | None:
    """Return what gives the address for the delivery reports of a request, where its gateway pushes them."""
    if settings.receipts.public_url is None:
        return None
    with reading(_engine()) as connection:
        key = receipts_key(connection)
    return dlr_urls(settings, key=key, provider=provider)


@functools.cache
def _desk(provider: str) -> Desk:
    accounts = accounts_of(settings)
    if provider not in accounts:
        raise ConfigError(f"There is no provider {provider} in this worker's settings")
    account = accounts[provider]
    connections = account.provider.connections
    pace = _pace(account)
    adapter, client = account.open(connections=connections, store=store_of(account, broker=settings.broker))
    desk = Desk(
        engine=_engine(),
        owner=f"{socket.gethostname()}:{os.getpid()}",
        login=account.login,
        gateway=Gateway(
            adapter=adapter, client=client, options=account.provider.options, dlr_url=_dlr_url(provider)
        ),
        pool=started_pool(connections, name=provider),
        pace=pace,
        limits=account.limits,
        unit=account.provider.unit,
        max_recipients=account.max_recipients,
        timers=settings.timers,
        judge=Judge(
            policy=_policy(),
            random=random.SystemRandom().random,
            stop_list=adapter.capabilities.stop_list,
            keeps_numbers=not settings.optouts.hashed,
        ),
        folder=folder_of(settings),
        providers=settings.providers.keys(),
        should_stop=lambda: bool(_stopping.value),
        should_hurry=lambda: bool(_stopping.value >= _HURRIES),
        refusals=_refusals,
    )
    freeze_memory()
    return desk
