"""What two connections may do to each other; who waits in Postgres is seen in its own list of locks."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, text

from tests.integration.ledger.test_adding import let_in_and_die
from tests.ledgers import (
    FALLBACK,
    LATE_MS,
    LEASE_MS,
    LOGIN,
    PROVIDER,
    SHORT_MS,
    ago,
    assert_counts,
    batch,
    change_account,
    change_batch,
    change_messages,
    do,
    due_rows,
    has_expired,
    lease,
    mark,
    pause,
    record,
    release,
    result,
    run_campaign,
    states,
    sweep,
    try_lease,
    try_mark,
    unclear,
)
from worker.ledger import (
    accounts,
    batches,
    control,
    failover,
    intent,
    letting,
    optouts,
    outcomes,
    settling,
    trouble,
    values,
)
from worker.ledger.engine import control_lock, reading, writing
from worker.ledger.scopes import ALL
from worker.states import MessageState, OptOutSource
from worker.waiting import within

ROUNDS = 15

pytestmark = pytest.mark.slow


@contextmanager
def beside() -> Iterator[Callable[..., Future[object]]]:
    """Give a way to call something in another thread."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit


def waits_for_lock(engine: Engine) -> bool:
    with reading(engine) as connection:
        return bool(connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def waits(engine: Engine, call: Future[object]) -> bool:
    """Say whether a call is held up: on Postgres by a lock, on SQLite by the transaction that is open."""
    if engine.dialect.name == "postgresql":
        return within(5, lambda: waits_for_lock(engine))
    return not within(0.05, call.done)


def test_of_two_who_lease_one_batch_exactly_one_wins(engine: Engine) -> None:
    batch_ids = [run_campaign(engine, 1, name=str(number)) for number in range(ROUNDS)]
    start = threading.Barrier(2)

    def lease_all(owner: str) -> list[batches.Lease | None]:
        found = []
        for batch_id in batch_ids:
            start.wait()
            found.append(try_lease(engine, batch_id, owner=owner))
        return found

    with beside() as call:
        theirs = call(lease_all, "one")
        ours = lease_all("two")

    won = list(zip(ours, theirs.result(), strict=True))  # type: ignore[call-overload]  # a list of leases
    assert all((one is None) != (two is None) for one, two in won)


def test_a_mark_waits_for_a_pause_and_obeys_it(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))
    found = due_rows(engine, held)

    with beside() as call, writing(engine) as connection:
        control.pause(connection, held.campaign_id, reason="wrong text", author="operator")
        late = call(try_mark, engine, held, found)
        has_waited = waits(engine, late)

    assert has_waited
    assert late.result() is values.Stop.CONTROL
    assert states(engine) == ["queued"] * 2


def test_of_two_who_open_what_was_added_the_second_leaves_alone_what_is_leased_by_now(engine: Engine) -> None:
    run_campaign(engine)
    let_in_and_die(engine)

    with beside() as call, writing(engine) as connection:
        letting.open_some(connection, 1)
        batches.lease(connection, 2, owner="one", lease_ms=LEASE_MS, late_ms=LATE_MS)
        late = call(do, engine, letting.open_some, 1)
        has_waited = waits(engine, late)

    assert has_waited
    assert late.result() is None
    assert batch(engine, 2)["state"] == "leased"


def opt_out(connection: Connection, *numbers: str) -> None:
    new = [optouts.NewOptOut(scope=ALL, source=OptOutSource.OPERATOR, msisdn=number) for number in numbers]
    optouts.add(connection, new, keeps_numbers=True)


def test_a_mark_waits_for_an_opt_out_and_obeys_it(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))
    found = due_rows(engine, held)

    with beside() as call, writing(engine) as connection:
        opt_out(connection, found[0].msisdn)
        late = call(try_mark, engine, held, found)
        has_waited = waits(engine, late)

    assert has_waited
    late.result()
    assert states(engine) == ["suppressed", "submitting"]


def test_an_opt_out_waits_for_a_mark(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))
    found = due_rows(engine, held)

    with beside() as call:
        with writing(engine) as connection:
            wanted = [values.Intention(reference="a", rows=tuple(found))]
            intent.mark(connection, held, wanted, lease_ms=30_000, login=LOGIN)
            late = call(do, engine, opt_out, found[0].msisdn)
            has_waited = waits(engine, late)
        late.result()

    assert has_waited
    assert states(engine) == ["submitting"] * 2


