from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from tests.ledgers import (
    FALLBACK,
    PROVIDER,
    account,
    ago,
    assert_counts,
    batch,
    cancel,
    change_account,
    change_batch,
    change_messages,
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
    states,
    try_lease,
    unclear,
)
from worker.ledger import accounts, failover, hints, outcomes, settling, trouble
from worker.ledger.engine import reading
from worker.ledger.values import Marked, SubmissionResult
from worker.states import Lane, MessageState, SubmissionOutcome

CLOSED_MS = 30_000
SERVED = (PROVIDER, FALLBACK)
M = MessageState


def a_batch(engine: Engine, n: int = 2, *, name: str = "spring") -> int:
    """Run a campaign that has a fallback; return its batch."""
    return run_campaign(engine, n, name=name, fallback=FALLBACK)


def close(engine: Engine, provider: str = PROVIDER, *, for_ms: int = CLOSED_MS) -> None:
    """Close an account as one that has taken nothing for so long."""
    do(
        engine,
        trouble.close_account,
        provider,
        check_in_ms=60_000,
        check_ms=60_000,
        reason="no credit",
        is_refused=True,
    )
    change_account(engine, provider, closed_since=ago(for_ms))


def hand_over(engine: Engine) -> int:
    """Hand over batch after batch as the tick does, having looked before; return how many messages went."""
    n_moved = 0
    while waits(engine):
        n = do(engine, failover.hand_over, PROVIDER, closed_ms=CLOSED_MS, providers=SERVED)
        assert n > 0
        n_moved += n
    assert do(engine, failover.hand_over, PROVIDER, closed_ms=CLOSED_MS, providers=SERVED) == 0
    return n_moved


def waits(engine: Engine) -> bool:
    with reading(engine) as connection:
        return failover.waits_for_fallback(connection, PROVIDER, closed_ms=CLOSED_MS, providers=SERVED)


def providers(engine: Engine) -> list[object]:
    """Return the provider of each message."""
    return [batch(engine, int(str(row["batch_id"])))["provider"] for row in rows(engine)]


def given_up(marked: Marked) -> SubmissionResult:
    """Say that the gateway refused it for now once more, which was the last time."""
    return result(marked, M.QUEUED, gives_up=True, code="503", detail="later")


def one_out(engine: Engine, n: int = 1, *, fallback: str | None = FALLBACK) -> Marked:
    held = lease(engine, run_campaign(engine, n, fallback=fallback))
    return mark(engine, held)[0]


# --- an account that takes nothing


def test_due_messages_of_a_closed_account_go_to_the_fallback_at_its_price(engine: Engine) -> None:
    batch_id = a_batch(engine)
    change_messages(engine, attempts=3, group_limit=1)
    close(engine)

    n_moved = hand_over(engine)

    assert (n_moved, providers(engine)) == (2, [FALLBACK] * 2)
    assert {
        (row["state"], row["attempts"], row["group_limit"], row["price_micros"], row["currency"])
        for row in rows(engine)
    } == {("queued", 0, None, 400_000, "EUR")}
    assert batch(engine, batch_id)["state"] == "done"
    assert_counts(engine)


def test_what_went_to_the_fallback_leaves_through_it(engine: Engine) -> None:
    a_batch(engine)
    close(engine)
    hand_over(engine)

    held = lease(engine, int(str(rows(engine)[0]["batch_id"])))
    (marked,) = mark(engine, held)
    record(engine, result(marked, M.ACCEPTED))

    assert held.provider == FALLBACK
    assert states(engine) == ["accepted"] * 2
    assert_counts(engine)


def test_batch_after_batch_goes(engine: Engine) -> None:
    for name in "abc":
        a_batch(engine, name=name)
    close(engine)

    assert hand_over(engine) == 6
    assert_counts(engine)


def test_messages_that_are_due_later_stay(engine: Engine) -> None:
    held = lease(engine, a_batch(engine))
    (marked,) = mark(engine, held, due_rows(engine, held)[:1])
    record(engine, result(marked, M.QUEUED, delay_ms=60_000))
    release(engine, held)
    close(engine)

    n_moved = hand_over(engine)

    assert (n_moved, providers(engine)) == (1, [PROVIDER, FALLBACK])
    assert batch(engine, held.batch_id)["next_due_at"] == rows(engine)[0]["due_at"]
    assert_counts(engine)


