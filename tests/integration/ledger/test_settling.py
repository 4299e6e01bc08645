import pytest
from sqlalchemy import Engine, update

from tests.ledgers import (
    PROVIDER,
    ago,
    assert_counts,
    batch,
    cancel,
    change_messages,
    do,
    due_rows,
    grow_old,
    half_answered,
    lease,
    lose,
    mark,
    record,
    release,
    result,
    rows,
    run_campaign,
    states,
    submissions,
    unclear,
)
from worker.errors import InputError
from worker.ledger import settling
from worker.ledger.engine import now_of, reading, writing
from worker.ledger.models import MESSAGES
from worker.ledger.settling import UnknownMessage
from worker.states import MessageState

M = MessageState
SETTLE_MS = 30_000
INTERVAL_MS = 120_000
QUARANTINE_MS = 900_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
PATIENCE_MS = 72 * HOUR_MS


def settle(
    engine: Engine,
    target: MessageState,
    *,
    campaign_id: int | None = None,
    message_ids: list[int] | None = None,
) -> list[int]:
    """Settle batch by batch; return how many messages were settled in each."""
    found = []
    while (
        n := do(
            engine, settling.settle, target, author="ann", campaign_id=campaign_id, message_ids=message_ids
        )
    ) is not None:
        found.append(n)
    return found


def unknown(engine: Engine, **facts: int) -> list[UnknownMessage]:
    with reading(engine) as connection:
        return settling.unknown(connection, **{"limit": 100, "patience_ms": PATIENCE_MS, **facts})


@pytest.mark.parametrize("target", [M.ACCEPTED, M.FAILED, M.QUEUED])
def test_a_person_settles_a_campaign_batch_by_batch(engine: Engine, target: MessageState) -> None:
    lose(engine, 1, 2)
    lose(engine, 2, name="summer")

    settled = settle(engine, target)

    assert settled == [3, 2]
    assert {(row["state"], row["code"], row["detail"]) for row in rows(engine)} == {
        (target, "settled", "by ann")
    }
    assert_counts(engine)


def test_only_the_campaign_that_is_named_is_settled(engine: Engine) -> None:
    lose(engine, 1)
    lose(engine, 1, name="summer")

    settle(engine, M.FAILED, campaign_id=2)

    assert states(engine) == ["unknown", "failed"]


def test_only_the_messages_that_are_named_are_settled(engine: Engine) -> None:
    (marked,) = lose(engine, 3)

    settle(engine, M.ACCEPTED, message_ids=[marked.rows[1].id])

    assert states(engine) == ["unknown", "accepted", "unknown"]
    assert_counts(engine)


@pytest.mark.parametrize("target", [M.ACCEPTED, M.QUEUED])
def test_what_became_unknown_after_the_order_is_not_settled_by_it(
    engine: Engine, target: MessageState
) -> None:
    lose(engine, 1)
    grow_old(engine, MINUTE_MS)
    until = do(engine, now_of) - 1
    lose(engine, 1, name="summer")

    while do(engine, settling.settle, target, author="ann", until=until) is not None:
        pass

    assert states(engine) == [target, "unknown"]
    assert_counts(engine)


def test_of_one_batch_only_what_was_unknown_before_the_order_is_settled(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2))
    first, second = due_rows(engine, held)
    for row in (first, second):
        record(engine, *map(unclear, mark(engine, held, [row])))
    release(engine, held)
    with writing(engine) as connection:
        connection.execute(update(MESSAGES).where(MESSAGES.c.id == first.id).values(changed_at=1000))

    do(engine, settling.settle, M.FAILED, author="ann", campaign_id=1, until=1000)

    assert states(engine) == ["failed", "unknown"]
    assert do(engine, settling.settle, M.FAILED, author="ann", campaign_id=1, until=1000) is None


def test_an_order_to_send_again_is_given_once_whatever_becomes_of_it(engine: Engine) -> None:
    lose(engine, 1)
    until = do(engine, now_of)
    do(engine, settling.settle, M.QUEUED, author="ann", until=until)
    record(engine, *map(unclear, mark(engine, lease(engine, int(str(rows(engine)[0]["batch_id"]))))))
    grow_old(engine, -MINUTE_MS)

    again = do(engine, settling.settle, M.QUEUED, author="ann", until=until)

    assert again is None
    assert states(engine) == ["unknown"]


@pytest.mark.parametrize(("target", "attempts"), [(M.QUEUED, 0), (M.ACCEPTED, 1), (M.FAILED, 1)])
def test_a_resend_that_is_ordered_begins_anew(engine: Engine, target: MessageState, attempts: int) -> None:
    lose(engine, 1)

    settle(engine, target)

    assert [row["attempts"] for row in rows(engine)] == [attempts]


