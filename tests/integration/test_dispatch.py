import base64
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from typing import cast

import pytest
import redis
from celery import Celery
from kombu import pools
from sqlalchemy import Engine, event, select, update

from tests.conftest import free_port
from tests.ledgers import (
    FALLBACK,
    PROVIDER,
    SHORT_MS,
    ago,
    assert_counts,
    batch,
    change_account,
    change_batch,
    change_messages,
    do,
    has_expired,
    lease,
    mark,
    pause,
    rows,
    run_campaign,
    some_messages,
    states,
)
from worker.app import SEND_BATCH, make_app
from worker.dispatch import Dispatcher, run_tick
from worker.errors import BrokerError
from worker.ledger import control, trouble
from worker.ledger.letting import LET_IN
from worker.ledger.models import CAMPAIGNS
from worker.settings import Timers
from worker.waiting import within

pytestmark = pytest.mark.redis

QUEUE = f"bulksend:sms.{PROVIDER}"
TIMERS = Timers.model_validate({"tick": "10ms"})
HASTY = Timers.model_validate({"hint_repeat": "100ms"})
TEXT = "Dear Ada, your code is 4711 0815"


@pytest.fixture
def app(empty_redis_url: str) -> Iterator[Celery]:
    yield from closed_at_the_end(make_app(empty_redis_url, TIMERS))


@pytest.fixture
def lonely_app() -> Iterator[Celery]:
    """Give an application whose Redis is away."""
    app = make_app(f"redis://127.0.0.1:{free_port()}/0", TIMERS)
    app.conf.broker_transport_options |= {"max_retries": 1, "interval_start": 0}  # the default tries for 6 s
    yield from closed_at_the_end(app)


def closed_at_the_end(app: Celery) -> Iterator[Celery]:
    yield app
    pools.reset()  # they are kombu's, for the whole process
    app.close()


@pytest.fixture
def dispatcher(engine: Engine, app: Celery) -> Dispatcher:
    return Dispatcher(engine=engine, app=app, timers=TIMERS, children=1)


@pytest.fixture
def hints(empty_redis_url: str) -> Iterator[Callable[[], list[bytes]]]:
    """Give what lies in the provider's queue, newest first."""
    with closing(redis.Redis.from_url(empty_redis_url)) as client:
        yield lambda: cast("list[bytes]", client.lrange(QUEUE, 0, -1))


Hints = Callable[[], list[bytes]]


def args(hint: bytes) -> list[int]:
    """Return what a hint calls its task with."""
    return list(json.loads(base64.b64decode(json.loads(hint)["body"]))[0])


def test_a_hint_is_json_with_the_id_of_its_batch_and_no_more(
    engine: Engine, dispatcher: Dispatcher, hints: Hints
) -> None:
    batch_id = run_campaign(engine, messages=some_messages(3, text=TEXT))

    assert dispatcher.publish_due(PROVIDER) == 1

    (hint,) = hints()
    headers = json.loads(hint)["headers"]
    assert (headers["task"], args(hint)) == (SEND_BATCH, [batch_id])
    assert json.loads(hint)["content-type"] == "application/json"
    assert headers["eta"] is None  # it is due, and no other clock than the database's is to be asked


def test_a_hint_that_is_early_carries_its_time(engine: Engine, dispatcher: Dispatcher, hints: Hints) -> None:
    batch_id = run_campaign(engine)
    due_at = int(str(batch(engine, batch_id)["next_due_at"])) + 4_000
    change_batch(engine, batch_id, next_due_at=due_at)

    dispatcher.publish_due(PROVIDER)

    (hint,) = hints()
    early_s = due_at / 1000 - datetime.fromisoformat(json.loads(hint)["headers"]["eta"]).timestamp()
    assert 0 <= early_s < 1  # a worker waits for what comes a moment too early


@pytest.mark.parametrize("secret", ["4520304", "Dear Ada", "Hello", "4711 0815"])
def test_a_hint_carries_no_number_and_no_text(
    engine: Engine, dispatcher: Dispatcher, hints: Hints, secret: str
) -> None:
    run_campaign(engine, messages=some_messages(3, text=TEXT))

    dispatcher.publish_due(PROVIDER)

    (hint,) = hints()
    assert secret.encode() not in hint
    assert secret.encode() not in base64.b64decode(json.loads(hint)["body"])


