"""Rows that are due one after the other within one batch, and hints that come before their time."""

import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import psutil
import pytest
from sqlalchemy import Engine

from tests.integration.test_sending import PATIENT, TIMEOUT_S, MakeDesk, make_desk
from tests.ledgers import (
    PROVIDER,
    assert_counts,
    batch,
    change_batch,
    database_now,
    do,
    rows,
    run_campaign,
    some_messages,
    states,
)
from tests.sandbox.running import Sandbox
from worker.ledger import hints, rates
from worker.sending.early import wait_until_due
from worker.sending.run import send_batch
from worker.sending.tempo import in_force
from worker.throttle.call import Reason
from worker.throttle.limits import Limit, Limits
from worker.waiting import within

__all__ = ["make_desk"]

BRIEF = PATIENT.model_copy(update={"slot_wait": 0.5})


def spread_batch(engine: Engine, *due_in_ms: int, name: str = "spring") -> int:
    """Release a batch whose messages are due so long from now."""
    now = database_now(engine)
    pairs = zip(some_messages(len(due_in_ms)), due_in_ms, strict=True)
    return run_campaign(engine, name=name, messages=[replace(each, due_at=now + ms) for each, ms in pairs])


def late_ms(engine: Engine, sandbox: Sandbox) -> list[int]:
    """Return how late each message came to the gateway; negative is early."""
    due = {row["msisdn"]: int(str(row["due_at"])) for row in rows(engine)}
    return [int(1000 * each["time"]) - due[each["msisdn"]] for each in sandbox.accepted()]


def n_open(port: int) -> int:
    """Count the connections of this process to a port."""
    found = psutil.Process().net_connections(kind="tcp4")
    return sum(each.status == psutil.CONN_ESTABLISHED and each.raddr[1:] == (port,) for each in found)