def test_a_pause_waits_for_a_mark(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))
    found = due_rows(engine, held)

    with beside() as call:
        with writing(engine) as connection:
            intent.mark(
                connection,
                held,
                [values.Intention(reference="a", rows=tuple(found))],
                lease_ms=30_000,
                login=LOGIN,
            )
            late = call(pause, engine, held.campaign_id)
            has_waited = waits(engine, late)
        late.result()

    assert has_waited
    assert states(engine) == ["submitting"] * 2


def test_a_mark_waits_for_a_hold_and_obeys_it(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))
    found = due_rows(engine, held)

    with beside() as call, writing(engine) as connection:
        accounts.hold_account(connection, held.provider, pause_ms=60_000, reason="credit")
        late = call(try_mark, engine, held, found)
        has_waited = waits(engine, late)

    assert has_waited
    assert late.result() is values.Stop.CONTROL


def cancel(connection: Connection) -> None:
    control.cancel(connection, 1, author="operator")


def pause_provider(connection: Connection) -> None:
    accounts.pause_account(connection, PROVIDER, reason="invoice", author="operator")


def close(connection: Connection) -> None:
    trouble.close_account(
        connection, PROVIDER, check_in_ms=60_000, check_ms=60_000, reason="no credit", is_refused=True
    )


def brake(connection: Connection) -> None:
    trouble.note_answers(connection, PROVIDER, trouble.Answers(batch_id=1, clear=[False] * 3), check_ms=1000)


ORDERS = pytest.mark.parametrize("order", [cancel, pause_provider, close, brake])


@ORDERS
def test_a_mark_waits_for_an_order_and_obeys_it(engine: Engine, order: Callable[[Connection], None]) -> None:
    held = lease(engine, run_campaign(engine))
    found = due_rows(engine, held)

    with beside() as call, writing(engine) as connection:
        order(connection)
        late = call(try_mark, engine, held, found)
        has_waited = waits(engine, late)

    assert has_waited
    assert late.result() is values.Stop.CONTROL
    assert states(engine) == ["queued"] * 2


@ORDERS
def test_an_order_waits_for_a_mark(engine: Engine, order: Callable[[Connection], None]) -> None:
    held = lease(engine, run_campaign(engine))
    intention = values.Intention(reference="a", rows=tuple(due_rows(engine, held)))

    with beside() as call:
        with writing(engine) as connection:
            intent.mark(connection, held, [intention], lease_ms=30_000, login=LOGIN)
            late = call(do, engine, order)
            has_waited = waits(engine, late)
        late.result()

    assert has_waited
    assert states(engine) == ["submitting"] * 2


def test_what_is_cancelled_while_it_is_out_is_not_queued_again(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2))
    (marked,) = mark(engine, held, due_rows(engine, held)[:1])

    with beside() as call:
        with writing(engine) as connection:
            control.cancel(connection, 1, author="operator")
            control.cancel_rows(connection, 1)
            late = call(record, engine, result(marked, MessageState.QUEUED))
            has_waited = waits(engine, late)
        late.result()

    assert has_waited
    assert states(engine) == ["cancelled"] * 2
    assert_counts(engine)


def test_a_mark_waits_for_a_resume_and_goes_on(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine))
    found = due_rows(engine, held)
    do(engine, pause_provider)

    with beside() as call:
        with writing(engine) as connection:
            accounts.resume_account(connection, PROVIDER)
            late = call(try_mark, engine, held, found)
            has_waited = waits(engine, late)
        late.result()

    assert has_waited
    assert states(engine) == ["submitting"] * 2


def a_batch_to_hand_over(engine: Engine) -> int:
    """Run a campaign whose gateway has been closed for long."""
    batch_id = run_campaign(engine, fallback=FALLBACK)
    do(engine, close)
    change_account(engine, closed_since=ago(60_000))
    return batch_id


def test_of_a_batch_that_is_handed_over_nothing_is_leased_or_marked(engine: Engine) -> None:
    batch_id = a_batch_to_hand_over(engine)

    with beside() as call:
        with writing(engine) as connection:
            n_moved = failover.hand_over(connection, PROVIDER, closed_ms=30_000, providers=[FALLBACK])
            accounts.resume_account(connection, PROVIDER)
            late = call(try_lease, engine, batch_id)
            within(0.2, late.done)
        held = late.result()

    assert (n_moved, held) == (2, None)
    assert_counts(engine)