def test_another_providers_batches_are_not_published(
    engine: Engine, dispatcher: Dispatcher, hints: Hints
) -> None:
    run_campaign(engine)

    assert dispatcher.publish_due("another") == 0
    assert hints() == []


def test_at_most_four_hints_for_each_child_are_out(
    engine: Engine, dispatcher: Dispatcher, hints: Hints
) -> None:
    batch_ids = [run_campaign(engine, 1, name=str(number)) for number in range(6)]

    published = [dispatcher.publish_due(PROVIDER) for _ in range(2)]

    assert published == [4, 0]
    assert sorted(args(hint)[0] for hint in hints()) == batch_ids[:4]


def test_a_lease_makes_room_for_another_hint(engine: Engine, dispatcher: Dispatcher, hints: Hints) -> None:
    batch_ids = [run_campaign(engine, 1, name=str(number)) for number in range(6)]
    dispatcher.publish_due(PROVIDER)
    lease(engine, batch_ids[0])

    assert dispatcher.publish_due(PROVIDER) == 1
    assert args(hints()[0]) == [batch_ids[4]]


def test_a_hint_that_nobody_took_is_repeated(engine: Engine, dispatcher: Dispatcher, hints: Hints) -> None:
    batch_id = run_campaign(engine)
    dispatcher.publish_due(PROVIDER)

    at_once = dispatcher.publish_due(PROVIDER)

    hasty = replace(dispatcher, timers=HASTY)
    assert at_once == 0
    assert within(5, lambda: hasty.publish_due(PROVIDER) == 1)
    assert [args(hint) for hint in hints()] == [[batch_id]] * 2


def test_nothing_is_published_for_a_paused_campaign(engine: Engine, dispatcher: Dispatcher) -> None:
    run_campaign(engine)
    pause(engine, 1)

    assert dispatcher.publish_due(PROVIDER) == 0


def test_a_tick_sweeps_what_was_abandoned_and_publishes_it_again(
    engine: Engine, dispatcher: Dispatcher, hints: Hints
) -> None:
    batch_id = run_campaign(engine, 2)
    held = lease(engine, batch_id, lease_ms=SHORT_MS)
    mark(engine, held, lease_ms=SHORT_MS)
    assert within(5, lambda: has_expired(engine))

    dispatcher.tick([PROVIDER])

    assert states(engine) == ["unknown"] * 2
    assert batch(engine, batch_id)["state"] == "done"
    assert hints() == []


def test_an_abandoned_batch_with_queued_rows_is_published_in_the_same_tick(
    engine: Engine, dispatcher: Dispatcher, hints: Hints
) -> None:
    batch_id = run_campaign(engine, 2)
    lease(engine, batch_id, lease_ms=SHORT_MS)
    assert within(5, lambda: has_expired(engine))

    dispatcher.tick([PROVIDER])

    assert [args(hint) for hint in hints()] == [[batch_id]]


def test_without_redis_publishing_says_what_to_check(sqlite_engine: Engine, lonely_app: Celery) -> None:
    run_campaign(sqlite_engine)
    dispatcher = Dispatcher(engine=sqlite_engine, app=lonely_app, timers=TIMERS, children=1)

    with pytest.raises(BrokerError, match=r"Redis cannot be reached .*check `broker`"):
        dispatcher.publish_due(PROVIDER)


def test_hints_that_redis_did_not_take_are_published_as_soon_as_it_is_back(
    sqlite_engine: Engine, lonely_app: Celery, app: Celery, hints: Hints
) -> None:
    batch_id = run_campaign(sqlite_engine)
    away = Dispatcher(engine=sqlite_engine, app=lonely_app, timers=TIMERS, children=1)
    with pytest.raises(BrokerError):
        away.publish_due(PROVIDER)

    Dispatcher(engine=sqlite_engine, app=app, timers=TIMERS, children=1).publish_due(PROVIDER)

    assert [args(hint) for hint in hints()] == [[batch_id]]


