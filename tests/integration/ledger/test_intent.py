import pytest
from sqlalchemy import Engine

from tests.ledgers import (
    LEASE_MS,
    SHORT_MS,
    assert_counts,
    batch,
    change_messages,
    due_rows,
    earlier,
    has_expired,
    hold,
    lease,
    mark,
    pause,
    record,
    result,
    rows,
    run_campaign,
    some_messages,
    states,
    submissions,
    sweep,
    try_lease,
    try_mark,
)
from worker.ledger.values import Stop
from worker.states import MessageState
from worker.waiting import within


def test_due_rows_carry_their_own_text_or_the_campaigns(engine: Engine) -> None:
    own, shared = some_messages(1, text="Dear Ada"), some_messages(2)[1:]
    held = lease(engine, run_campaign(engine, messages=[*own, *shared]))

    assert [row.text for row in due_rows(engine, held)] == ["Dear Ada", "Hello"]


@pytest.mark.parametrize(
    "values", [{"wait_ms": 60_000}, {"leave_by": 1}, {"state": "accepted"}, {"state": "unknown"}]
)
def test_rows_that_may_not_leave_are_not_read_and_not_marked(
    engine: Engine, values: dict[str, object]
) -> None:
    held = lease(engine, run_campaign(engine))
    found = due_rows(engine, held)
    change_messages(engine, **values)  # type: ignore[arg-type]  # wait_ms is an int

    assert due_rows(engine, held) == []
    assert try_mark(engine, held, found) == []
    assert submissions(engine) == []


def test_a_mark_writes_its_submission_and_moves_its_rows(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 3))
    first, second, third = due_rows(engine, held)

    one, two = mark(engine, held, [first, second], [third])

    names = {row["id"]: row["reference"] for row in submissions(engine)}
    assert [names[row["submission_id"]] for row in rows(engine)] == [
        one.reference,
        one.reference,
        two.reference,
    ]
    assert [(row["state"], row["attempts"]) for row in rows(engine)] == [("submitting", 1)] * 3
    assert [(each["n_messages"], each["cost"], each["outcome"]) for each in submissions(engine)] == [
        (2, 2, "open"),
        (1, 1, "open"),
    ]
    assert_counts(engine)


def test_rows_that_are_out_already_are_left_out_and_a_request_without_rows_is_dropped(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 3))
    first, second, third = due_rows(engine, held)
    mark(engine, held, [first, second])

    marked = mark(engine, held, [first], [second, third])

    assert [each.rows for each in marked] == [(third,)]
    assert [each["n_messages"] for each in submissions(engine)] == [2, 1]
    assert_counts(engine)


def test_rows_of_another_batch_are_left_out(engine: Engine) -> None:
    other = lease(engine, run_campaign(engine, name="a"))
    held = lease(engine, run_campaign(engine, name="b"))

    assert try_mark(engine, held, due_rows(engine, other)) == []


def test_a_mark_needs_the_current_fence(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    old = lease(engine, batch_id, lease_ms=SHORT_MS)
    found = due_rows(engine, old)
    assert within(5, lambda: has_expired(engine))
    sweep(engine)
    lease(engine, batch_id, owner="two")

    assert try_mark(engine, old, found) is Stop.LEASE_LOST
    assert states(engine) == ["queued"] * 2


def test_a_mark_needs_a_lease_that_has_not_run_out(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine), lease_ms=SHORT_MS)
    found = due_rows(engine, held)
    assert within(5, lambda: has_expired(engine))

    assert try_mark(engine, held, found) is Stop.LEASE_LOST


def test_a_swept_batch_is_not_marked_by_its_old_worker(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine), lease_ms=SHORT_MS)
    found = due_rows(engine, held)
    assert within(5, lambda: has_expired(engine))
    sweep(engine)

    assert try_mark(engine, held, found) is Stop.LEASE_LOST


def test_a_mark_renews_the_lease(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine), lease_ms=1000)
    before = batch(engine, held.batch_id)["lease_until"]
    assert isinstance(before, int)

    mark(engine, held, lease_ms=LEASE_MS)

    after = batch(engine, held.batch_id)["lease_until"]
    assert isinstance(after, int)
    assert after >= before + LEASE_MS - 1000


def test_nothing_of_a_paused_campaign_is_marked(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))
    found = due_rows(engine, held)
    pause(engine, held.campaign_id)

    assert try_mark(engine, held, found) is Stop.CONTROL
    assert states(engine) == ["queued"] * 2


def test_nothing_of_a_held_account_is_marked(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))
    found = due_rows(engine, held)
    hold(engine, pause_ms=60_000)

    assert try_mark(engine, held, found) is Stop.CONTROL


def test_the_second_mark_keeps_the_first_submission_and_the_first_mark_keeps_none(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 1))
    (first,) = mark(engine, held)
    record(engine, result(first, MessageState.QUEUED))
    after_first = earlier(engine)

    mark(engine, held)

    (row,) = rows(engine)
    assert after_first == []
    assert earlier(engine) == [(row["id"], submissions(engine)[0]["id"])]
    assert row["attempts"] == 2


def test_a_third_mark_keeps_both(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 1))
    for _ in range(2):
        record(engine, result(mark(engine, held)[0], MessageState.QUEUED))

    mark(engine, held)

    assert len(earlier(engine)) == 2


def test_a_full_batch_is_marked_in_one_go(engine: Engine) -> None:
    messages = [message for _ in range(10) for message in some_messages(100)]
    held = lease(engine, run_campaign(engine, messages=messages))

    (marked,) = mark(engine, held)

    assert len(marked.rows) == 1000
    assert record(engine, result(marked, MessageState.ACCEPTED)) == 1000
    assert try_lease(engine, held.batch_id) is None
    assert_counts(engine)
