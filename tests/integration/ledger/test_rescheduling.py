import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, select, update

from producer.schedule.moving import Mover, Target
from tests.ledgers import (
    FALLBACK,
    PROVIDER,
    a_campaign,
    assert_counts,
    batch,
    change_batch,
    database_now,
    do,
    due_rows,
    lease,
    mark,
    not_sent,
    pause,
    record,
    release,
    result,
    rows,
    run_campaign,
    some_messages,
    try_mark,
    unclear,
)
from worker.errors import InputError
from worker.ledger import adding, campaigns, control, failover, orders, reports, rescheduling
from worker.ledger.drafts import SourceCounts, batched
from worker.ledger.engine import reading, writing
from worker.ledger.half_moved import Begun, Wish
from worker.ledger.models import BATCHES, CAMPAIGNS, ORDERS
from worker.ledger.rebatching import ROWS_AT_ONCE, NewTimes, Placed
from worker.ledger.rescheduling import Ended
from worker.ledger.values import Stop
from worker.states import MessageState
from worker.timing.words import Instant

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
AT_MS = round(1000 * datetime(2031, 1, 31, 9, tzinfo=UTC).timestamp())
BY = Wish(words="--by 2h", target={"by": 2 * HOUR_MS})
AT = Wish(words="--at 2031-01-31T09:00Z", target={}, is_start=True)


def running(engine: Engine, *delays_ms: int) -> None:
    """Write and release campaign 1, with a message due after each of the delays."""
    now = database_now(engine)
    messages = some_messages(len(delays_ms))
    for message, delay_ms in zip(messages, delays_ms, strict=True):
        object.__setattr__(message, "due_at", now + delay_ms)
    with writing(engine) as connection:
        importer = campaigns.create(connection, a_campaign())
        importer = campaigns.add_batches(connection, importer, list(batched(messages)))
        counts = SourceCounts(rows=len(messages), duplicates=0, refused=0)
        campaigns.release(connection, importer, counts)


def begin(engine: Engine, wish: Wish = BY) -> Begun:
    return do(engine, rescheduling.begin, 1, wish, author="ann")


def later(message: Placed, by_ms: int = 2 * HOUR_MS) -> NewTimes:
    return NewTimes(due_at=message.due_at + by_ms, leave_by=None, expires_at=None, zones=None)


def ordered_ago(engine: Engine, ms: int) -> None:
    """Let the order that is under way be so old."""
    with writing(engine) as connection:
        kept = json.loads(connection.execute(select(CAMPAIGNS.c.reading)).scalar_one())
        kept[orders.MOVING]["at"] -= ms
        connection.execute(update(CAMPAIGNS).values(reading=json.dumps(kept)))


def at_once(_: Placed) -> NewTimes:
    return NewTimes(due_at=AT_MS, leave_by=AT_MS + HOUR_MS, expires_at=None, zones="UTC")


def move_all(engine: Engine, times: Callable[[Placed], NewTimes] = later) -> int:
    n = 0
    while (moved := do(engine, rescheduling.move_some, 1, times)) is not None:
        n += moved
    return n


def end(engine: Engine) -> Ended:
    ended = do(engine, rescheduling.end, 1, author="ann")
    assert ended is not None
    return ended


def due(engine: Engine) -> list[object]:
    return [row["due_at"] for row in rows(engine)]


def state(engine: Engine) -> str:
    with reading(engine) as connection:
        return reports.report(connection, 1).state


def test_what_is_queued_goes_to_its_new_time(engine: Engine) -> None:
    running(engine, HOUR_MS, HOUR_MS + 1, 3 * HOUR_MS)
    before = [int(str(at)) for at in due(engine)]

    begin(engine)
    n = move_all(engine)
    ended = end(engine)

    assert n == ended.moved == 3
    assert ended.is_running
    assert due(engine) == [at + 2 * HOUR_MS for at in before]
    assert (state(engine), batch(engine, 1)["state"]) == ("running", "done")
    assert_counts(engine)