def test_nothing_goes_while_the_gateway_was_closed_for_a_shorter_time(engine: Engine) -> None:
    a_batch(engine)
    close(engine, for_ms=CLOSED_MS - 10_000)

    assert hand_over(engine) == 0


def test_nothing_goes_of_an_account_that_is_open(engine: Engine) -> None:
    a_batch(engine)
    close(engine)
    do(engine, trouble.note_check, PROVIDER, trouble=None)

    assert hand_over(engine) == 0
    assert account(engine)["closed_since"] is not None


def test_nothing_goes_of_an_account_that_only_waits(engine: Engine) -> None:
    a_batch(engine)
    do(engine, accounts.hold_account, PROVIDER, pause_ms=600_000, reason="a pause")

    assert hand_over(engine) == 0


def pause_provider(engine: Engine) -> None:
    do(engine, accounts.pause_account, PROVIDER, reason="invoice", author="ann")


def pause_fallback(engine: Engine) -> None:
    do(engine, accounts.pause_account, FALLBACK, reason="invoice", author="ann")


@pytest.mark.parametrize(
    "prevent",
    [
        pytest.param(pause_provider, id="an operator paused it"),
        pytest.param(pause_fallback, id="an operator paused the fallback"),
        pytest.param(lambda engine: close(engine, FALLBACK), id="the fallback is in trouble"),
        pytest.param(lambda engine: pause(engine, 1), id="the campaign is paused"),
        pytest.param(lambda engine: lease(engine, 1), id="the batch is leased"),
        pytest.param(lambda engine: change_batch(engine, 1, state="held"), id="the batch is held"),
    ],
)
def test_nothing_goes_when(engine: Engine, prevent: Callable[[Engine], object]) -> None:
    a_batch(engine)
    prevent(engine)
    close(engine)

    assert hand_over(engine) == 0
    assert providers(engine) == [PROVIDER] * 2


def test_a_fallback_takes_over_though_it_is_throttled(engine: Engine) -> None:
    a_batch(engine)
    change_account(engine, FALLBACK, throttled_until=ago(-60_000))
    close(engine)

    assert hand_over(engine) == 2


def test_what_is_urgent_stays_urgent(engine: Engine) -> None:
    change_batch(engine, a_batch(engine), lane=Lane.URGENT)
    close(engine)
    hand_over(engine)

    assert batch(engine, int(str(rows(engine)[0]["batch_id"])))["lane"] == Lane.URGENT


def test_nothing_goes_of_a_campaign_without_a_fallback(engine: Engine) -> None:
    run_campaign(engine)
    close(engine)

    assert hand_over(engine) == 0


def test_nothing_goes_a_second_time(engine: Engine) -> None:
    a_batch(engine)
    close(engine)
    hand_over(engine)
    do(engine, accounts.resume_account, PROVIDER)
    close(engine, FALLBACK)

    with reading(engine) as connection:
        assert not failover.waits_for_fallback(connection, FALLBACK, closed_ms=CLOSED_MS, providers=SERVED)
    assert do(engine, failover.hand_over, FALLBACK, closed_ms=CLOSED_MS, providers=SERVED) == 0


def test_nothing_goes_to_a_fallback_that_nobody_serves_any_more(engine: Engine) -> None:
    a_batch(engine)
    close(engine)

    with reading(engine) as connection:
        assert not failover.waits_for_fallback(
            connection, PROVIDER, closed_ms=CLOSED_MS, providers=(PROVIDER,)
        )
    assert do(engine, failover.hand_over, PROVIDER, closed_ms=CLOSED_MS, providers=(PROVIDER,)) == 0
    assert providers(engine) == [PROVIDER] * 2


# --- what may have been accepted


def resend(engine: Engine) -> None:
    """Queue what is unknown again, as a person orders."""
    do(engine, settling.settle, M.QUEUED, author="ann", campaign_id=1)


def sent_again(engine: Engine) -> None:
    """Have the first message unknown, sent again by order, and refused for now."""
    held = lease(engine, 1)
    (marked,) = mark(engine, held, due_rows(engine, held)[:1])
    record(engine, unclear(marked))
    resend(engine)
    (again,) = mark(engine, held, due_rows(engine, held)[:1])
    record(engine, result(again, M.QUEUED))
    release(engine, held)


def unknown_and_resent(engine: Engine) -> None:
    held = lease(engine, 1)
    (marked,) = mark(engine, held, due_rows(engine, held)[:1])
    record(engine, unclear(marked))
    resend(engine)
    release(engine, held)