def test_a_tick_survives_a_redis_that_is_away_and_sweeps_all_the_same(
    sqlite_engine: Engine, lonely_app: Celery, caplog: pytest.LogCaptureFixture
) -> None:
    lease(sqlite_engine, run_campaign(sqlite_engine), lease_ms=SHORT_MS)
    assert within(5, lambda: has_expired(sqlite_engine))
    dispatcher = Dispatcher(engine=sqlite_engine, app=lonely_app, timers=TIMERS, children=1)

    with caplog.at_level(logging.WARNING):
        dispatcher.tick([PROVIDER])

    assert not has_expired(sqlite_engine)
    assert "tick failed" in caplog.messages


def test_what_redis_lost_is_published_again(
    engine: Engine, dispatcher: Dispatcher, hints: Hints, empty_redis_url: str
) -> None:
    run_campaign(engine)
    dispatcher.publish_due(PROVIDER)
    with redis.Redis.from_url(empty_redis_url) as client:
        client.flushall()

    hasty = replace(dispatcher, timers=HASTY)
    assert within(5, lambda: hasty.publish_due(PROVIDER) == 1)
    assert len(hints()) == 1


def test_ticks_go_on_until_they_are_told_to_end(engine: Engine, dispatcher: Dispatcher, hints: Hints) -> None:
    run_campaign(engine)
    pauses: list[float] = []

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        return len(pauses) > 2

    run_tick(dispatcher, [PROVIDER], wait=wait)

    assert pauses == [0.01] * 3
    assert len(hints()) == 1


# --- hints that Redis has lost


def publish_long_ago(engine: Engine, dispatcher: Dispatcher) -> int:
    """Publish a batch as if some seconds ago, long before its hint is to be repeated."""
    batch_id = run_campaign(engine)
    dispatcher.publish_due(PROVIDER)
    change_batch(engine, batch_id, published_at=ago(4000), next_due_at=ago(5000))
    return batch_id


def test_hints_are_repeated_at_once_when_redis_has_lost_them(
    engine: Engine, dispatcher: Dispatcher, hints: Hints, empty_redis_url: str
) -> None:
    batch_id = publish_long_ago(engine, dispatcher)
    with redis.Redis.from_url(empty_redis_url) as client:
        client.flushall()

    assert dispatcher.publish_due(PROVIDER) == 1
    assert [args(hint) for hint in hints()] == [[batch_id]]


def test_hints_that_redis_still_has_are_not_repeated(
    engine: Engine, dispatcher: Dispatcher, hints: Hints
) -> None:
    publish_long_ago(engine, dispatcher)

    assert dispatcher.publish_due(PROVIDER) == 0
    assert len(hints()) == 1


def test_hints_of_another_queue_do_not_hide_that_ours_are_lost(
    engine: Engine, dispatcher: Dispatcher, empty_redis_url: str
) -> None:
    publish_long_ago(engine, dispatcher)
    with redis.Redis.from_url(empty_redis_url) as client:
        client.rename(QUEUE, f"{QUEUE}-another")

    assert dispatcher.publish_due(PROVIDER) == 1


def test_a_hint_that_was_published_a_moment_ago_is_not_taken_for_lost(
    engine: Engine, dispatcher: Dispatcher, empty_redis_url: str
) -> None:
    run_campaign(engine)
    dispatcher.publish_due(PROVIDER)
    with redis.Redis.from_url(empty_redis_url) as client:
        client.flushall()  # as if a worker had taken it, which has not leased its batch yet

    assert dispatcher.publish_due(PROVIDER) == 0


# --- an account that takes nothing


def close(engine: Engine, *, for_s: float) -> None:
    """Close the account as one that has taken nothing for so long."""
    do(
        engine,
        trouble.close_account,
        PROVIDER,
        check_in_ms=60_000,
        check_ms=60_000,
        reason="no credit",
        is_refused=True,
    )
    change_account(engine, closed_since=ago(int(1000 * for_s)))