def test_messages_that_meet_in_a_minute_share_a_batch(engine: Engine) -> None:
    running(engine, HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS)

    begin(engine, AT)
    move_all(engine, at_once)
    end(engine)

    with reading(engine) as connection:
        query = select(BATCHES.c.queued, BATCHES.c.next_due_at, BATCHES.c.leave_by)
        found = connection.execute(query.where(BATCHES.c.queued > 0)).all()
        due_at = connection.scalar(select(CAMPAIGNS.c.due_at))
    assert [tuple(row) for row in found] == [(3, AT_MS, AT_MS + HOUR_MS)]
    assert due_at == AT_MS


def test_nothing_leaves_while_it_is_moved(engine: Engine) -> None:
    running(engine, 0, 0)
    held = lease(engine, 1)
    found = due_rows(engine, held)

    begin(engine)

    assert try_mark(engine, held, found) == Stop.CONTROL
    move_all(engine)
    end(engine)
    assert try_mark(engine, held, found) == []
    assert release(engine, held)
    assert batch(engine, 1)["state"] == "done"
    assert_counts(engine)


def test_what_has_left_stays_and_is_counted(engine: Engine) -> None:
    running(engine, 0, 0, 0)
    held = lease(engine, 1)
    marked = mark(engine, held, due_rows(engine, held)[:1])

    begin(engine)
    n = move_all(engine)
    end(engine)
    record(engine, *map(unclear, marked))

    assert n == 2
    assert [row["state"] for row in rows(engine)] == ["unknown", "queued", "queued"]
    assert_counts(engine)


def test_an_interruption_leaves_it_paused_and_a_repeat_finishes_it(engine: Engine) -> None:
    running(engine, *(n * HOUR_MS for n in range(1, 301)))
    before = [int(str(at)) for at in due(engine)]
    begin(engine)
    n_before = do(engine, rescheduling.move_some, 1, later)

    between = state(engine)
    again = begin(engine)
    n_after = move_all(engine)
    ended = end(engine)

    assert (between, again.moved, again.n) == ("paused", n_before, 300)
    assert (n_before or 0) + n_after == ended.moved == 300
    assert due(engine) == [at + 2 * HOUR_MS for at in before]
    assert state(engine) == "running"


def test_another_order_waits_for_the_one_that_was_interrupted(engine: Engine) -> None:
    running(engine, HOUR_MS)
    begin(engine)

    with pytest.raises(InputError, match="half-way through `reschedule --by 2h` of ann, 0 of 1 message: "):
        begin(engine, AT)


def test_the_same_words_mean_another_order_an_hour_later(engine: Engine) -> None:
    running(engine, HOUR_MS)
    begin(engine)
    ordered_ago(engine, HOUR_MS)

    with pytest.raises(InputError, match="first finish that with `bulksend campaign reschedule 1 --finish`"):
        begin(engine)


def test_an_order_that_was_interrupted_long_ago_is_finished_when_that_is_said(engine: Engine) -> None:
    running(engine, HOUR_MS)
    (before,) = due(engine)
    begin(engine)
    ordered_ago(engine, 30 * 24 * HOUR_MS)

    again = do(engine, rescheduling.begin, 1, None, author="bob")
    move_all(engine)
    end(engine)

    assert (again.is_finished, again.author, again.wish.words) == (True, "ann", "--by 2h")
    assert due(engine) == [int(str(before)) + 2 * HOUR_MS]


def test_nothing_to_finish_is_said(engine: Engine) -> None:
    running(engine, HOUR_MS)

    with pytest.raises(InputError, match="No order to reschedule campaign 1 was interrupted"):
        do(engine, rescheduling.begin, 1, None, author="bob")


