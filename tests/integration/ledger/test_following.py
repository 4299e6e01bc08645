from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, event

from tests.ledgers import (
    FALLBACK,
    LOGIN,
    PROVIDER,
    ago,
    batch,
    change_batch,
    change_messages,
    change_submissions,
    do,
    due_rows,
    grow_old,
    lease,
    mark,
    record,
    release,
    result,
    rows,
    run_campaign,
    unclear,
)
from worker.ledger import alike, asking, following
from worker.ledger.alike import Content
from worker.ledger.engine import now_of, writing
from worker.ledger.following import Round
from worker.ledger.values import Marked
from worker.states import MessageState
from worker.waiting import within

M = MessageState
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
FIRST_MS = 2 * MINUTE_MS


def accept(engine: Engine, *sizes: int, name: str = "spring") -> list[Marked]:
    """Send a campaign in requests of these sizes, which are accepted."""
    held = lease(engine, run_campaign(engine, sum(sizes), name=name))
    found = iter(due_rows(engine, held))
    marked = mark(engine, held, *([next(found) for _ in range(size)] for size in sizes))
    record(engine, *(result(each, M.ACCEPTED) for each in marked))
    release(engine, held)
    return marked


def to_follow(engine: Engine, provider: str = PROVIDER, *, login: str = LOGIN, most: int = 20) -> Round:
    return do(engine, following.to_follow, provider, login=login, first_ms=FIRST_MS, most_batches=most)


def ask(engine: Engine) -> list[str]:
    """Ask about all that is due, as if the gateway told nothing; return the references."""
    found = to_follow(engine)
    do(engine, asking.note_asked, [each.submission_id for each in found.asked])
    over = to_follow(engine).over
    do(engine, following.plan_next, over, first_ms=FIRST_MS)
    return [each.reference for each in found.asked]


def next_in_ms(engine: Engine, batch_id: int = 1) -> int | None:
    at = batch(engine, batch_id)["follow_at"]
    return None if at is None else int(str(at)) - do(engine, now_of)


def test_nothing_is_followed_before_anything_is_accepted(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 1))
    (marked,) = mark(engine, held)
    record(engine, unclear(marked))

    assert next_in_ms(engine) is None
    assert to_follow(engine) == Round(asked=[], over=[])


def test_what_was_accepted_is_asked_about_after_a_while(engine: Engine) -> None:
    (marked,) = accept(engine, 2)
    young = ask(engine)
    at_once = to_follow(engine)
    wait_ms = next_in_ms(engine)

    grow_old(engine, FIRST_MS)
    change_batch(engine, 1, follow_at=ago(0))

    (asked,) = to_follow(engine).asked
    assert (young, at_once) == ([], Round(asked=[], over=[]))
    assert wait_ms is not None
    assert 0 < wait_ms <= FIRST_MS
    assert asked.messages == {row.msisdn: row.id for row in marked.rows}


@pytest.mark.parametrize(
    ("age_ms", "wait_ms"),
    [(FIRST_MS, FIRST_MS), (HOUR_MS, HOUR_MS // 2), (71 * HOUR_MS, 71 * HOUR_MS // 2)],
)
def test_the_older_the_rarer(engine: Engine, age_ms: int, wait_ms: int) -> None:
    accept(engine, 1)
    grow_old(engine, age_ms)

    asked = ask(engine)

    found = next_in_ms(engine)
    assert len(asked) == 1
    assert found is not None
    assert wait_ms - 5000 < found < wait_ms + 5000


def test_after_three_days_it_is_asked_about_no_more(engine: Engine) -> None:
    accept(engine, 1)
    grow_old(engine, 72 * HOUR_MS)

    asked = ask(engine)

    assert (asked, next_in_ms(engine)) == ([], None)


def test_what_a_gateway_keeps_counts_from_its_time(engine: Engine) -> None:
    accept(engine, 1)
    grow_old(engine, 100 * HOUR_MS)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE campaigns SET leaves_at = 9000000000000")

    asked = ask(engine)

    wait_ms = next_in_ms(engine)
    assert asked == []
    assert wait_ms is not None
    assert wait_ms > 100 * HOUR_MS


def test_a_message_whose_end_is_known_is_not_asked_about(engine: Engine) -> None:
    first, second = accept(engine, 1, 1)
    record(engine, result(first, M.DELIVERED))
    grow_old(engine, FIRST_MS)

    assert ask(engine) == [second.reference]
    record(engine, result(second, M.UNDELIVERED))
    change_batch(engine, 1, follow_at=ago(0))
    assert ask(engine) == []
    assert next_in_ms(engine) is None


def test_a_batch_that_is_over_is_followed_again_when_more_of_it_is_accepted(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2))
    first, second = mark(engine, held, *([row] for row in due_rows(engine, held)))
    record(engine, result(first, M.ACCEPTED))
    change_batch(engine, 1, follow_at=None)

    record(engine, result(second, M.ACCEPTED))

    assert next_in_ms(engine) is not None


def test_a_message_that_is_accepted_late_does_not_wait_as_long_as_the_old_ones_of_its_batch(
    engine: Engine,
) -> None:
    held = lease(engine, run_campaign(engine, 2))
    first, second = mark(engine, held, *([row] for row in due_rows(engine, held)))
    record(engine, result(first, M.ACCEPTED))
    change_batch(engine, 1, follow_at=ago(-24 * HOUR_MS))

    record(engine, result(second, M.ACCEPTED))

    wait_ms = next_in_ms(engine)
    assert wait_ms is not None
    assert wait_ms <= FIRST_MS


def test_it_is_followed_too_when_another_one_arrived_at_the_same_moment(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2))
    first, second = mark(engine, held, *([row] for row in due_rows(engine, held)))
    record(engine, result(first, M.ACCEPTED))
    change_batch(engine, 1, follow_at=None)

    record(engine, result(first, M.DELIVERED), result(second, M.ACCEPTED))

    assert next_in_ms(engine) is not None


