from collections.abc import Callable

import pytest
from sqlalchemy import Connection, Engine, update

from tests.integration.ledger.test_races import beside, waits
from tests.ledgers import (
    assert_counts,
    batch,
    change_batch,
    database_now,
    do,
    due_rows,
    import_campaign,
    lease,
    lose,
    mark,
    record,
    release,
    result,
    run_campaign,
    schedule,
    states,
    try_lease,
    try_mark,
)
from worker.errors import InputError
from worker.ledger import control, orders, outcomes, reports, rescheduling
from worker.ledger.engine import reading, writing
from worker.ledger.half_moved import Wish
from worker.ledger.models import BATCHES, CAMPAIGNS
from worker.ledger.rebatching import NewTimes, Placed
from worker.ledger.values import Marked, Stop
from worker.states import MessageState


def order(engine: Engine, give: Callable[[Connection], object]) -> None:
    with writing(engine) as connection:
        give(connection)


def pause(engine: Engine) -> None:
    order(engine, lambda connection: control.pause(connection, 1, reason="wrong text", author="ann"))


def resume(engine: Engine) -> None:
    order(engine, lambda connection: control.resume(connection, 1, author="ann"))


def cancel(engine: Engine) -> None:
    order(engine, lambda connection: control.cancel(connection, 1, author="ann"))
    order(engine, lambda connection: control.cancel_rows(connection, 1))


def state_of(engine: Engine) -> tuple[str, str | None]:
    with reading(engine) as connection:
        found = reports.report(connection, 1)
    return found.state, found.reason


def test_a_paused_campaign_says_why_and_is_not_leased(engine: Engine) -> None:
    batch_id = run_campaign(engine)

    pause(engine)

    assert state_of(engine) == ("paused", "wrong text")
    assert try_lease(engine, batch_id) is None


def test_a_resumed_campaign_goes_on_and_its_reason_is_gone(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    pause(engine)

    resume(engine)

    assert state_of(engine) == ("running", None)
    assert try_lease(engine, batch_id) is not None


def test_a_cancelled_campaign_has_no_queued_row_left(engine: Engine) -> None:
    batch_id = run_campaign(engine, 3)

    cancel(engine)

    assert states(engine) == ["cancelled"] * 3
    assert batch(engine, batch_id)["state"] == "done"
    assert_counts(engine)


def test_the_messages_of_small_batches_are_cancelled_together(engine: Engine) -> None:
    in_an_hour = database_now(engine) + 3_600_000
    schedule(engine, [in_an_hour + n * 60_000 for n in range(3)])
    order(engine, lambda connection: control.cancel(connection, 1, author="ann"))

    with writing(engine) as connection:
        found = [control.cancel_rows(connection, 1), control.cancel_rows(connection, 1)]

    assert found == [3, None]
    assert_counts(engine)


def test_after_a_cancel_nothing_is_marked_and_what_comes_back_is_cancelled(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2))
    first, second = due_rows(engine, held)
    (marked,) = mark(engine, held, [first])

    cancel(engine)

    assert try_mark(engine, held, [second]) is Stop.CONTROL
    record(engine, result(marked, MessageState.QUEUED))
    release(engine, held)
    assert states(engine) == ["cancelled"] * 2
    assert_counts(engine)


def test_what_was_accepted_stays_accepted_in_a_cancelled_campaign(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2))
    (marked,) = mark(engine, held, due_rows(engine, held)[:1])
    record(engine, result(marked, MessageState.ACCEPTED))
    release(engine, held)

    cancel(engine)

    assert states(engine) == ["accepted", "cancelled"]
    assert_counts(engine)


def test_an_interrupted_cancel_is_finished_by_repeating_it(engine: Engine) -> None:
    run_campaign(engine)
    order(engine, lambda connection: control.cancel(connection, 1, author="ann"))

    cancel(engine)

    assert set(states(engine)) == {"cancelled"}


@pytest.mark.parametrize("give", [pause, resume, cancel])
def test_a_campaign_that_is_not_there_is_named(engine: Engine, give: Callable[[Engine], None]) -> None:
    with pytest.raises(InputError, match="no campaign 1"):
        give(engine)


@pytest.mark.parametrize("number", [10**30, -(10**30)])
def test_a_number_that_no_campaign_can_have_is_named(engine: Engine, number: int) -> None:
    with pytest.raises(InputError, match=f"no campaign {number}"), writing(engine) as connection:
        control.pause(connection, number, reason="wrong text", author="ann")


@pytest.mark.parametrize("give", [pause, resume, cancel])
def test_a_campaign_that_is_being_imported_takes_no_orders(
    engine: Engine, give: Callable[[Engine], None]
) -> None:
    import_campaign(engine)

    with pytest.raises(InputError, match="importing"):
        give(engine)


def reopen_held(engine: Engine) -> list[int]:
    """Open what is held, some batches at a time; return how many each time."""
    opened: list[int] = []
    while True:
        with writing(engine) as connection:
            n_opened = control.reopen_held(connection, 1)
        if n_opened is None:
            return opened
        opened.append(n_opened)


def hold_batch(engine: Engine, batch_id: int) -> None:
    change_batch(engine, batch_id, state="held", reason="lost", lost_leases=3, next_due_at=2**60, n_hints=3)


