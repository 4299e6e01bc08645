"""Urgent messages now and then must not keep bulk waiting; real throttle, ledger and sockets."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.integration.ledger.test_turns import begin
from tests.integration.test_sending import PATIENT, POLICY
from tests.ledgers import LOGIN, PROVIDER, batch, do, run_campaign, some_messages
from tests.paces import pace_of
from tests.sandbox.running import Sandbox
from worker.gateways import make_adapter
from worker.gateways.http import Client
from worker.ledger import rates
from worker.sending.desk import Desk, started_pool
from worker.sending.record import Judge
from worker.sending.run import send_batch
from worker.sending.submit import Gateway
from worker.states import Lane
from worker.throttle.limits import Limit, Limits
from worker.waiting import within

pytestmark = [pytest.mark.redis, pytest.mark.slow]

PER_SECOND = 50
LIMITS = Limits(rates=(Limit(amount=PER_SECOND, window_s=1),), guard_s=0.025, connections=16)
SECONDS, URGENT_PER_SECOND = 3.0, 4
ON_ITS_WAY_S = 0.1  # from the ledger through Redis to a child


@contextmanager
def desk_of(  # noqa: PLR0913 - each is one thing that the two differ in, or share
    engine: Engine, sandbox: Sandbox, *, redis_url: str, account: str, folder: Path, stop: threading.Event
) -> Iterator[Desk]:
    """Give what a worker process has, of one account that others use as well."""
    with ExitStack() as stack:
        adapter = make_adapter("cpsms", base_url=f"{sandbox.url}/cpsms/v2", username="acme", secret="key")
        client = stack.enter_context(closing(Client(connections=16, timeout_s=5.0)))
        yield Desk(
            engine=engine,
            owner="test",
            login=LOGIN,
            gateway=Gateway(adapter=adapter, client=client, options={}),
            pool=stack.enter_context(started_pool(16, name="test")),
            pace=stack.enter_context(pace_of(redis_url, account=account)),
            limits=LIMITS,
            unit="messages",
            max_recipients=1,
            timers=PATIENT,
            judge=Judge(policy=POLICY, random=lambda: 1.0),
            folder=folder,
            providers=[PROVIDER],
            should_stop=stop.is_set,
        )


@contextmanager
def working(desk: Desk, batch_id: int, stop: threading.Event) -> Iterator[None]:
    """Work a batch again and again, as its hints come."""

    def work() -> None:
        while not stop.is_set():
            send_batch(desk, batch_id)
            stop.wait(ON_ITS_WAY_S)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def n_accepted(engine: Engine, batch_id: int) -> int:
    return int(str(batch(engine, batch_id)["accepted"]))


def test_a_trickle_of_urgent_messages_leaves_bulk_most_of_the_rate(
    sqlite_engine: Engine, sandbox: Sandbox, redis_url: str, tmp_path: Path
) -> None:
    account, stop = uuid.uuid4().hex, threading.Event()
    do(sqlite_engine, rates.note_rates, {PROVIDER: (account, f"{PER_SECOND}/s")})
    messages = [replace(each, msisdn=f"+4520{n:06}") for n, each in enumerate(some_messages(1000))]
    bulk_id = run_campaign(sqlite_engine, 1000, messages=messages)
    with ExitStack() as stack:
        bulk, urgent = (
            stack.enter_context(
                desk_of(
                    sqlite_engine,
                    sandbox,
                    redis_url=redis_url,
                    account=account,
                    folder=tmp_path / name,
                    stop=ends,
                )
            )
            for name, ends in (("bulk", stop), ("urgent", threading.Event()))
        )
        stack.enter_context(working(bulk, bulk_id, stop))
        assert within(10, lambda: n_accepted(sqlite_engine, bulk_id) > 0)

        n_before, began_s, n_urgent = n_accepted(sqlite_engine, bulk_id), time.monotonic(), 0
        while time.monotonic() - began_s < SECONDS:
            (urgent_id,) = begin(sqlite_engine, uuid.uuid4().hex, lane=Lane.URGENT)
            stop.wait(ON_ITS_WAY_S)
            send_batch(urgent, urgent_id)
            n_urgent += 1
            stop.wait(max(0.0, began_s + n_urgent / URGENT_PER_SECOND - time.monotonic()))
        n_bulk = n_accepted(sqlite_engine, bulk_id) - n_before
        seconds = time.monotonic() - began_s

    assert n_bulk > PER_SECOND * seconds / 2