def test_what_is_handed_over_is_published_for_the_fallback_in_the_same_tick(
    engine: Engine, dispatcher: Dispatcher, hints: Hints, empty_redis_url: str
) -> None:
    run_campaign(engine, fallback=FALLBACK)
    close(engine, for_s=TIMERS.failover)

    dispatcher.tick([PROVIDER, FALLBACK])

    with redis.Redis.from_url(empty_redis_url) as client:
        assert client.llen(QUEUE.replace(PROVIDER, FALLBACK)) == 1
    assert hints() == []
    assert {row["price_micros"] for row in rows(engine)} == {400_000}
    assert_counts(engine)


def test_nothing_is_handed_over_before_its_time(engine: Engine, dispatcher: Dispatcher) -> None:
    run_campaign(engine, fallback=FALLBACK)
    close(engine, for_s=TIMERS.failover - 10)

    assert dispatcher.hand_over(PROVIDER, providers=[FALLBACK]) == 0


def test_all_is_handed_over_round_by_round_and_then_no_more(engine: Engine, dispatcher: Dispatcher) -> None:
    for name in "abcdefg":
        run_campaign(engine, 1, name=name, fallback=FALLBACK)
    close(engine, for_s=TIMERS.failover)

    rounds = [dispatcher.hand_over(PROVIDER, providers=[FALLBACK]) for _ in range(3)]

    assert (sum(rounds), rounds[-1]) == (7, 0)
    assert_counts(engine)


def test_a_tick_says_what_it_handed_over(
    engine: Engine, dispatcher: Dispatcher, caplog: pytest.LogCaptureFixture
) -> None:
    run_campaign(engine, fallback=FALLBACK)
    close(engine, for_s=TIMERS.failover)

    with caplog.at_level(logging.WARNING):
        dispatcher.tick([PROVIDER, FALLBACK])
        dispatcher.tick([PROVIDER, FALLBACK])

    assert caplog.messages == ["handed over"]


def test_what_no_tick_serves_gets_nothing(engine: Engine, dispatcher: Dispatcher) -> None:
    batch_id = run_campaign(engine, fallback=FALLBACK)
    close(engine, for_s=TIMERS.failover)

    dispatcher.tick([PROVIDER])

    assert {row["batch_id"] for row in rows(engine)} == {batch_id}


def test_a_round_that_finds_nothing_more_to_hand_over_ends(engine: Engine, dispatcher: Dispatcher) -> None:
    run_campaign(engine, fallback=FALLBACK)
    close(engine, for_s=TIMERS.failover)
    begun: list[object] = []
    event.listen(engine, "begin", begun.append)

    dispatcher.hand_over(PROVIDER, providers=[FALLBACK])

    assert len(begun) == 3  # a look, a batch, and that there is no other


# --- starts that were missed, and times that are over


def missed_long_ago(engine: Engine, *, late: str) -> int:
    batch_id = run_campaign(engine)
    change_batch(engine, batch_id, next_due_at=ago(7_200_000))
    change_messages(engine, due_at=ago(7_200_000))
    with engine.begin() as connection:
        connection.execute(update(CAMPAIGNS).values(late=late, due_at=ago(7_200_000)))
    return batch_id


@pytest.mark.parametrize(
    ("late", "state", "fates"),
    [("hold", "paused", ["queued"] * 2), ("skip", "running", ["failed"] * 2)],
)
def test_a_tick_decides_about_a_missed_start_before_it_publishes(  # noqa: PLR0913, PLR0917 - what comes of it
    engine: Engine, dispatcher: Dispatcher, hints: Hints, late: str, state: str, fates: list[str]
) -> None:
    missed_long_ago(engine, late=late)

    dispatcher.tick([PROVIDER])

    with engine.begin() as connection:
        assert connection.scalar(select(CAMPAIGNS.c.state)) == state
    assert (states(engine), hints()) == (fates, [])
    assert_counts(engine)


def test_a_missed_start_that_is_to_be_sent_is_published(
    engine: Engine, dispatcher: Dispatcher, hints: Hints
) -> None:
    batch_id = missed_long_ago(engine, late="send")

    dispatcher.tick([PROVIDER])

    assert [args(hint) for hint in hints()] == [[batch_id]]