@contextmanager
def hanging() -> Iterator[int]:
    """Give a port of this machine that answers no attempt to connect: others have taken all places."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as stack:
        port = int(server.getsockname()[1])
        for _ in range(3):
            client = stack.enter_context(socket.socket())
            client.settimeout(0)
            client.connect_ex(("127.0.0.1", port))
        yield port


def test_rows_of_one_batch_leave_when_each_is_due(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk
) -> None:
    desk = make_desk(width=2, max_recipients=1)
    send_batch(desk, run_campaign(engine, 1, name="first"))  # one new to Redis waits for a second
    sandbox.reset()
    batch_id = spread_batch(engine, 0, 300, 310, 700, 1200)

    n_requests = send_batch(desk, batch_id)

    late = late_ms(engine, sandbox)
    assert n_requests == 5
    assert (min(late) >= 0, max(late) < 3000) == (True, True)
    assert batch(engine, batch_id)["state"] == "done"
    assert_counts(engine)


def test_a_batch_whose_next_row_is_far_is_given_back(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk
) -> None:
    batch_id = spread_batch(engine, 0, 60_000)

    send_batch(make_desk(), batch_id)

    found = batch(engine, batch_id)
    assert (states(engine), found["state"]) == (["accepted", "queued"], "open")
    assert found["next_due_at"] == rows(engine)[1]["due_at"]
    assert sandbox.stats()["requests"] == 1


def test_a_batch_that_waits_for_its_next_row_gives_way_to_what_is_due(
    engine: Engine, make_desk: MakeDesk
) -> None:
    slow, other = spread_batch(engine, 0, 1900), spread_batch(engine, 0, name="other")

    send_batch(make_desk(), slow)

    assert batch(engine, slow)["state"] == "open"
    assert send_batch(make_desk(), other) == 1


def test_a_worker_that_is_to_stop_waits_for_no_row(engine: Engine, make_desk: MakeDesk) -> None:
    batch_id = spread_batch(engine, 0, 1900)
    stopping = threading.Event()
    threading.Timer(0.3, stopping.set).start()
    began_s = time.monotonic()

    send_batch(make_desk(should_stop=stopping.is_set), batch_id)

    assert time.monotonic() - began_s < 1.8
    assert batch(engine, batch_id)["state"] == "open"


def test_a_row_that_was_tried_before_is_not_waited_for(engine: Engine, make_desk: MakeDesk) -> None:
    hasty = PATIENT.model_copy(update={"mark_to_write": 1e-6})  # nothing is written in time: again in 1 s
    batch_id = run_campaign(engine, 1)

    assert send_batch(make_desk(timers=hasty), batch_id) == 1
    assert batch(engine, batch_id)["state"] == "open"


# --- hints before their time


def test_a_hint_that_comes_early_is_waited_for(engine: Engine, sandbox: Sandbox, make_desk: MakeDesk) -> None:
    desk = make_desk()
    send_batch(desk, run_campaign(engine, 1, name="first"))
    sandbox.reset()
    batch_id = spread_batch(engine, 400)

    assert wait_until_due(desk, batch_id)
    assert send_batch(desk, batch_id) == 1
    assert late_ms(engine, sandbox)[0] >= 0


@pytest.mark.parametrize(("n_messages", "n_needed"), [(1, 1), (3, 3), (9, 4)])
def test_connections_are_open_when_it_is_due(
    engine: Engine, sandbox: Sandbox, make_desk: MakeDesk, n_messages: int, n_needed: int
) -> None:
    desk, n_before = make_desk(width=4), n_open(sandbox.port)
    batch_id = spread_batch(engine, *[1500] * n_messages)

    assert wait_until_due(desk, batch_id)
    assert n_open(sandbox.port) == n_before + n_needed
    assert sandbox.stats()["sends"] == 0


def test_a_gateway_that_is_away_before_it_is_due_may_be_back_by_then(
    engine: Engine, make_desk: MakeDesk
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = int(closed.getsockname()[1])
    desk = make_desk(port=port)
    batch_id = spread_batch(engine, 400)

    assert wait_until_due(desk, batch_id)


def test_a_gateway_that_hangs_before_it_is_due_is_not_waited_for(engine: Engine, make_desk: MakeDesk) -> None:
    with hanging() as port:
        desk = make_desk(port=port, timers=BRIEF)
        batch_id, began_s = spread_batch(engine, 400), time.monotonic()

        assert wait_until_due(desk, batch_id)
    assert time.monotonic() - began_s < TIMEOUT_S / 2


def test_what_a_new_redis_waits_for_is_over_when_it_is_due(engine: Engine, make_desk: MakeDesk) -> None:
    known = make_desk(timers=PATIENT.model_copy(update={"slot_wait": 5.0}))
    desk = replace(known, pace=replace(known.pace, account=secrets.token_hex(8)))
    batch_id = spread_batch(engine, 2500)

    assert wait_until_due(desk, batch_id)
    assert desk.pace.reserve(desk.limits, [1], n_out=0, is_urgent=False).departures


def test_what_the_throttle_is_told_before_it_is_due_is_the_rate_in_force(
    engine: Engine, make_desk: MakeDesk
) -> None:
    in_settings = Limits(rates=(Limit(amount=600, window_s=3600),), guard_s=0.0, connections=2)
    known, others = make_desk(limits=in_settings), in_force(in_settings, "100/s")
    desk = replace(known, pace=replace(known.pace, account=secrets.token_hex(8)))
    assert within(5, lambda: bool(desk.pace.reserve(others, [1], n_out=0, is_urgent=False).departures))
    do(engine, rates.order_rate, [PROVIDER], "100/s", author="ann")
    batch_id = spread_batch(engine, 400)

    assert wait_until_due(desk, batch_id)
    grant = desk.pace.reserve(others, [1], n_out=0, is_urgent=False)
    desk.pace.release(others, n_out=0)
    assert grant.reason is not Reason.NEW


def test_who_is_to_stop_gets_nothing_ready(engine: Engine, sandbox: Sandbox, make_desk: MakeDesk) -> None:
    desk, n_before = make_desk(should_stop=lambda: True), n_open(sandbox.port)
    batch_id = spread_batch(engine, 1500)

    assert not wait_until_due(desk, batch_id)
    assert n_open(sandbox.port) == n_before


def test_a_hint_that_comes_far_too_early_is_published_again(engine: Engine, make_desk: MakeDesk) -> None:
    batch_id = spread_batch(engine, 4000)
    do(engine, hints.note_published, [batch_id])

    assert not wait_until_due(make_desk(), batch_id)
    found = batch(engine, batch_id)
    assert (found["published_at"], found["n_hints"]) == (None, 0)


def test_who_is_to_stop_waits_for_no_batch(engine: Engine, make_desk: MakeDesk) -> None:
    batch_id = spread_batch(engine, 1500)

    assert not wait_until_due(make_desk(should_stop=lambda: True), batch_id)


@pytest.mark.parametrize("change", [{"state": "held"}, {"state": "done"}, {"next_due_at": 1}])
def test_what_is_not_to_be_waited_for_is_tried_at_once(
    engine: Engine, make_desk: MakeDesk, change: dict[str, object]
) -> None:
    batch_id = spread_batch(engine, 60_000)
    change_batch(engine, batch_id, **change)

    assert wait_until_due(make_desk(), batch_id)
