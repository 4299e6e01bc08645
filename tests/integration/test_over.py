"""Messages whose time to leave ends while their batch is worked: they end, and take nothing from others."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, update

from tests.integration.test_sending import PATIENT, MakeDesk, make_desk
from tests.ledgers import (
    assert_counts,
    batch,
    change_messages,
    database_now,
    do,
    rows,
    run_campaign,
    some_messages,
    states,
)
from tests.sandbox.running import Sandbox
from worker.clock import instant
from worker.ledger import optouts
from worker.ledger.engine import reading, writing
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES
from worker.ledger.optouts import NewOptOut
from worker.sending.desk import Desk
from worker.sending.run import send_batch
from worker.states import OptOutSource
from worker.throttle.call import Ask, Grant
from worker.throttle.limits import Limit, Limits
from worker.throttle.throttle import Throttle
from worker.timing.windows import Windows, parse_hours
from worker.waiting import within

__all__ = ["make_desk"]

N = 300
SLOW = Limits(rates=(Limit(amount=20, window_s=1),), guard_s=0.0, connections=2)
OPEN_FOR_MS = 3000
DEADLINE_S = 30.0
ALONE = PATIENT.model_copy(update={"slice": 600.0})


class Counting(Throttle):
    """The throttle, for one who counts the departures."""

    def __init__(self, redis_url: str) -> None:
        super().__init__(redis_url)
        self.n_departures = 0
        self.happens: Callable[[], object] = lambda: None  # between a grant and its mark

    def reserve(self, ask: Ask) -> Grant:
        """Grant what the throttle grants."""
        grant = super().reserve(ask)
        self.n_departures += len(grant.departures)
        self.happens()
        return grant


@pytest.fixture
def throttle(redis_url: str) -> Iterator[Counting]:
    counting = Counting(redis_url)
    yield counting
    counting.close()


@pytest.fixture
def slow(make_desk: MakeDesk, throttle: Counting) -> Desk:
    """Give a desk that sends a message at a time, far fewer than a batch has before its time is over."""
    desk = make_desk(max_recipients=1, limits=SLOW, timers=ALONE)
    return replace(desk, pace=replace(desk.pace, throttle=throttle))


def close_soon(engine: Engine) -> int:
    """Let the time of all messages end soon; return when."""
    ends_at = database_now(engine) + OPEN_FOR_MS
    change_messages(engine, leave_by=ends_at)
    return ends_at


def last_came_at(sandbox: Sandbox) -> int:
    return max(int(1000 * each["time"]) for each in sandbox.accepted())


def test_a_validity_that_ends_while_a_batch_is_worked_ends_its_messages_and_reserves_nothing(
    engine: Engine, sandbox: Sandbox, slow: Desk, throttle: Counting
) -> None:
    batch_id = run_campaign(engine, N)
    ends_at = close_soon(engine)

    n_requests = send_batch(slow, batch_id)

    assert 0 < n_requests <= throttle.n_departures < N // 2
    assert last_came_at(sandbox) < ends_at
    codes = [row["code"] for row in rows(engine) if row["state"] == "failed"]
    assert codes == ["validity"] * (N - n_requests)
    assert batch(engine, batch_id)["state"] == "done"
    assert_counts(engine)


def test_a_window_that_closes_while_a_batch_is_worked_moves_its_messages_and_reserves_nothing(
    engine: Engine, sandbox: Sandbox, slow: Desk, throttle: Counting
) -> None:
    messages = [replace(each, zones="Etc/UTC") for each in some_messages(N)]
    batch_id = run_campaign(engine, messages=messages)
    opens = instant(database_now(engine)) + timedelta(hours=2)
    hours = Windows(open=(parse_hours(f"{opens:%H:%M}-{opens + timedelta(hours=3):%H:%M}"),))
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(windows=hours.to_json()))
    ends_at = close_soon(engine)

    n_requests = send_batch(slow, batch_id)

    assert 0 < n_requests <= throttle.n_departures < N // 2
    assert last_came_at(sandbox) < ends_at
    due = [int(str(row["due_at"])) for row in rows(engine) if row["state"] == "queued"]
    assert (len(due), min(due) > ends_at) == (N - n_requests, True)
    assert (batch(engine, batch_id)["state"], batch(engine, batch_id)["next_due_at"]) == ("open", min(due))
    assert_counts(engine)


def test_those_whose_time_is_over_end_while_the_others_of_their_batch_leave(
    engine: Engine, slow: Desk
) -> None:
    batch_id = run_campaign(engine, N)
    ends_at = database_now(engine) + OPEN_FOR_MS
    with writing(engine) as connection:
        brief = update(MESSAGES).where(MESSAGES.c.id % 2 == 1)
        connection.execute(brief.values(leave_by=ends_at))
    stopping = threading.Event()
    desk = replace(slow, should_stop=stopping.is_set)
    thread = threading.Thread(target=send_batch, args=[desk, batch_id])
    thread.start()

    def none_is_left() -> bool:
        with reading(engine) as connection:
            query = select(MESSAGES.c.id).where(MESSAGES.c.id % 2 == 1, MESSAGES.c.state == "queued")
            return connection.execute(query.limit(1)).one_or_none() is None

    is_over = within(DEADLINE_S, none_is_left, every_s=0.1)
    with reading(engine) as connection:
        state, n_queued = connection.execute(select(BATCHES.c.state, BATCHES.c.queued)).one()
    stopping.set()
    thread.join()

    assert (is_over, state, n_queued > 0) == (True, "leased", True)
    assert "failed" not in states(engine)[1::2]
    assert_counts(engine)


def test_what_is_closed_behind_a_worker_that_has_planned_it_reserves_nothing(
    engine: Engine, sandbox: Sandbox, slow: Desk, throttle: Counting
) -> None:
    batch_id = run_campaign(engine, N)
    throttle.happens = lambda: change_messages(engine, leave_by=1)

    n_requests = send_batch(slow, batch_id)

    assert (n_requests, sandbox.stats()["requests"]) == (0, 0)
    assert 0 < throttle.n_departures < N // 2
    assert batch(engine, batch_id)["state"] == "open"
    assert_counts(engine)


def test_those_who_opted_out_behind_a_worker_cost_the_others_no_lease(engine: Engine, slow: Desk) -> None:
    batch_id = run_campaign(engine, 24)
    fresh = [
        NewOptOut(scope="all", source=OptOutSource.OPERATOR, msisdn=str(row["msisdn"]))
        for row in rows(engine)[1::2]
    ]
    do(engine, optouts.add, fresh, keeps_numbers=True)

    assert send_batch(slow, batch_id) == 12

    assert Counter(states(engine)) == {"accepted": 12, "suppressed": 12}
    assert (batch(engine, batch_id)["state"], batch(engine, batch_id)["fence"]) == ("done", 1)
