from collections.abc import Callable, Collection

import pytest
from sqlalchemy import Engine, update

from tests.integration.ledger.test_races import beside, waits
from tests.ledgers import (
    assert_counts,
    batch,
    cancel,
    change_messages,
    do,
    due_rows,
    import_campaign,
    lease,
    mark,
    pause,
    record,
    release,
    result,
    rows,
    run_campaign,
    schedule,
    states,
    sweep,
    try_lease,
)
from tests.ledgers import change_batch as change
from worker.errors import InputError
from worker.ledger import control, retrying, settling
from worker.ledger.engine import reading, writing
from worker.ledger.models import BATCHES, MESSAGES
from worker.ledger.retrying import RETRIABLE, Retriable, Retried
from worker.states import MessageState

M = MessageState


def ended(engine: Engine, *outcomes: MessageState) -> int:
    """Send a campaign of one message for each outcome, to its end; return its batch."""
    held = lease(engine, run_campaign(engine, len(outcomes)))
    for row, state in zip(due_rows(engine, held), outcomes, strict=True):
        (marked,) = mark(engine, held, [row])
        record(engine, result(marked, state, code="7", detail="no"))
    release(engine, held)
    return held.batch_id


def retry(engine: Engine, wanted: Collection[MessageState] = RETRIABLE) -> int:
    """Retry the first campaign batch by batch and return how many messages are queued again."""
    n_queued = after = 0
    while True:
        with writing(engine) as connection:
            done = retrying.retry_some(connection, 1, wanted, after=after)
        if done is None:
            return n_queued
        n_queued, after = n_queued + done.n, done.last


def retriable(engine: Engine) -> Retriable:
    with reading(engine) as connection:
        return retrying.retriable(connection, 1, RETRIABLE)


def fail_rejected(engine: Engine, batch_id: int) -> None:
    """Make what was rejected failed, as when its attempts are used up."""
    change_messages(engine, state="failed")
    change(engine, batch_id, failed=batch(engine, batch_id)["rejected"], rejected=0)


def settle_as_failed(engine: Engine) -> None:
    with writing(engine) as connection:
        settling.settle(connection, M.FAILED, author="ann", campaign_id=1)


def test_what_was_rejected_is_queued_again_as_if_never_tried(engine: Engine) -> None:
    batch_id = ended(engine, M.ACCEPTED, M.REJECTED)
    change_messages(engine, attempts=8, group_limit=1)

    n_queued = retry(engine)

    queued = rows(engine)[1]
    assert n_queued == 1
    assert states(engine) == ["accepted", "queued"]
    assert [queued[name] for name in ("attempts", "group_limit", "code", "detail")] == [0, None, None, None]
    assert try_lease(engine, batch_id) is not None
    assert_counts(engine)


def test_the_messages_of_small_batches_are_queued_again_together(engine: Engine) -> None:
    schedule(engine, [n * 60_000 for n in range(1, 301)])
    with writing(engine) as connection:
        connection.execute(update(MESSAGES).values(state="failed", code="7"))
        connection.execute(update(BATCHES).values(state="done", queued=0, failed=1))

    done = do(engine, retrying.retry_some, 1, RETRIABLE, after=0)

    assert done == Retried(last=200, n=200)
    assert retry(engine) == 100
    assert states(engine) == ["queued"] * 300
    assert batch(engine, 300)["state"] == "open"
    assert_counts(engine)


def test_what_was_withdrawn_is_left_out(engine: Engine) -> None:
    ended(engine, M.REJECTED, M.REJECTED)
    with writing(engine) as connection:
        connection.execute(update(MESSAGES).where(MESSAGES.c.id == 1).values(withdrawn="removed"))

    found = retriable(engine)

    assert (found.n, found.n_withdrawn) == (1, 1)
    assert retry(engine) == 1
    assert states(engine) == ["rejected", "queued"]


def test_what_failed_is_queued_again(engine: Engine) -> None:
    fail_rejected(engine, ended(engine, M.REJECTED, M.REJECTED))

    assert retry(engine) == 2
    assert states(engine) == ["queued"] * 2
    assert_counts(engine)