def test_what_is_sent_again_by_order_can_be_leased(engine: Engine) -> None:
    lose(engine, 1)

    settle(engine, M.QUEUED)

    assert len(mark(engine, lease(engine, int(str(rows(engine)[0]["batch_id"]))))) == 1


def test_in_a_cancelled_campaign_nothing_is_sent_again(engine: Engine) -> None:
    lose(engine, 1)
    cancel(engine, 1)

    settle(engine, M.QUEUED)

    assert states(engine) == ["cancelled"]
    assert batch(engine, int(str(rows(engine)[0]["batch_id"])))["state"] == "done"
    assert_counts(engine)


def test_a_request_that_a_person_settled_stays_one_of_which_nobody_knows(engine: Engine) -> None:
    lose(engine, 1)

    settle(engine, M.ACCEPTED)

    assert [each["outcome"] for each in submissions(engine)] == ["unknown"]


@pytest.mark.parametrize("target", [M.FAILED, M.QUEUED])
def test_what_the_gateway_says_later_counts_more_than_what_a_person_said(
    engine: Engine, target: MessageState
) -> None:
    (marked,) = lose(engine, 1)
    settle(engine, target)

    record(engine, result(marked, M.ACCEPTED))

    assert states(engine) == ["accepted"]
    assert_counts(engine)


@pytest.mark.parametrize("late", [M.QUEUED, M.REJECTED, M.UNKNOWN])
def test_nothing_else_that_is_heard_later_changes_what_a_person_said(
    engine: Engine, late: MessageState
) -> None:
    (marked,) = lose(engine, 1)
    settle(engine, M.FAILED)

    record(engine, result(marked, late))

    assert states(engine) == ["failed"]
    assert_counts(engine)


def test_only_what_is_unknown_can_be_settled(engine: Engine) -> None:
    (marked,) = lose(engine, 2)
    first, second = (row.id for row in marked.rows)
    settle(engine, M.ACCEPTED, message_ids=[first])

    with pytest.raises(InputError, match=rf"Not unknown, hence not to be settled: {first}, 999; see"):
        do(engine, settling.require_unknown, [first, second, 999])


def test_what_is_unknown_may_be_settled(engine: Engine) -> None:
    (marked,) = lose(engine, 2)

    do(engine, settling.require_unknown, [row.id for row in marked.rows])


def test_a_number_that_no_database_can_hold_is_not_unknown(engine: Engine) -> None:
    with pytest.raises(InputError, match="Not unknown"):
        do(engine, settling.require_unknown, [10**30])


def not_named(engine: Engine) -> None:
    """Have the first message of a request unknown, and the second accepted."""
    (marked,) = mark(engine, lease(engine, run_campaign(engine, 2)))
    record(engine, half_answered(marked))


def test_a_request_whose_one_message_is_sent_again_by_order_says_so(engine: Engine) -> None:
    not_named(engine)

    settle(engine, M.QUEUED)

    assert [each["code"] for each in submissions(engine)] == ["resent"]


# --- shown


def test_what_is_unknown_is_shown_with_its_request_and_its_age_oldest_first(engine: Engine) -> None:
    (marked,) = lose(engine, 2)
    change_messages(engine, changed_at=ago(HOUR_MS))
    lose(engine, 1, name="summer")

    old, _, young = unknown(engine)

    assert (old.msisdn, old.line, old.campaign_id) == (marked.rows[0].msisdn, 2, 1)
    assert (old.provider, old.reference, old.code) == (PROVIDER, marked.reference, "unknown")
    assert HOUR_MS <= old.age_ms < HOUR_MS + MINUTE_MS
    assert young.campaign_id == 2


def test_as_many_are_shown_as_are_wished_and_of_the_campaign_that_is_named(engine: Engine) -> None:
    lose(engine, 2)
    lose(engine, 2, name="summer")

    assert len(unknown(engine, limit=3)) == 3
    assert {each.campaign_id for each in unknown(engine, campaign_id=2)} == {2}
    assert unknown(engine, campaign_id=10**30) == []


@pytest.mark.parametrize(("hours", "is_final"), [(71, False), (72, True)])
def test_after_the_patience_it_is_final(engine: Engine, hours: int, *, is_final: bool) -> None:
    lose(engine, 1)
    grow_old(engine, hours * HOUR_MS)

    assert [each.is_final for each in unknown(engine)] == [is_final]


def test_ages_by_provider(engine: Engine) -> None:
    lose(engine, 2)
    grow_old(engine, HOUR_MS)
    lose(engine, 1, name="summer")

    with reading(engine) as connection:
        found = settling.ages(connection)

    assert found == {PROVIDER: (3, rows(engine)[0]["changed_at"])}


def test_without_anything_unknown_there_are_no_ages(engine: Engine) -> None:
    run_campaign(engine)

    with reading(engine) as connection:
        assert settling.ages(connection) == {}
