from dataclasses import replace

import pytest
from sqlalchemy import Engine

from tests.ledgers import (
    PROVIDER,
    account,
    ago,
    assert_counts,
    batch,
    cancel,
    change_account,
    change_messages,
    change_submissions,
    do,
    due_rows,
    lease,
    mark,
    not_sent,
    record,
    release,
    result,
    rows,
    run_campaign,
    states,
    submissions,
    try_lease,
    unclear,
)
from worker.errors import InputError
from worker.ledger import settling
from worker.ledger.engine import reading
from worker.ledger.settling import Asked, UnknownMessage
from worker.ledger.values import Marked, SubmissionResult
from worker.states import MessageState, SubmissionOutcome

M = MessageState
SETTLE_MS = 30_000
INTERVAL_MS = 120_000
QUARANTINE_MS = 900_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
PATIENCE_MS = 72 * HOUR_MS


def lost(engine: Engine, *sizes: int, name: str = "spring") -> list[Marked]:
    """Send a campaign in requests of these sizes, of none of which anybody knows; give the batch back."""
    held = lease(engine, run_campaign(engine, sum(sizes), name=name))
    found = iter(due_rows(engine, held))
    marked = mark(engine, held, *([next(found) for _ in range(size)] for size in sizes))
    record(engine, *map(unclear, marked))
    release(engine, held)
    return marked


def grow_old(engine: Engine, ms: int) -> None:
    """Let all messages be so long as they are."""
    change_messages(engine, changed_at=ago(ms))


def to_ask(
    engine: Engine, provider: str = PROVIDER, *, settle_ms: int = SETTLE_MS, interval_ms: int = INTERVAL_MS
) -> list[Asked]:
    with reading(engine) as connection:
        return settling.to_ask(
            connection, provider, settle_ms=settle_ms, interval_ms=interval_ms, patience_ms=PATIENCE_MS
        )


def missing(engine: Engine, *, minutes_ago: int = 0) -> int:
    """Have an answer that proves that no unknown request was ever received, as if so long ago."""
    asked = to_ask(engine, settle_ms=0, interval_ms=0)
    n_queued = do(engine, settling.note_missing, asked, quarantine_ms=QUARANTINE_MS)
    if minutes_ago:
        change_submissions(engine, missing_at=ago(minutes_ago * MINUTE_MS))
    return n_queued


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


def half_answered(marked: Marked) -> SubmissionResult:
    """Say that the gateway accepted the last message of a request and named no other."""
    *others, last = marked.rows
    messages = (
        *result(replace(marked, rows=tuple(others)), M.UNKNOWN).messages,
        *result(replace(marked, rows=(last,)), M.ACCEPTED).messages,
    )
    return SubmissionResult(reference=marked.reference, outcome=SubmissionOutcome.ANSWERED, messages=messages)


# --- what is to be asked about


def test_a_request_is_asked_about_some_time_after_it_became_unknown(engine: Engine) -> None:
    (marked,) = lost(engine, 2)
    before = to_ask(engine)

    grow_old(engine, SETTLE_MS)

    (asked,) = to_ask(engine)
    assert before == []
    assert asked.reference == marked.reference
    assert asked.messages == {row.msisdn: row.id for row in marked.rows}
    assert asked.sent_at == submissions(engine)[0]["started_at"]


@pytest.mark.parametrize(("asked_ms_ago", "is_due"), [(INTERVAL_MS - 10_000, False), (INTERVAL_MS, True)])
def test_it_is_asked_about_again_after_the_interval(
    engine: Engine, asked_ms_ago: int, *, is_due: bool
) -> None:
    lost(engine, 1)
    grow_old(engine, SETTLE_MS)
    do(engine, settling.note_asked, [to_ask(engine)[0].submission_id])
    at_once = to_ask(engine)

    change_submissions(engine, asked_at=ago(asked_ms_ago))

    assert at_once == []
    assert bool(to_ask(engine)) is is_due