def test_what_was_resumed_gives_up_the_order_that_was_interrupted(engine: Engine) -> None:
    running(engine, HOUR_MS)
    (before,) = due(engine)
    begin(engine)
    ordered_ago(engine, HOUR_MS)
    do(engine, control.resume, 1, author="bob")

    again = begin(engine, Wish(words="--by 1h", target={}))
    move_all(engine, lambda message: later(message, by_ms=HOUR_MS))
    end(engine)

    assert again.given_up is not None
    assert (again.is_finished, again.given_up.wish.words) == (False, "--by 2h")
    assert due(engine) == [int(str(before)) + HOUR_MS]
    with reading(engine) as connection:
        details = [each["detail"] for each in orders.of_campaign(connection, 1)]
    assert "given up at 0 of 1 message: the campaign was resumed" in details


@pytest.fixture
def given_up(engine: Engine) -> Engine:
    """Give a ledger whose campaign was resumed half-way through an order, and then paused by a person."""
    running(engine, HOUR_MS)
    begin(engine)
    do(engine, control.resume, 1, author="bob")
    do(engine, control.pause, 1, reason="lunch", author="bob")
    return engine


def test_a_pause_makes_no_order_of_one_that_was_given_up(given_up: Engine) -> None:
    again = begin(given_up, AT)
    n = move_all(given_up, at_once)
    ended = end(given_up)

    assert again.given_up is not None
    assert (n, ended.is_running) == (1, False)


def test_a_file_is_added_to_what_was_paused_after_an_order_was_given_up(given_up: Engine) -> None:
    assert do(given_up, adding.ground, 1).id == 1


def test_what_goes_to_the_fallback_does_so_after_an_order_was_given_up(given_up: Engine) -> None:
    assert do(given_up, failover.being_rescheduled, [1]) == set()


def test_who_was_moving_what_was_given_up_moves_no_more(given_up: Engine) -> None:
    with pytest.raises(InputError, match="was resumed meanwhile: 1 of 1 message were not moved"):
        do(given_up, rescheduling.move_some, 1, later)