def test_a_batch_that_was_held_is_tried_again_after_a_resume(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    hold_batch(engine, batch_id)

    resume(engine)
    opened = reopen_held(engine)

    assert opened == [1]
    assert state_of(engine) == ("running", None)
    assert batch(engine, batch_id)["lost_leases"] == batch(engine, batch_id)["n_hints"] == 0
    assert try_lease(engine, batch_id) is not None
    assert_counts(engine)


def test_small_batches_that_were_held_are_opened_together(engine: Engine) -> None:
    campaign_id = schedule(engine, [database_now(engine) + n * 60_000 for n in range(1, 301)])
    with writing(engine) as connection:
        connection.execute(update(BATCHES).values(state="held", reason="lost", lost_leases=3))

    opened = reopen_held(engine)

    assert campaign_id == 1
    assert opened == [200, 100]
    assert_counts(engine)


def test_a_batch_that_was_held_without_a_queued_message_is_done(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))
    mark(engine, held)
    hold_batch(engine, held.batch_id)

    reopen_held(engine)

    assert batch(engine, held.batch_id)["state"] == "done"


def test_a_held_batch_of_a_campaign_that_was_paused_is_tried_again_after_a_resume(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    hold_batch(engine, batch_id)
    pause(engine)

    resume(engine)
    opened = reopen_held(engine)

    assert opened == [1]
    assert state_of(engine) == ("running", None)
    assert try_lease(engine, batch_id) is not None


def lost(engine: Engine) -> Marked:
    """Have a campaign of one message, of which nobody knows whether the gateway has it."""
    (marked,) = lose(engine, 1)
    return marked


@pytest.mark.parametrize("give", [pause, resume])
def test_a_campaign_of_which_nothing_is_left_to_send_takes_no_orders_and_says_that_it_is_done(
    engine: Engine, give: Callable[[Engine], None]
) -> None:
    lost(engine)

    with pytest.raises(InputError, match="is done and cannot be"):
        give(engine)

    assert state_of(engine) == ("done", None)


def test_a_campaign_is_done_though_it_was_paused_while_its_last_request_was_out(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 1))
    (marked,) = mark(engine, held)
    pause(engine)
    was = state_of(engine)

    record(engine, result(marked, MessageState.ACCEPTED))
    release(engine, held)

    assert (was, state_of(engine)) == (("paused", "wrong text"), ("done", None))
    with pytest.raises(InputError, match="is done and cannot be resumed"):
        resume(engine)


def test_what_is_queued_again_in_a_campaign_that_was_paused_and_is_done_waits_for_a_resume(
    engine: Engine,
) -> None:
    marked = lost(engine)
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(state="paused", reason="wrong text"))
    was = state_of(engine)

    record(engine, result(marked, MessageState.QUEUED))

    assert (was, state_of(engine)) == (("done", None), ("paused", "wrong text"))


def test_a_campaign_with_only_a_message_on_its_way_can_be_paused(engine: Engine) -> None:
    mark(engine, lease(engine, run_campaign(engine, 1)))

    pause(engine)

    assert state_of(engine) == ("paused", "wrong text")


@pytest.mark.slow
def test_a_campaign_that_is_left_from_done_at_this_moment_can_be_paused(engine: Engine) -> None:
    marked = lost(engine)

    with beside() as call:
        with writing(engine) as connection:
            outcomes.record(connection, [result(marked, MessageState.QUEUED)])
            late = call(pause, engine)
            has_waited = waits(engine, late)
        late.result()

    assert has_waited
    assert states(engine) == ["queued"]
    assert state_of(engine) == ("paused", "wrong text")


def given(engine: Engine) -> list[tuple[object, ...]]:
    """Return the orders about the campaign: author, what, detail."""
    with reading(engine) as connection:
        found = orders.of_campaign(connection, 1)
    return [(row["author"], row["what"], row["detail"]) for row in found]


def test_a_running_campaign_that_is_resumed_runs_on_and_nothing_is_noted(engine: Engine) -> None:
    run_campaign(engine)

    is_new = do(engine, control.resume, 1, author="ann")

    assert (is_new, state_of(engine), given(engine)) == (False, ("running", None), [])


def test_a_paused_campaign_that_is_paused_again_stays_as_it_is_and_tells_who_did_it(engine: Engine) -> None:
    run_campaign(engine)
    pause(engine)

    is_new = do(engine, control.pause, 1, reason="another", author="eve")

    with reading(engine) as connection:
        who, since, why = control.paused_by(connection, 1)
    assert not is_new
    assert (who, why, since is not None) == ("ann", "wrong text", True)
    assert given(engine) == [("ann", "pause", "wrong text")]


def test_each_order_is_noted_with_what_it_changes_or_not_at_all(engine: Engine) -> None:
    run_campaign(engine)

    for give in (pause, resume, cancel, cancel):
        give(engine)
    with pytest.raises(InputError):
        pause(engine)

    assert given(engine) == [("ann", "pause", "wrong text"), ("ann", "resume", None), ("ann", "cancel", None)]


def move_and_end(engine: Engine) -> None:
    def unchanged(message: Placed) -> NewTimes:
        return NewTimes(due_at=message.due_at, leave_by=None, expires_at=None, zones=None)

    while do(engine, rescheduling.move_some, 1, unchanged) is not None:
        pass
    do(engine, rescheduling.end, 1, author="bob")


def test_a_person_who_pauses_what_is_being_rescheduled_is_obeyed_when_that_ends(engine: Engine) -> None:
    run_campaign(engine)
    later = Wish(words="--by 2h", target={})
    do(engine, rescheduling.begin, 1, later, author="bob")

    pause(engine)
    move_and_end(engine)

    assert state_of(engine) == ("paused", "wrong text")
    assert given(engine)[1] == ("ann", "pause", "wrong text")


def test_who_reschedules_lets_a_campaign_go_on_that_nobody_has_paused(engine: Engine) -> None:
    run_campaign(engine)
    do(engine, rescheduling.begin, 1, Wish(words="--by 2h", target={}), author="bob")

    move_and_end(engine)

    assert state_of(engine) == ("running", None)