@pytest.mark.parametrize(("asked_ms_ago", "is_due"), [(HOUR_MS - 10_000, False), (HOUR_MS, True)])
def test_what_has_been_unknown_for_long_is_asked_about_less_often(
    engine: Engine, asked_ms_ago: int, *, is_due: bool
) -> None:
    lost(engine, 1)
    grow_old(engine, 8 * HOUR_MS - 5000)

    change_submissions(engine, asked_at=ago(asked_ms_ago))

    assert bool(to_ask(engine)) is is_due


def test_when_one_is_due_the_others_are_asked_about_too_those_first_that_waited_longest(
    engine: Engine,
) -> None:
    lost(engine, 1, 1, 1)
    grow_old(engine, SETTLE_MS)
    first, _, third = to_ask(engine)
    do(engine, settling.note_asked, [first.submission_id])

    assert [each.submission_id for each in to_ask(engine)][1:] == [third.submission_id, first.submission_id]


@pytest.mark.parametrize("end", [M.ACCEPTED, M.REJECTED, M.QUEUED])
def test_what_is_known_is_not_asked_about(engine: Engine, end: MessageState) -> None:
    (marked,) = lost(engine, 1)
    grow_old(engine, SETTLE_MS)
    record(engine, result(marked, end))
    grow_old(engine, SETTLE_MS)

    assert to_ask(engine) == []


def test_of_a_request_that_was_answered_for_some_the_others_are_asked_about(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 3))
    (marked,) = mark(engine, held)
    record(engine, half_answered(marked))
    grow_old(engine, SETTLE_MS)

    (asked,) = to_ask(engine)

    assert list(asked.messages.values()) == [row.id for row in marked.rows[:2]]


def test_after_the_patience_nobody_is_asked_any_more(engine: Engine) -> None:
    lost(engine, 1)
    grow_old(engine, PATIENCE_MS - MINUTE_MS)
    before = to_ask(engine)

    grow_old(engine, PATIENCE_MS)

    assert (len(before), to_ask(engine)) == (1, [])


def test_another_provider_is_not_asked(engine: Engine) -> None:
    lost(engine, 1)
    grow_old(engine, SETTLE_MS)

    assert to_ask(engine, "another") == []


# --- whose turn it is


def test_a_gateway_is_asked_once_in_an_interval(engine: Engine) -> None:
    claims = [do(engine, settling.claim_look_up, PROVIDER, interval_ms=INTERVAL_MS) for _ in range(2)]

    assert claims == [True, False]


@pytest.mark.parametrize(("ms", "may_ask"), [(INTERVAL_MS - 10_000, False), (INTERVAL_MS, True)])
def test_it_may_be_asked_again_when_the_interval_is_over(engine: Engine, ms: int, *, may_ask: bool) -> None:
    do(engine, settling.claim_look_up, PROVIDER, interval_ms=INTERVAL_MS)
    change_account(engine, asked_at=ago(ms))

    assert do(engine, settling.claim_look_up, PROVIDER, interval_ms=INTERVAL_MS) is may_ask


def test_a_look_up_closes_no_account(engine: Engine) -> None:
    batch_id = run_campaign(engine)

    do(engine, settling.claim_look_up, PROVIDER, interval_ms=INTERVAL_MS)

    assert try_lease(engine, batch_id) is not None
    assert account(engine)["not_before"] == 0


# --- never received


def test_what_was_never_received_is_queued_again_on_the_second_answer(engine: Engine) -> None:
    lost(engine, 2)
    grow_old(engine, QUARANTINE_MS)
    first = missing(engine, minutes_ago=1)
    between = states(engine)

    second = missing(engine)

    assert (first, between) == (0, ["unknown"] * 2)
    assert (second, states(engine)) == (2, ["queued"] * 2)
    assert {(row["code"], row["attempts"]) for row in rows(engine)} == {("never_received", 0)}
    assert_counts(engine)


def test_what_was_never_received_can_be_leased_again(engine: Engine) -> None:
    (marked,) = lost(engine, 1)
    batch_id = int(str(rows(engine)[0]["batch_id"]))
    assert try_lease(engine, batch_id) is None
    grow_old(engine, QUARANTINE_MS)
    missing(engine, minutes_ago=1)
    missing(engine)

    (again,) = mark(engine, lease(engine, batch_id))

    assert [row.id for row in again.rows] == [row.id for row in marked.rows]
    assert again.reference != marked.reference