def test_a_tick_gives_up_what_cannot_leave_in_time_of_an_account_that_is_closed(
    engine: Engine, dispatcher: Dispatcher
) -> None:
    batch_id = run_campaign(engine)
    close(engine, for_s=1)
    change_messages(engine, leave_by=ago(1))
    change_batch(engine, batch_id, leave_by=ago(1))

    dispatcher.tick([PROVIDER])

    assert states(engine) == ["failed"] * 2
    assert_counts(engine)


def test_what_is_over_of_a_paused_campaign_is_given_up_when_it_is_resumed(
    engine: Engine, dispatcher: Dispatcher
) -> None:
    batch_id = run_campaign(engine)
    pause(engine, 1)
    change_messages(engine, leave_by=ago(1))
    change_batch(engine, batch_id, leave_by=ago(1))

    dispatcher.tick([PROVIDER])
    meanwhile = states(engine)
    do(engine, control.resume, 1, author="test")
    dispatcher.tick([PROVIDER])

    assert (meanwhile, states(engine)) == (["queued"] * 2, ["failed"] * 2)
    assert_counts(engine)


def test_a_tick_opens_what_was_let_in(engine: Engine, dispatcher: Dispatcher) -> None:
    batch_id = run_campaign(engine)
    change_batch(engine, batch_id, state="held", is_added=True)
    do(engine, lambda connection: connection.execute(update(CAMPAIGNS).values(importing_until=LET_IN)))

    dispatcher.tick([PROVIDER])

    found = batch(engine, batch_id)
    assert (found["state"], found["is_added"], found["published_at"] is None) == ("open", False, False)


def test_windows_that_cannot_be_read_stop_no_other_campaign(
    engine: Engine, dispatcher: Dispatcher, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("one", "two"):
        change_batch(engine, run_campaign(engine, name=name), leave_by=ago(1))
    change_messages(engine, leave_by=ago(1))
    with engine.begin() as connection:
        connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id == 1).values(windows="{}"))

    dispatcher.tick([PROVIDER])

    assert states(engine) == ["queued"] * 2 + ["failed"] * 2
    assert "windows not read" in caplog.messages


def test_a_campaign_whose_windows_cannot_be_read_waits_for_a_person(
    engine: Engine, dispatcher: Dispatcher
) -> None:
    for number in range(7):  # more than are looked at in one round
        change_batch(engine, run_campaign(engine, 1, name=str(number)), leave_by=ago(9 - number))
    change_messages(engine, leave_by=ago(1))
    with engine.begin() as connection:
        connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id < 7).values(windows="{}"))

    for _ in range(3):
        dispatcher.tidy_overdue()

    assert states(engine) == ["queued"] * 6 + ["failed"]
    columns = select(CAMPAIGNS.c.state, CAMPAIGNS.c.author, CAMPAIGNS.c.reason)
    with engine.begin() as connection:
        found = connection.execute(columns.order_by(CAMPAIGNS.c.id)).all()
    assert [row.state for row in found] == ["paused"] * 6 + ["running"]
    assert found[0].author == "bulksend"
    assert "cannot be read" in str(found[0].reason)


def test_what_is_due_later_takes_no_room_from_what_is_due(
    engine: Engine, dispatcher: Dispatcher, hints: Hints
) -> None:
    for number in range(6):
        change_batch(engine, run_campaign(engine, 1, name=str(number)), next_due_at=ago(-3000))
    early = [dispatcher.publish_due(PROVIDER) for _ in range(2)]
    due = [run_campaign(engine, 1, name=name) for name in "ab"]

    dispatcher.publish_due(PROVIDER)

    assert early == [4, 0]
    assert [args(hint)[0] for hint in hints()[:2]] == due[::-1]


def test_an_account_is_warmed_before_what_is_due_soon_and_for_nothing_else(
    engine: Engine, dispatcher: Dispatcher
) -> None:
    warmed: list[str] = []
    dispatcher = replace(dispatcher, warm=warmed.append)
    run_campaign(engine, name="now")
    dispatcher.publish_due(PROVIDER)
    before = list(warmed)

    change_batch(engine, run_campaign(engine, name="soon"), next_due_at=ago(-3000))
    dispatcher.publish_due(PROVIDER)

    assert (before, warmed) == ([], [PROVIDER])