def not_named_and_resent(engine: Engine) -> None:
    """Have a request answered for the second message only; the first is sent again by order."""
    held = lease(engine, 1)
    (marked,) = mark(engine, held)
    first, second = marked.rows
    half = (
        result(replace(marked, rows=(first,)), M.UNKNOWN).messages
        + result(replace(marked, rows=(second,)), M.ACCEPTED).messages
    )
    record(
        engine,
        SubmissionResult(reference=marked.reference, outcome=SubmissionOutcome.ANSWERED, messages=half),
    )
    resend(engine)
    release(engine, held)


@pytest.mark.parametrize("happened", [unknown_and_resent, sent_again, not_named_and_resent])
def test_what_an_earlier_request_may_have_brought_is_not_handed_over(
    engine: Engine, happened: Callable[[Engine], None]
) -> None:
    a_batch(engine)
    happened(engine)
    assert states(engine)[0] == "queued"
    close(engine)

    hand_over(engine)

    assert providers(engine)[0] == PROVIDER
    assert_counts(engine)


def test_what_is_unknown_stays_and_the_rest_of_its_batch_goes(engine: Engine) -> None:
    held = lease(engine, a_batch(engine, 3))
    (marked,) = mark(engine, held, due_rows(engine, held)[:1])
    record(engine, unclear(marked))
    release(engine, held)
    close(engine)

    assert hand_over(engine) == 2
    assert states(engine) == ["unknown", "queued", "queued"]
    assert providers(engine) == [PROVIDER, FALLBACK, FALLBACK]
    assert_counts(engine)


@pytest.mark.parametrize("end", [not_sent, lambda marked: result(marked, M.QUEUED)])
def test_what_was_surely_not_accepted_goes(engine: Engine, end: Callable[[Marked], SubmissionResult]) -> None:
    held = lease(engine, a_batch(engine, 1))
    (marked,) = mark(engine, held)
    record(engine, end(marked))
    release(engine, held)
    close(engine)

    assert hand_over(engine) == 1


# --- a message that is given up


def test_a_message_whose_retries_are_used_up_goes_to_the_fallback(engine: Engine) -> None:
    marked = one_out(engine, 2)

    record(engine, given_up(marked))

    assert providers(engine) == [FALLBACK] * 2
    assert {(row["state"], row["attempts"], row["price_micros"]) for row in rows(engine)} == {
        ("queued", 0, 400_000)
    }
    assert_counts(engine)


def test_it_is_due_at_once_and_its_own_batch_is_done(engine: Engine) -> None:
    held = lease(engine, a_batch(engine, 1))
    (marked,) = mark(engine, held)

    record(engine, given_up(marked))
    release(engine, held)

    assert batch(engine, held.batch_id)["state"] == "done"
    assert try_lease(engine, int(str(rows(engine)[0]["batch_id"]))) is not None


def test_only_what_is_given_up_goes(engine: Engine) -> None:
    held = lease(engine, a_batch(engine, 3))
    marked = mark(engine, held, *([row] for row in due_rows(engine, held)))

    ends: Sequence[SubmissionResult] = [
        given_up(marked[0]),
        result(marked[1], M.QUEUED),
        result(marked[2], M.ACCEPTED),
    ]
    record(engine, *ends)

    assert states(engine) == ["queued", "queued", "accepted"]
    assert providers(engine) == [FALLBACK, PROVIDER, PROVIDER]
    assert_counts(engine)


def test_a_message_that_is_given_up_without_a_fallback_fails(engine: Engine) -> None:
    marked = one_out(engine, fallback=None)

    record(engine, given_up(marked))

    assert [(row["state"], row["code"]) for row in rows(engine)] == [("failed", "503")]
    assert_counts(engine)


def test_a_message_that_is_given_up_fails_when_nobody_serves_its_fallback_any_more(engine: Engine) -> None:
    marked = one_out(engine)

    do(engine, outcomes.record, [given_up(marked)], providers=(PROVIDER,))

    assert (states(engine), providers(engine)) == (["failed"], [PROVIDER])
    assert_counts(engine)


def test_a_message_that_is_given_up_at_the_fallback_fails(engine: Engine) -> None:
    record(engine, given_up(one_out(engine)))
    held = lease(engine, int(str(rows(engine)[0]["batch_id"])))

    record(engine, given_up(mark(engine, held)[0]))

    assert states(engine) == ["failed"]
    assert_counts(engine)