def test_answers_in_the_same_minute_count_once(engine: Engine) -> None:
    lost(engine, 1)
    grow_old(engine, QUARANTINE_MS)

    assert [missing(engine) for _ in range(3)] == [0, 0, 0]
    assert [each["n_missing"] for each in submissions(engine)] == [1]


def test_answers_within_the_quarantine_do_not_count(engine: Engine) -> None:
    lost(engine, 1)
    grow_old(engine, QUARANTINE_MS - 60_000)

    assert [missing(engine, minutes_ago=2) for _ in range(3)] == [0, 0, 0]
    assert [each["n_missing"] for each in submissions(engine)] == [0]


def test_a_late_acceptance_counts_after_it_was_queued_on_proof_and_once_it_is_out_again_alarms(
    engine: Engine,
) -> None:
    (first,) = lost(engine, 1)
    grow_old(engine, QUARANTINE_MS)
    missing(engine, minutes_ago=1)
    missing(engine)
    mark(engine, lease(engine, int(str(rows(engine)[0]["batch_id"]))))

    record(engine, result(first, M.ACCEPTED))

    assert [(row["state"], row["is_doubled"]) for row in rows(engine)] == [("accepted", True)]
    assert_counts(engine)


def test_what_was_never_received_in_a_cancelled_campaign_is_cancelled(engine: Engine) -> None:
    lost(engine, 1)
    cancel(engine, 1)
    grow_old(engine, QUARANTINE_MS)
    missing(engine, minutes_ago=1)

    missing(engine)

    assert states(engine) == ["cancelled"]
    assert_counts(engine)


# --- what is known to be accepted


def control(engine: Engine) -> list[Asked]:
    with reading(engine) as connection:
        return settling.known_control(connection, PROVIDER)


def test_the_newest_request_that_the_gateway_said_it_accepted_is_known(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 3))
    older, newer, lost = mark(engine, held, *([row] for row in due_rows(engine, held)))
    record(engine, result(older, M.ACCEPTED), result(newer, M.ACCEPTED), unclear(lost))

    (found,) = control(engine)

    assert found.reference == newer.reference
    assert found.messages == {row.msisdn: row.id for row in newer.rows}


@pytest.mark.parametrize("end", [unclear, not_sent, lambda marked: result(marked, M.REJECTED)])
def test_what_the_gateway_did_not_accept_is_no_comparison(engine: Engine, end: object) -> None:
    (marked,) = lost(engine, 1)
    assert callable(end)
    record(engine, end(marked))

    assert control(engine) == []


def test_what_a_person_called_accepted_is_no_comparison(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2))
    (marked,) = mark(engine, held)
    record(engine, half_answered(marked))
    settle(engine, M.ACCEPTED)

    (found,) = control(engine)

    assert list(found.messages.values()) == [marked.rows[1].id]


# --- a person


@pytest.mark.parametrize("target", [M.ACCEPTED, M.FAILED, M.QUEUED])
def test_a_person_settles_a_campaign_batch_by_batch(engine: Engine, target: MessageState) -> None:
    lost(engine, 1, 2)
    lost(engine, 2, name="summer")

    settled = settle(engine, target)

    assert settled == [3, 2]
    assert {(row["state"], row["code"], row["detail"]) for row in rows(engine)} == {
        (target, "settled", "by ann")
    }
    assert_counts(engine)


def test_only_the_campaign_that_is_named_is_settled(engine: Engine) -> None:
    lost(engine, 1)
    lost(engine, 1, name="summer")

    settle(engine, M.FAILED, campaign_id=2)

    assert states(engine) == ["unknown", "failed"]


def test_only_the_messages_that_are_named_are_settled(engine: Engine) -> None:
    (marked,) = lost(engine, 3)

    settle(engine, M.ACCEPTED, message_ids=[marked.rows[1].id])

    assert states(engine) == ["unknown", "accepted", "unknown"]
    assert_counts(engine)


@pytest.mark.parametrize(("target", "attempts"), [(M.QUEUED, 0), (M.ACCEPTED, 1), (M.FAILED, 1)])
def test_a_resend_that_is_ordered_begins_anew(engine: Engine, target: MessageState, attempts: int) -> None:
    lost(engine, 1)

    settle(engine, target)

    assert [row["attempts"] for row in rows(engine)] == [attempts]


