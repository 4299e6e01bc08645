"""The processes that a supervisor starts: ``python -m worker celery|tick|receipts|flower``; for no person."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace

from worker.errors import BulksendError
from worker.roles import die_with_parent
from worker.waiting import Flag


def _celery() -> None:
    from worker import tasks  # noqa: PLC0415 - loads the settings, as Celery's own command would
    from worker.app import queue_of  # noqa: PLC0415
    from worker.providers import children_of  # noqa: PLC0415
    from worker.states import Lane  # noqa: PLC0415

    queues = ",".join(queue_of(name, lane) for lane in Lane for name in tasks.settings.providers)
    children = children_of(tasks.settings)
    words = [
        "--quiet",
        "worker",
        "--pool=prefork",
        f"--concurrency={children}",
        f"--queues={queues}",
        f"--hostname=bulksend-{os.getpid()}@%h",  # two workers of one host are two nodes
        "--task-events",
    ]
    tasks.app.worker_main([*words, "--without-gossip", "--without-mingle", "--loglevel=INFO"])


def _tick() -> None:
    from worker.broker import redis_address  # noqa: PLC0415 - each process imports what it runs
    from worker.dispatch import Dispatcher, run_tick  # noqa: PLC0415
    from worker.ledger.engine import open_ledger  # noqa: PLC0415
    from worker.log import configure_logging  # noqa: PLC0415
    from worker.providers import accounts_of  # noqa: PLC0415
    from worker.settings import load_settings  # noqa: PLC0415
    from worker.threads import start_notices, start_replay, start_upkeep  # noqa: PLC0415
    from worker.throttle.throttle import Throttle  # noqa: PLC0415
    from worker.warming import Warmer  # noqa: PLC0415

    configure_logging()
    settings = load_settings()
    stop = Flag()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    engine = open_ledger(settings.ledger)
    accounts = accounts_of(settings)
    start_upkeep(
        list(accounts.values()),
        engine=engine,
        timers=settings.timers,
        broker=settings.broker,
        wait=stop.wait,
        keeps_numbers=not settings.optouts.hashed,
    )
    start_replay(settings, engine=engine, wait=stop.wait)
    start_notices(settings, engine=engine, wait=stop.wait)
    if settings.metrics is not None:
        from worker.metrics import Figures, serve  # noqa: PLC0415 - takes a moment to load

        serve(settings.metrics, Figures.of(settings, broker=str(settings.broker)))
    throttle = Throttle(redis_address(str(settings.broker)))
    warmer = Warmer(accounts=accounts, engine=engine, throttle=throttle)
    dispatcher = Dispatcher.of(settings, engine=engine, broker=str(settings.broker))
    run_tick(replace(dispatcher, warm=warmer), list(settings.providers), wait=stop.wait)


def _receipts() -> None:
    from worker.log import configure_logging  # noqa: PLC0415 - as above
    from worker.receipts.server import serve  # noqa: PLC0415
    from worker.settings import load_settings  # noqa: PLC0415

    configure_logging()
    serve(load_settings())


def _flower() -> None:
    from worker import tasks  # noqa: PLC0415 - as above

    # Shown only: what is sent is decided in the ledger, not by whoever opens this page.
    tasks.app.start(["flower", "--read_only=True", *sys.argv[2:]])


def main() -> None:
    """Run one role until it is told to stop, or until its supervisor is gone."""
    die_with_parent()
    os.environ.pop("REMAP_SIGTERM", None)  # Celery would take SIGTERM for a signal to stop at once
    try:
        {"celery": _celery, "tick": _tick, "receipts": _receipts, "flower": _flower}[sys.argv[1]]()
    except BulksendError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