def test_a_message_that_is_given_up_after_an_unknown_fails(engine: Engine) -> None:
    held = lease(engine, a_batch(engine, 1))
    record(engine, unclear(mark(engine, held)[0]))
    resend(engine)

    record(engine, given_up(mark(engine, held)[0]))

    assert (states(engine), providers(engine)) == (["failed"], [PROVIDER])
    assert_counts(engine)


def test_a_message_that_is_given_up_in_a_cancelled_campaign_is_cancelled(engine: Engine) -> None:
    marked = one_out(engine)
    cancel(engine, 1)

    record(engine, given_up(marked))

    assert (states(engine), providers(engine)) == (["cancelled"], [PROVIDER])
    assert_counts(engine)


def test_a_message_that_is_given_up_twice_in_one_go_moves_once(engine: Engine) -> None:
    marked = one_out(engine)

    record(engine, given_up(marked), given_up(marked))

    assert providers(engine) == [FALLBACK]
    assert_counts(engine)


def test_a_message_that_is_given_up_for_sure_goes_though_nobody_knew_of_its_request_before(
    engine: Engine,
) -> None:
    marked = one_out(engine)
    record(engine, unclear(marked))

    record(engine, given_up(marked))

    assert (states(engine), providers(engine)) == (["queued"], [FALLBACK])
    assert_counts(engine)


def give_up_one_by_one(engine: Engine, between: Callable[[Engine, int], object]) -> list[int]:
    """Give two messages up, one after the other; return the batches they go to.

    Args:
        engine: of the ledger.
        between: what happens to the batch of the first before the second follows.
    """
    held = lease(engine, a_batch(engine))
    first, second = mark(engine, held, *([row] for row in due_rows(engine, held)))
    record(engine, given_up(first))
    between(engine, int(str(rows(engine)[0]["batch_id"])))
    record(engine, given_up(second))
    assert providers(engine) == [FALLBACK] * 2
    return [int(str(row["batch_id"])) for row in rows(engine)]


def test_what_follows_joins_what_waits_at_the_fallback(engine: Engine) -> None:
    one, other = give_up_one_by_one(engine, lambda _, __: None)

    assert one == other
    assert batch(engine, one)["queued"] == 2
    assert_counts(engine)


def test_what_follows_joins_nothing_that_is_worked_on(engine: Engine) -> None:
    one, other = give_up_one_by_one(engine, lease)

    assert one != other
    assert_counts(engine)


@pytest.mark.parametrize(("n_rows", "is_joined"), [(999, True), (1000, False)])
def test_what_follows_joins_nothing_that_is_full(engine: Engine, n_rows: int, *, is_joined: bool) -> None:
    one, other = give_up_one_by_one(
        engine, lambda engine, number: change_batch(engine, number, accepted=n_rows - 1)
    )

    assert (one == other) is is_joined


def test_what_is_joined_is_due_at_once_and_its_hint_is_published_anew(engine: Engine) -> None:
    later = {"next_due_at": ago(-3_600_000), "published_at": ago(0), "n_hints": 3}

    one, other = give_up_one_by_one(engine, lambda engine, number: change_batch(engine, number, **later))

    assert one == other
    found = batch(engine, one)
    assert (found["next_due_at"], found["published_at"], found["n_hints"]) == (
        rows(engine)[1]["due_at"],
        None,
        0,
    )


def test_what_is_joined_and_due_already_keeps_its_hint(engine: Engine) -> None:
    one, _ = give_up_one_by_one(engine, lambda engine, number: do(engine, hints.note_published, [number]))

    assert batch(engine, one)["n_hints"] == 1


def test_the_messages_of_another_campaign_are_not_joined(engine: Engine) -> None:
    for name in "ab":
        (marked,) = mark(engine, lease(engine, a_batch(engine, 1, name=name)))
        record(engine, given_up(marked))

    one, other = rows(engine)
    assert one["batch_id"] != other["batch_id"]
    assert_counts(engine)


def test_a_late_acceptance_by_the_first_provider_counts_for_what_has_gone_to_the_fallback(
    engine: Engine,
) -> None:
    marked = one_out(engine)
    record(engine, given_up(marked))

    record(engine, result(marked, M.ACCEPTED))

    assert states(engine) == ["accepted"]
    assert not rows(engine)[0]["is_doubled"]
    assert_counts(engine)