@pytest.mark.parametrize(("wanted", "n"), [({M.REJECTED}, 1), ({M.FAILED}, 0), (RETRIABLE, 1)])
def test_only_what_was_chosen_is_queued_again(
    engine: Engine, wanted: Collection[MessageState], n: int
) -> None:
    ended(engine, M.REJECTED, M.ACCEPTED)

    assert retry(engine, wanted) == n


@pytest.mark.parametrize("outcome", [M.ACCEPTED, M.DELIVERED, M.SUPPRESSED, M.UNKNOWN])
def test_nothing_else_is_queued_again(engine: Engine, outcome: MessageState) -> None:
    ended(engine, outcome)

    assert retry(engine) == 0
    assert states(engine) == [outcome.value]


def lose_the_lease(engine: Engine) -> None:
    """Leave both messages in a request of which nobody knows."""
    held = lease(engine, run_campaign(engine))
    mark(engine, held)
    change(engine, held.batch_id, lease_until=0)
    sweep(engine)


def answer_without_them(engine: Engine) -> None:
    """Leave both messages unknown in a request that was answered, but not for them."""
    ended(engine, M.UNKNOWN, M.UNKNOWN)


@pytest.mark.parametrize("leave_unknown", [lose_the_lease, answer_without_them])
def test_what_a_person_settled_as_failed_is_left_out_and_counted(
    engine: Engine, leave_unknown: Callable[[Engine], None]
) -> None:
    leave_unknown(engine)
    settle_as_failed(engine)

    found, n_queued = retriable(engine), retry(engine)

    assert found == Retriable(n=0, n_risky=2)
    assert n_queued == 0
    assert states(engine) == ["failed"] * 2


def test_what_was_unknown_once_is_left_out_though_a_later_request_was_refused(engine: Engine) -> None:
    lose_the_lease(engine)
    with writing(engine) as connection:
        settling.settle(connection, M.QUEUED, author="ann", campaign_id=1)
    held = lease(engine, 1)
    (marked,) = mark(engine, held)
    record(engine, result(marked, M.REJECTED))

    assert retriable(engine) == Retriable(n=0, n_risky=2)
    assert retry(engine) == 0


def test_what_could_not_leave_in_time_any_more_is_left_out_and_counted(engine: Engine) -> None:
    ended(engine, M.REJECTED, M.REJECTED)
    change_messages(engine, leave_by=1, expires_at=1)

    found, n_queued = retriable(engine), retry(engine)

    assert found == Retriable(n=0, n_risky=0, n_over=2)
    assert n_queued == 0
    assert states(engine) == ["rejected"] * 2


def test_a_retry_counts_before_it_asks(engine: Engine) -> None:
    ended(engine, M.REJECTED, M.REJECTED, M.ACCEPTED)

    assert retriable(engine) == Retriable(n=2, n_risky=0)


def test_a_retried_message_of_a_paused_campaign_waits(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 1))
    (marked,) = mark(engine, held)
    pause(engine, 1)
    record(engine, result(marked, M.REJECTED))
    release(engine, held)

    assert retry(engine) == 1
    assert try_lease(engine, held.batch_id) is None


def test_a_campaign_that_is_over_for_good_is_not_retried(engine: Engine) -> None:
    ended(engine, M.REJECTED)
    cancel(engine, 1)

    with pytest.raises(InputError, match="is cancelled and cannot be retried"):
        retry(engine)

    assert states(engine) == ["rejected"]


def test_a_retry_waits_for_a_cancel_and_obeys_it(engine: Engine) -> None:
    ended(engine, M.REJECTED)

    with beside() as call, writing(engine) as connection:
        control.cancel(connection, 1, author="ann")
        late = call(retry, engine)
        has_waited = waits(engine, late)

    assert has_waited
    assert isinstance(late.exception(), InputError)
    assert states(engine) == ["rejected"]


def test_a_campaign_that_is_being_imported_is_not_retried(engine: Engine) -> None:
    import_campaign(engine)

    with pytest.raises(InputError, match="is importing and cannot be retried"):
        retriable(engine)


def test_a_batch_that_is_being_worked_takes_what_is_retried(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2))
    (marked,) = mark(engine, held, due_rows(engine, held)[:1])
    record(engine, result(marked, M.REJECTED))

    retry(engine)

    assert len(due_rows(engine, held)) == 2
    release(engine, held)
    assert batch(engine, held.batch_id)["state"] == "open"
    assert_counts(engine)