def test_who_was_moving_what_was_given_up_moves_nothing_for_another_order(engine: Engine) -> None:
    running(engine, HOUR_MS, HOUR_MS)
    first = begin(engine, BY)
    do(engine, control.resume, 1, author="bo")
    other = begin(engine, Wish(words="--by 30min", target={"by": HOUR_MS // 2}))

    with pytest.raises(
        InputError, match="`reschedule --by 30min` ordered: 2 of 2 messages are moved by that"
    ):
        do(engine, rescheduling.move_some, 1, later, order=first)
    with pytest.raises(InputError, match="ordered"):
        do(engine, rescheduling.end, 1, author="ann", order=first)

    assert do(engine, rescheduling.move_some, 1, later, order=other) == 2


def test_by_as_much_once_more_is_not_the_rest_of_what_was_given_up(given_up: Engine) -> None:
    once_more = Wish(words="--by 2h", target={"by": 2 * HOUR_MS}, is_again=True)

    begun = begin(given_up, once_more)

    assert (begun.is_finished, begun.given_up is not None, begun.moved) == (False, True, 0)


def test_an_order_that_was_given_up_is_finished_when_that_is_said(given_up: Engine) -> None:
    (before,) = due(given_up)

    again = do(given_up, rescheduling.begin, 1, None, author="bob")
    n = move_all(given_up)
    ended = end(given_up)

    assert (again.is_finished, again.wish.words, n) == (True, "--by 2h", 1)
    assert due(given_up) == [int(str(before)) + 2 * HOUR_MS]
    assert (ended.is_running, state(given_up)) == (False, "paused")


def test_what_comes_back_after_the_last_look_is_moved_too(engine: Engine) -> None:
    running(engine, 0, HOUR_MS)
    held = lease(engine, 1)
    (marked,) = mark(engine, held)
    begin(engine)
    move_all(engine)

    record(engine, not_sent(marked))
    release(engine, held)
    is_ended = do(engine, rescheduling.end, 1, author="ann") is not None
    n = move_all(engine)

    assert (is_ended, n) == (False, 1)
    assert end(engine).moved == 2
    assert_counts(engine)


def test_what_comes_back_to_a_batch_that_was_wholly_out_is_moved_too(engine: Engine) -> None:
    running(engine, HOUR_MS, 0)  # the last of its batches is out
    held = lease(engine, 2)
    (marked,) = mark(engine, held)

    begin(engine)
    record(engine, not_sent(marked))
    release(engine, held)
    n = move_all(engine, at_once)
    end(engine)

    assert n == 2
    assert due(engine) == [AT_MS, AT_MS]


def test_what_would_go_to_the_fallback_meanwhile_gets_the_new_time_first(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2, fallback=FALLBACK))
    (marked,) = mark(engine, held, due_rows(engine, held)[:1])

    begin(engine)
    record(engine, result(marked, MessageState.QUEUED, gives_up=True))
    release(engine, held)
    n = move_all(engine, at_once)
    end(engine)

    assert n == 2
    assert due(engine) == [AT_MS, AT_MS]
    with reading(engine) as connection:
        providers = connection.scalars(select(BATCHES.c.provider).where(BATCHES.c.queued > 0)).all()
    assert providers == [PROVIDER]
    assert_counts(engine)


def test_no_transaction_moves_more_than_some_messages(engine: Engine) -> None:
    running(engine, *([HOUR_MS] * 900))

    begin(engine)
    first = do(engine, rescheduling.move_some, 1, at_once)
    n = move_all(engine, at_once)
    ended = end(engine)

    assert (first, n, ended.moved) == (ROWS_AT_ONCE, 900 - ROWS_AT_ONCE, 900)
    assert due(engine) == [AT_MS] * 900
    assert batch(engine, 1)["state"] == "done"
    assert_counts(engine)


def test_it_says_why_it_is_paused(engine: Engine) -> None:
    running(engine, HOUR_MS)

    begin(engine)

    with reading(engine) as connection:
        reason = reports.report(connection, 1).reason
    assert reason is not None
    assert "`bulksend campaign reschedule 1 --finish` goes on" in reason


def test_what_was_paused_stays_paused(engine: Engine) -> None:
    running(engine, HOUR_MS)
    pause(engine, 1)

    begin(engine)
    move_all(engine)
    ended = end(engine)

    assert (ended.is_running, state(engine)) == (False, "paused")


def test_a_campaign_that_is_cancelled_meanwhile_is_left_alone(engine: Engine) -> None:
    running(engine, HOUR_MS, 2 * HOUR_MS)
    begin(engine)
    do(engine, control.cancel, 1, author="bob")

    with pytest.raises(InputError, match="cancelled meanwhile"):
        do(engine, rescheduling.move_some, 1, later)


@pytest.mark.parametrize(
    ("facts", "wish", "code"),
    [
        ({"leaves_at": AT_MS}, BY, "kept_by_gateway"),
        ({"series": "dentist"}, BY, "reminders"),
        ({"reading": '{"timing": {"column": "at"}}'}, AT, "own_times"),
        ({"state": "cancelled"}, BY, "wrong_state"),
        ({"state": "importing"}, BY, "wrong_state"),
    ],
)
def test_what_cannot_be_moved_is_refused_with_the_step(
    engine: Engine, facts: dict[str, object], wish: Wish, code: str
) -> None:
    running(engine, HOUR_MS)
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(facts))

    with pytest.raises(InputError) as refused:
        begin(engine, wish)

    assert refused.value.code == code


def test_nothing_queued_is_refused(engine: Engine) -> None:
    running(engine, 0)
    held = lease(engine, 1)
    mark(engine, held)

    with pytest.raises(InputError, match="Nothing of campaign 1 is queued"):
        begin(engine)


def test_what_is_held_stays_held(engine: Engine) -> None:
    running(engine, HOUR_MS)
    change_batch(engine, 1, state="held", reason="its worker was lost three times without progress")

    begin(engine)
    move_all(engine)

    assert (batch(engine, 2)["state"], batch(engine, 2)["provider"]) == ("held", PROVIDER)
    assert batch(engine, 2)["reason"] == "its worker was lost three times without progress"


def test_who_ordered_it_is_written_down(engine: Engine) -> None:
    running(engine, HOUR_MS)

    begin(engine)
    move_all(engine)
    end(engine)

    with reading(engine) as connection:
        found = [(each["what"], each["author"], each["detail"]) for each in orders.of_campaign(connection, 1)]
    assert found == [("reschedule", "ann", "--by 2h"), ("rescheduled", "ann", "1 message")]


# --- what new times are made of


def begun(n: int = 4, **timing: object) -> Begun:
    return Begun(
        campaign_id=1,
        wish=BY,
        boundary=1,
        n=n,
        moved=0,
        was_running=True,
        windows='{"open": [{"hours": "09:00-20:00", "weekdays": "every day"}], "quiet": []}',
        zone="Europe/Copenhagen",
        reading={"timing": timing},
    )


def placed(place: int = 0, **facts: int | str | None) -> Placed:
    known = {"msisdn": "+4520304050", "due_at": AT_MS, "leave_by": None, "expires_at": None}
    return Placed(**{**known, "zones": "Europe/Copenhagen", "place": place, **facts})  # type: ignore[arg-type]


def test_windows_and_validity_hold_for_the_new_time() -> None:
    mover = Mover(Target(now_ms=0, by_ms=12 * HOUR_MS), begun(validity_ms=3 * HOUR_MS))

    found = mover.times(placed())

    nine = AT_MS + 23 * HOUR_MS  # of the day after, in Copenhagen
    assert (found.due_at, found.leave_by, found.expires_at) == (nine, nine + 3 * HOUR_MS, nine + 3 * HOUR_MS)


def test_what_was_spread_is_spread_again() -> None:
    mover = Mover(Target(now_ms=0, when=Instant(AT_MS)), begun(over_ms=HOUR_MS))

    found = [mover.times(placed(place)).due_at for place in range(4)]

    assert found == [AT_MS + place * HOUR_MS // 4 for place in range(4)]


def test_later_keeps_the_distances() -> None:
    mover = Mover(Target(now_ms=0, by_ms=HOUR_MS), begun(over_ms=HOUR_MS))

    assert mover.times(placed(3, due_at=AT_MS + 5)).due_at == AT_MS + 5 + HOUR_MS


def test_what_has_no_known_zone_keeps_its_time() -> None:
    target = Target.of_kept(Target(now_ms=0, by_ms=HOUR_MS, zone="recipient").kept)
    mover = Mover(target, begun())

    found = mover.times(placed(msisdn="+881612345678", zones=None, leave_by=AT_MS + 7))

    assert (found.due_at, found.leave_by, mover.n_kept) == (AT_MS, AT_MS + 7, 1)


def test_the_same_words_move_nothing_twice_within_the_hour_unless_that_is_said(engine: Engine) -> None:
    running(engine, HOUR_MS)
    wish = replace(BY, adds_up=True)
    begin(engine, wish)
    move_all(engine)
    end(engine)

    with pytest.raises(InputError, match=r"rescheduled --by 2h by ann within the last hour.*--again"):
        begin(engine, wish)
    assert begin(engine, replace(wish, words="--by 3h")).wish.words == "--by 3h"


def test_the_same_words_mean_another_order_after_an_hour(engine: Engine) -> None:
    running(engine, HOUR_MS)
    wish = replace(BY, adds_up=True)
    begin(engine, wish)
    move_all(engine)
    end(engine)
    with writing(engine) as connection:
        connection.execute(update(ORDERS).values(at=ORDERS.c.at - HOUR_MS))

    assert not begin(engine, wish).is_finished