def test_what_is_sent_again_by_order_can_be_leased(engine: Engine) -> None:
    lost(engine, 1)

    settle(engine, M.QUEUED)

    assert len(mark(engine, lease(engine, int(str(rows(engine)[0]["batch_id"]))))) == 1


def test_in_a_cancelled_campaign_nothing_is_sent_again(engine: Engine) -> None:
    lost(engine, 1)
    cancel(engine, 1)

    settle(engine, M.QUEUED)

    assert states(engine) == ["cancelled"]
    assert batch(engine, int(str(rows(engine)[0]["batch_id"])))["state"] == "done"
    assert_counts(engine)


def test_a_request_that_a_person_settled_stays_one_of_which_nobody_knows(engine: Engine) -> None:
    lost(engine, 1)

    settle(engine, M.ACCEPTED)

    assert [each["outcome"] for each in submissions(engine)] == ["unknown"]


@pytest.mark.parametrize("target", [M.FAILED, M.QUEUED])
def test_what_the_gateway_says_later_counts_more_than_what_a_person_said(
    engine: Engine, target: MessageState
) -> None:
    (marked,) = lost(engine, 1)
    settle(engine, target)

    record(engine, result(marked, M.ACCEPTED))

    assert states(engine) == ["accepted"]
    assert_counts(engine)


@pytest.mark.parametrize("late", [M.QUEUED, M.REJECTED, M.UNKNOWN])
def test_nothing_else_that_is_heard_later_changes_what_a_person_said(
    engine: Engine, late: MessageState
) -> None:
    (marked,) = lost(engine, 1)
    settle(engine, M.FAILED)

    record(engine, result(marked, late))

    assert states(engine) == ["failed"]
    assert_counts(engine)


def test_only_what_is_unknown_can_be_settled(engine: Engine) -> None:
    (marked,) = lost(engine, 2)
    first, second = (row.id for row in marked.rows)
    settle(engine, M.ACCEPTED, message_ids=[first])

    with pytest.raises(InputError, match=rf"Not unknown, hence not to be settled: {first}, 999; see"):
        do(engine, settling.require_unknown, [first, second, 999])


def test_what_is_unknown_may_be_settled(engine: Engine) -> None:
    (marked,) = lost(engine, 2)

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
    (marked,) = lost(engine, 2)
    change_messages(engine, changed_at=ago(HOUR_MS))
    lost(engine, 1, name="summer")

    old, _, young = unknown(engine)

    assert (old.msisdn, old.line, old.campaign_id) == (marked.rows[0].msisdn, 2, 1)
    assert (old.provider, old.reference, old.code) == (PROVIDER, marked.reference, "unknown")
    assert HOUR_MS <= old.age_ms < HOUR_MS + MINUTE_MS
    assert young.campaign_id == 2


def test_as_many_are_shown_as_are_wished_and_of_the_campaign_that_is_named(engine: Engine) -> None:
    lost(engine, 2)
    lost(engine, 2, name="summer")

    assert len(unknown(engine, limit=3)) == 3
    assert {each.campaign_id for each in unknown(engine, campaign_id=2)} == {2}
    assert unknown(engine, campaign_id=10**30) == []


@pytest.mark.parametrize(("hours", "is_final"), [(71, False), (72, True)])
def test_after_the_patience_it_is_final(engine: Engine, hours: int, *, is_final: bool) -> None:
    lost(engine, 1)
    grow_old(engine, hours * HOUR_MS)

    assert [each.is_final for each in unknown(engine)] == [is_final]


def test_ages_by_provider(engine: Engine) -> None:
    lost(engine, 2)
    grow_old(engine, HOUR_MS)
    lost(engine, 1, name="summer")

    with reading(engine) as connection:
        found = settling.ages(connection)

    assert found == {PROVIDER: (3, rows(engine)[0]["changed_at"])}


def test_without_anything_unknown_there_are_no_ages(engine: Engine) -> None:
    run_campaign(engine)

    with reading(engine) as connection:
        assert settling.ages(connection) == {}
