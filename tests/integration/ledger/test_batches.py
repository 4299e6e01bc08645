from typing import Any

import pytest
from sqlalchemy import Engine, event

from tests.ledgers import (
    PROVIDER,
    SHORT_MS,
    assert_counts,
    batch,
    change_batch,
    change_messages,
    due_rows,
    has_expired,
    hold,
    import_campaign,
    lease,
    mark,
    pause,
    reach,
    record,
    release,
    result,
    run_campaign,
    states,
    submissions,
    sweep,
    try_lease,
)
from worker.ledger import batches, hints
from worker.ledger.engine import reading, writing
from worker.states import BatchState, Lane, MessageState
from worker.waiting import within

REPEAT_MS = 100


def lose(engine: Engine, batch_id: int, *, with_row: bool = False) -> None:
    """Lease a batch, let the lease run out and sweep it."""
    held = lease(engine, batch_id, lease_ms=SHORT_MS)
    if with_row:
        mark(engine, held, due_rows(engine, held)[:1], lease_ms=SHORT_MS)
    assert within(5, lambda: has_expired(engine))
    assert sweep(engine) == 1


def hinted(engine: Engine, *, horizon_ms: int = 0, repeat_ms: int = REPEAT_MS, limit: int = 9) -> list[int]:
    with reading(engine) as connection:
        found = hints.due_for_hints(
            connection,
            PROVIDER,
            lane=Lane.BULK,
            reach=reach(horizon_ms=horizon_ms, repeat_ms=repeat_ms),
            limit=limit,
        )
    return [each.id for each in found]


@pytest.mark.postgres
def test_to_look_for_hints_passes_over_what_is_due_later_without_a_look(postgres_engine: Engine) -> None:
    seen: list[tuple[str, dict[str, Any]]] = []
    event.listen(postgres_engine, "before_cursor_execute", lambda *said: seen.append((said[2], said[3])))
    hinted(postgres_engine)
    hints_out(postgres_engine)
    looks = list(seen)

    plans = [explained(postgres_engine, statement, given) for statement, given in looks]

    assert len(plans) == 3
    assert all("next_due_at <=" in condition for plan in plans for condition in plan)
    assert all(plans)


def explained(engine: Engine, statement: str, given: dict[str, Any]) -> list[str]:
    """Return the conditions by which the index of what is due next is searched."""
    with reading(engine) as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = connection.exec_driver_sql(f"EXPLAIN {statement}", given).scalars()
        return [line for line in plan if "Index Cond" in line and "'open'" in line]


def publish(engine: Engine, *batch_ids: int) -> None:
    with writing(engine) as connection:
        hints.note_published(connection, batch_ids)


def hints_out(engine: Engine, *, repeat_ms: int = 10_000) -> int:
    with reading(engine) as connection:
        return hints.hints_out(connection, PROVIDER, lane=Lane.BULK, repeat_ms=repeat_ms)


# --- lease


def test_a_lease_carries_what_the_rows_share(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))

    assert (held.provider, held.sender, held.text, held.options) == (PROVIDER, "ACME", "Hello", {})