def test_a_batch_that_is_leased_in_the_same_moment_is_not_handed_over(engine: Engine) -> None:
    batch_id = a_batch_to_hand_over(engine)

    with beside() as call:
        with writing(engine) as connection:
            accounts.resume_account(connection, PROVIDER)
            held = batches.lease(connection, batch_id, owner="one", lease_ms=30_000, late_ms=LATE_MS)
            late = call(do, engine, failover.hand_over, PROVIDER, closed_ms=30_000, providers=[FALLBACK])
            has_waited = waits(engine, late)
        n_moved = late.result()

    assert has_waited
    assert held is not None
    assert (n_moved, len(mark(engine, held))) == (0, 1)
    assert_counts(engine)


def test_an_account_that_is_resumed_and_found_well_in_the_same_moment_is_open(engine: Engine) -> None:
    batch_id = run_campaign(engine)
    do(engine, close)
    change_batch(engine, batch_id, published_at=1)

    with beside() as call:
        with writing(engine) as connection:
            control_lock(connection, shared=False)
            accounts.forget_hints(connection, PROVIDER)  # with which it begins to be resumed
            late = call(do, engine, trouble.note_check, PROVIDER, trouble=None)
            has_waited = waits(engine, late)
            accounts.resume_account(connection, PROVIDER)
        late.result()

    assert has_waited
    assert try_lease(engine, batch_id) is not None


def lost(engine: Engine) -> values.Marked:
    """Send one message, of which nobody knows."""
    (marked,) = mark(engine, lease(engine, run_campaign(engine, 1)))
    record(engine, unclear(marked))
    return marked


def settle(engine: Engine, target: MessageState) -> None:
    do(engine, settling.settle, target, author="ann")


@pytest.mark.parametrize("late", [MessageState.ACCEPTED, MessageState.REJECTED, MessageState.QUEUED])
@pytest.mark.parametrize("target", [MessageState.ACCEPTED, MessageState.FAILED, MessageState.QUEUED])
def test_a_person_who_settles_does_not_overrule_what_the_gateway_said_a_moment_before(
    engine: Engine, late: MessageState, target: MessageState
) -> None:
    marked = lost(engine)

    with beside() as call:
        with writing(engine) as connection:
            outcomes.record(connection, [result(marked, late)])
            settled = call(settle, engine, target)
            has_waited = waits(engine, settled)
        settled.result()

    assert has_waited
    assert states(engine) == [late]
    assert_counts(engine)


@pytest.mark.parametrize("target", [MessageState.FAILED, MessageState.QUEUED])
def test_an_acceptance_that_comes_while_a_person_settles_counts(engine: Engine, target: MessageState) -> None:
    marked = lost(engine)

    with beside() as call:
        with writing(engine) as connection:
            settling.settle(connection, target, author="ann")
            late = call(record, engine, result(marked, MessageState.ACCEPTED))
            has_waited = waits(engine, late)
        late.result()

    assert has_waited
    assert states(engine) == ["accepted"]
    assert_counts(engine)


def test_what_a_person_sends_again_is_sent_once_when_the_gateway_says_at_that_moment_that_it_has_not_got_it(
    engine: Engine,
) -> None:
    marked = lost(engine)

    with beside() as call:
        with writing(engine) as connection:
            settling.settle(connection, MessageState.QUEUED, author="ann")
            late = call(record, engine, result(marked, MessageState.QUEUED))
            has_waited = waits(engine, late)
        late.result()

    assert has_waited
    assert states(engine) == ["queued"]
    assert_counts(engine)


@pytest.mark.postgres
def test_of_two_batches_that_are_leased_at_once_a_braked_account_takes_one(postgres_engine: Engine) -> None:
    engine = postgres_engine
    first, second = (run_campaign(engine, name=name) for name in "ab")
    do(engine, brake)
    do(engine, trouble.note_check, PROVIDER, trouble=None)

    with beside() as call:
        with writing(engine) as connection:
            one = batches.lease(connection, first, owner="one", lease_ms=30_000, late_ms=LATE_MS)
            late = call(try_lease, engine, second)
            within(1, late.done)
        two = late.result()

    held = [each for each in (one, two) if isinstance(each, batches.Lease)]
    granted = [try_mark(engine, each, due_rows(engine, each)) for each in held]
    assert sum(isinstance(each, list) for each in granted) == 1