def test_what_is_accepted_while_the_next_round_is_planned_is_followed(postgres_engine: Engine) -> None:
    engine = postgres_engine
    held = lease(engine, run_campaign(engine, 2))
    first, second = mark(engine, held, *([row] for row in due_rows(engine, held)))
    record(engine, result(first, M.ACCEPTED))
    record(engine, result(first, M.DELIVERED))

    with ThreadPoolExecutor(1) as beside, writing(engine) as connection:

        def accept_beside(*given: Any) -> None:  # noqa: ANN401 - of several types
            if "min(" in given[2] and not recorded:
                recorded.append(beside.submit(record, engine, result(second, M.ACCEPTED)))
                within(0.5, recorded[0].done)  # unless it has to wait for us

        recorded: list[Future[int]] = []
        event.listen(connection, "after_cursor_execute", accept_beside)
        following.plan_next(connection, [1], first_ms=FIRST_MS)
    recorded[0].result()

    assert next_in_ms(engine) is not None


def test_what_went_on_to_the_fallback_and_was_accepted_before_is_asked_of_who_accepted_it(
    engine: Engine,
) -> None:
    held = lease(engine, run_campaign(engine, 1, fallback=FALLBACK))
    (marked,) = mark(engine, held)
    record(engine, result(marked, M.QUEUED, gives_up=True))
    moved = rows(engine)[0]["batch_id"]

    record(engine, result(marked, M.ACCEPTED))
    grow_old(engine, HOUR_MS)

    assert moved == 2
    assert [each.reference for each in to_follow(engine).asked] == [marked.reference]
    assert to_follow(engine, FALLBACK) == Round(asked=[], over=[])
    assert ask(engine) == [marked.reference]
    assert next_in_ms(engine) is not None


def test_those_come_first_that_waited_longest_and_each_once_in_a_round(engine: Engine) -> None:
    first, second, third = accept(engine, 1, 1, 1)
    grow_old(engine, HOUR_MS)
    do(engine, asking.note_asked, [to_follow(engine).asked[0].submission_id])
    between = [each.reference for each in to_follow(engine).asked]

    change_submissions(engine, asked_at=0)

    again = [each.reference for each in to_follow(engine).asked]
    assert between == [second.reference, third.reference]
    assert again == [first.reference, second.reference, third.reference]


def test_only_so_many_batches_are_looked_at_those_first_that_are_due_longest(engine: Engine) -> None:
    accept(engine, 1)
    (late,) = accept(engine, 1, name="late")
    grow_old(engine, HOUR_MS)
    change_batch(engine, 2, follow_at=0)

    assert [each.reference for each in to_follow(engine, most=1).asked] == [late.reference]


def test_requests_of_another_provider_are_not_asked_about(engine: Engine) -> None:
    accept(engine, 1)
    grow_old(engine, FIRST_MS)
    change_batch(engine, 1, provider=FALLBACK)

    assert to_follow(engine).asked == []
    assert len(to_follow(engine, FALLBACK).asked) == 1


def test_what_another_login_has_sent_is_not_asked_about_but_later_perhaps_again(engine: Engine) -> None:
    accept(engine, 1)
    grow_old(engine, HOUR_MS)
    change_submissions(engine, login="another")

    asked = ask(engine)

    wait_ms = next_in_ms(engine)
    assert asked == []
    assert wait_ms is not None
    assert wait_ms > FIRST_MS
    change_batch(engine, 1, follow_at=0)
    assert len(to_follow(engine, login="another").asked) == 1


def test_what_was_sent_can_be_told(engine: Engine) -> None:
    accept(engine, 2)
    change_messages(engine, text=None)
    ids = [int(str(row["id"])) for row in rows(engine)]

    told = do(engine, alike.contents, ids)

    assert told == dict.fromkeys(ids, Content(sender="ACME", text="Hello", provider_ref=None))


@pytest.mark.parametrize(("sizes", "own_ids"), [((1,), ["918273"]), ((2,), [None, None])])
def test_the_gateways_own_id_is_known_where_a_request_has_one_message(
    engine: Engine, sizes: tuple[int, ...], own_ids: list[str | None]
) -> None:
    accept(engine, *sizes)
    change_submissions(engine, provider_ref="918273")

    told = do(engine, alike.contents, [int(str(row["id"])) for row in rows(engine)])

    assert [content.provider_ref for content in told.values()] == own_ids


def test_our_reference_is_no_id_of_the_gateways_own(engine: Engine) -> None:
    (marked,) = accept(engine, 1)
    change_submissions(engine, provider_ref=marked.reference)

    told = do(engine, alike.contents, [int(str(row["id"])) for row in rows(engine)])

    assert [content.provider_ref for content in told.values()] == [None]