def test_a_batch_is_leased_once(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    lease(engine, batch_id)

    assert try_lease(engine, batch_id, owner="two") is None


def test_the_fence_grows_with_every_lease(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    first = lease(engine, batch_id)
    release(engine, first)

    assert lease(engine, batch_id).fence == first.fence + 1


def test_a_batch_that_nobody_has_is_not_leased(engine: Engine) -> None:
    assert try_lease(engine, 7) is None


def test_a_batch_that_is_not_due_is_not_leased(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    change_batch(engine, batch_id, next_due_at=2**42)

    assert try_lease(engine, batch_id) is None


def test_a_batch_of_a_paused_campaign_is_not_leased(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    pause(engine, 1)

    assert try_lease(engine, batch_id) is None


def test_a_batch_of_a_held_account_is_leased_when_the_hold_is_over(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    hold(engine, pause_ms=1500)

    during = try_lease(engine, batch_id)

    assert during is None
    assert within(5, lambda: try_lease(engine, batch_id) is not None)


def test_another_hold_does_not_shorten_the_first(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    hold(engine, pause_ms=60_000)

    hold(engine, pause_ms=0)

    assert try_lease(engine, batch_id) is None


@pytest.mark.parametrize("state", [BatchState.HELD, BatchState.DONE])
def test_only_an_open_batch_is_leased(engine: Engine, state: BatchState) -> None:
    batch_id = run_campaign(engine)
    change_batch(engine, batch_id, state=state)

    assert try_lease(engine, batch_id) is None


# --- release


def test_a_batch_is_not_given_back_while_a_row_is_out(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))
    mark(engine, held, due_rows(engine, held)[:1])

    assert not release(engine, held)
    assert batch(engine, held.batch_id)["state"] == "leased"


def test_a_batch_without_queued_rows_is_done(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))
    record(engine, result(mark(engine, held)[0], MessageState.ACCEPTED))

    assert release(engine, held)

    assert batch(engine, held.batch_id)["state"] == "done"


def test_a_batch_is_given_back_due_with_its_next_row(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))
    change_messages(engine, wait_ms=60_000)

    assert release(engine, held)

    assert batch(engine, held.batch_id)["state"] == "open"
    assert try_lease(engine, held.batch_id) is None
    assert_counts(engine)


def test_a_lost_lease_is_not_given_back(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    held = lease(engine, batch_id, lease_ms=SHORT_MS)
    assert within(5, lambda: has_expired(engine))
    sweep(engine)
    lease(engine, batch_id, owner="two")

    assert not release(engine, held)
    assert batch(engine, batch_id)["owner"] == "two"


# --- sweep


def test_a_lease_that_holds_is_not_swept(engine: Engine) -> None:
    lease(engine, run_campaign(engine))

    assert not has_expired(engine)
    assert sweep(engine) == 0


def test_what_was_out_becomes_unknown_and_the_batch_is_open_again(engine: Engine) -> None:
    batch_id = run_campaign(engine, 2)

    lose(engine, batch_id, with_row=True)

    assert states(engine) == ["unknown", "queued"]
    assert [each["outcome"] for each in submissions(engine)] == ["unknown"]
    assert batch(engine, batch_id)["state"] == "open"
    assert_counts(engine)


def test_a_batch_of_which_all_was_out_is_done_when_it_is_swept(engine: Engine) -> None:
    batch_id = run_campaign(engine, 1)

    lose(engine, batch_id, with_row=True)

    assert batch(engine, batch_id)["state"] == "done"


def test_a_swept_batch_is_due_with_its_next_row(engine: Engine) -> None:
    batch_id = run_campaign(engine, 1)
    change_messages(engine, wait_ms=60_000)

    lose(engine, batch_id)

    assert try_lease(engine, batch_id) is None


def test_a_batch_is_held_after_three_lost_leases(engine: Engine) -> None:
    batch_id = run_campaign(engine)

    for _ in range(3):
        lose(engine, batch_id)

    found = batch(engine, batch_id)
    assert (found["state"], found["reason"]) == (
        "held",
        "its worker was lost three times without progress",
    )
    assert_counts(engine)


def test_progress_forgives_the_lost_leases(engine: Engine) -> None:
    batch_id = run_campaign(engine, 2)
    for _ in range(2):
        lose(engine, batch_id)
    held = lease(engine, batch_id)
    (marked,) = mark(engine, held, due_rows(engine, held)[:1])
    record(engine, result(marked, MessageState.ACCEPTED))
    release(engine, held)

    lose(engine, batch_id)

    assert batch(engine, batch_id)["state"] == "open"


# --- hints


def test_due_batches_get_hints_in_the_order_of_their_time(engine: Engine) -> None:
    first, second, later = (run_campaign(engine, name=name) for name in "abc")
    change_batch(engine, first, next_due_at=2)
    change_batch(engine, second, next_due_at=1)
    change_batch(engine, later, next_due_at=2**42)

    assert hinted(engine) == [second, first]
    assert hinted(engine, limit=1) == [second]


def test_a_batch_gets_its_hint_when_it_comes_within_the_horizon(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    change_messages(engine, wait_ms=60_000)
    release(engine, lease(engine, batch_id))

    assert hinted(engine, horizon_ms=50_000) == []
    assert hinted(engine, horizon_ms=70_000) == [batch_id]


def test_no_hint_is_repeated_before_its_time_and_then_it_is(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    publish(engine, batch_id)

    assert hinted(engine, repeat_ms=60_000) == []
    assert within(5, lambda: hinted(engine) == [batch_id])


@pytest.mark.parametrize(("n_hints", "times"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 30), (60, 30)])
def test_the_interval_doubles_up_to_thirty_times(engine: Engine, n_hints: int, times: int) -> None:
    batch_id = run_campaign(engine)
    publish(engine, batch_id)
    published_at = batch(engine, batch_id)["published_at"]
    assert isinstance(published_at, int)
    repeat_ms = 1_000_000

    change_batch(engine, batch_id, n_hints=n_hints, published_at=published_at - times * repeat_ms - 1)
    after = hinted(engine, repeat_ms=repeat_ms)
    change_batch(engine, batch_id, published_at=published_at - times * repeat_ms + 60_000)

    assert (hinted(engine, repeat_ms=repeat_ms), after) == ([], [batch_id])
    assert hints_out(engine, repeat_ms=repeat_ms) == 1


def test_hints_that_nobody_has_leased_are_out(engine: Engine) -> None:
    first, second = (run_campaign(engine, name=name) for name in "ab")
    publish(engine, first, second)
    before = hints_out(engine)

    lease(engine, first)

    assert (before, hints_out(engine)) == (2, 1)


def test_a_hint_that_may_be_repeated_is_not_out(engine: Engine) -> None:
    publish(engine, run_campaign(engine))

    assert within(5, lambda: hints_out(engine, repeat_ms=REPEAT_MS) == 0)


def test_a_hint_that_is_not_yet_due_is_not_out(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    publish(engine, batch_id)
    change_batch(engine, batch_id, next_due_at=2**42)

    assert hints_out(engine) == 0


def test_hints_of_a_paused_campaign_take_no_room(engine: Engine) -> None:
    publish(engine, run_campaign(engine))
    pause(engine, 1)

    assert hints_out(engine) == 0


def test_a_batch_that_was_given_back_gets_a_hint_at_once(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    publish(engine, batch_id)
    release(engine, lease(engine, batch_id))

    assert hinted(engine, repeat_ms=60_000) == [batch_id]


def test_no_hints_for_what_is_paused_importing_or_held(engine: Engine) -> None:
    run_campaign(engine, name="paused")
    pause(engine, 1)
    import_campaign(engine, name="importing")
    batch_id = run_campaign(engine, name="running")
    before = hinted(engine)

    hold(engine, pause_ms=60_000)

    assert (before, hinted(engine)) == ([batch_id], [])


def test_hints_that_a_hold_made_useless_are_published_again_when_it_is_over(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    publish(engine, batch_id)

    hold(engine, pause_ms=50)

    assert hints_out(engine) == 0
    assert within(5, lambda: hinted(engine, repeat_ms=60_000) == [batch_id])


def test_another_batch_waits_only_when_it_could_be_worked(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, name="a"))
    run_campaign(engine, name="b")
    with reading(engine) as connection:
        before = batches.others_wait(connection, held)

    pause(engine, 2)

    with reading(engine) as connection:
        assert (before, batches.others_wait(connection, held)) == (True, False)


def test_the_provider_and_the_lane_of_a_batch(engine: Engine) -> None:
    batch_id = run_campaign(engine)

    with reading(engine) as connection:
        assert batches.way_of(connection, batch_id) == (PROVIDER, Lane.BULK)
        assert batches.way_of(connection, 7) is None