def test_a_mark_waits_for_a_sweep_and_has_lost_its_lease(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine), lease_ms=SHORT_MS)
    found = due_rows(engine, held)
    assert within(5, lambda: has_expired(engine))

    with beside() as call, writing(engine) as connection:
        batches.sweep(connection)
        late = call(try_mark, engine, held, found)
        has_waited = waits(engine, late)

    assert has_waited
    assert late.result() is values.Stop.LEASE_LOST


def test_a_sweep_waits_for_a_mark_which_renewed_the_lease(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine), lease_ms=300)
    found = due_rows(engine, held)

    with beside() as call, writing(engine) as connection:
        intention = values.Intention(reference="a", rows=tuple(found))
        marked = intent.mark(connection, held, [intention], lease_ms=30_000, login=LOGIN)
        late = call(sweep, engine)
        has_waited = waits(engine, late)
        assert within(5, lambda: has_expired(engine))  # as it looks from outside

    assert has_waited
    assert not isinstance(marked, values.Stop)
    assert late.result() == 0
    assert states(engine) == ["submitting"] * 2


@pytest.mark.postgres
def test_marks_of_two_batches_do_not_wait_for_each_other(postgres_engine: Engine) -> None:
    first, second = (lease(postgres_engine, run_campaign(postgres_engine, name=name)) for name in "ab")
    rows = due_rows(postgres_engine, second)

    with writing(postgres_engine) as connection:
        intention = values.Intention(reference="a", rows=tuple(due_rows(postgres_engine, first)))
        intent.mark(connection, first, [intention], lease_ms=30_000, login=LOGIN)

        assert len(mark(postgres_engine, second, rows)) == 1


def test_a_release_sees_the_row_that_was_queued_again_while_it_waited(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2))
    (marked,) = mark(engine, held, due_rows(engine, held)[:1])
    record(engine, result(marked, MessageState.UNKNOWN))
    change_messages(engine, wait_ms=60_000)

    with beside() as call:
        with writing(engine) as connection:
            outcomes.record(connection, [result(marked, MessageState.QUEUED)])
            late = call(release, engine, held)
            has_waited = waits(engine, late)
        assert late.result() is True

    assert has_waited
    assert_counts(engine)
    assert try_lease(engine, held.batch_id) is not None


def test_a_row_that_is_queued_again_while_its_batch_is_given_back_is_not_forgotten(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 1))
    (marked,) = mark(engine, held)
    record(engine, result(marked, MessageState.UNKNOWN))

    with beside() as call:
        with writing(engine) as connection:
            batches.release(connection, held)
            late = call(record, engine, result(marked, MessageState.QUEUED))
            has_waited = waits(engine, late)
        late.result()

    assert has_waited
    assert batch(engine, held.batch_id)["state"] == "open"
    assert_counts(engine)


@pytest.mark.postgres
def test_a_campaign_is_not_cancelled_between_a_look_at_it_and_the_outcome(postgres_engine: Engine) -> None:
    held = lease(postgres_engine, run_campaign(postgres_engine, 1))
    (marked,) = mark(postgres_engine, held)

    with beside() as call:
        with writing(postgres_engine) as connection:
            outcomes.record(connection, [result(marked, MessageState.QUEUED)])
            late = call(pause, postgres_engine, held.campaign_id)
            has_waited = waits(postgres_engine, late)
        late.result()

    assert has_waited


def test_outcomes_of_the_same_batches_in_any_order_do_not_block_each_other(engine: Engine) -> None:
    held = [lease(engine, run_campaign(engine, ROUNDS, name=name)) for name in "ab"]
    rows = [due_rows(engine, each) for each in held]
    marked = [mark(engine, each, *([row] for row in found)) for each, found in zip(held, rows, strict=True)]
    pairs = list(zip(*marked, strict=True))

    def record_all(*, backwards: bool) -> int:
        mine = pairs[1::2] if backwards else pairs[::2]
        return sum(
            record(engine, *(result(each, MessageState.ACCEPTED) for each in pair[:: -1 if backwards else 1]))
            for pair in mine
        )

    with beside() as call:
        theirs = call(record_all, backwards=True)
        ours = record_all(backwards=False)

    assert ours + theirs.result() == 2 * ROUNDS  # type: ignore[operator]  # an int
    assert_counts(engine)
