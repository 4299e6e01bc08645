from dataclasses import replace

import pytest
from sqlalchemy import Engine

from tests.ledgers import (
    LOGIN,
    PROVIDER,
    account,
    ago,
    assert_counts,
    cancel,
    change_account,
    change_messages,
    change_submissions,
    do,
    due_rows,
    grow_old,
    half_answered,
    lease,
    lose,
    mark,
    not_sent,
    record,
    result,
    rows,
    run_campaign,
    states,
    submissions,
    try_lease,
    unclear,
)
from worker.ledger import asking, rates, retrying, settling
from worker.ledger.asking import Asked
from worker.ledger.engine import reading
from worker.ledger.values import Marked
from worker.states import MessageState, SubmissionOutcome

M = MessageState
SETTLE_MS = 30_000
INTERVAL_MS = 120_000
QUARANTINE_MS = 900_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
PATIENCE_MS = 72 * HOUR_MS
YOUNGER = Asked(submission_id=2**62, reference="younger", sent_at=0, messages={})


def to_ask(
    engine: Engine,
    provider: str = PROVIDER,
    *,
    login: str = LOGIN,
    settle_ms: int = SETTLE_MS,
    interval_ms: int = INTERVAL_MS,
) -> list[Asked]:
    with reading(engine) as connection:
        return asking.to_ask(
            connection,
            provider,
            login=login,
            settle_ms=settle_ms,
            interval_ms=interval_ms,
            patience_ms=PATIENCE_MS,
        )


def missing(engine: Engine, *, minutes_ago: int = 0) -> int:
    """Have an answer that proves that no unknown request was ever received, as if so long ago."""
    asked = to_ask(engine, settle_ms=0, interval_ms=0)
    n_queued = do(
        engine, asking.note_missing, asked, seen=[YOUNGER], login=LOGIN, quarantine_ms=QUARANTINE_MS
    )
    if minutes_ago:
        change_submissions(engine, missing_at=ago(minutes_ago * MINUTE_MS))
    return n_queued


# --- what is to be asked about


def test_a_request_is_asked_about_some_time_after_it_became_unknown(engine: Engine) -> None:
    (marked,) = lose(engine, 2)
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
    lose(engine, 1)
    grow_old(engine, SETTLE_MS)
    do(engine, asking.note_asked, [to_ask(engine)[0].submission_id])
    at_once = to_ask(engine)

    change_submissions(engine, asked_at=ago(asked_ms_ago))

    assert at_once == []
    assert bool(to_ask(engine)) is is_due


@pytest.mark.parametrize(("asked_ms_ago", "is_due"), [(HOUR_MS - 10_000, False), (HOUR_MS, True)])
def test_what_has_been_unknown_for_long_is_asked_about_less_often(
    engine: Engine, asked_ms_ago: int, *, is_due: bool
) -> None:
    lose(engine, 1)
    grow_old(engine, 8 * HOUR_MS - 5000)

    change_submissions(engine, asked_at=ago(asked_ms_ago))

    assert bool(to_ask(engine)) is is_due


def test_when_one_is_due_the_others_are_asked_about_too_those_first_that_waited_longest(
    engine: Engine,
) -> None:
    lose(engine, 1, 1, 1)
    grow_old(engine, SETTLE_MS)
    first, _, third = to_ask(engine)
    do(engine, asking.note_asked, [first.submission_id])

    assert [each.submission_id for each in to_ask(engine)][1:] == [third.submission_id, first.submission_id]


@pytest.mark.parametrize("end", [M.ACCEPTED, M.REJECTED, M.QUEUED])
def test_what_is_known_is_not_asked_about(engine: Engine, end: MessageState) -> None:
    (marked,) = lose(engine, 1)
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
    lose(engine, 1)
    grow_old(engine, PATIENCE_MS - MINUTE_MS)
    before = to_ask(engine)

    grow_old(engine, PATIENCE_MS)

    assert (len(before), to_ask(engine)) == (1, [])


@pytest.mark.parametrize(
    ("sizes", "asked"),
    [([300, 200, 1], [300, 200]), ([300, 201, 1], [300]), ([501, 1], [501])],
)
def test_no_more_is_asked_about_than_is_written_at_once_and_every_request_is_whole(
    engine: Engine, sizes: list[int], asked: list[int]
) -> None:
    lose(engine, *sizes)
    grow_old(engine, SETTLE_MS)

    assert [len(each.messages) for each in to_ask(engine)] == asked


def test_another_provider_is_not_asked(engine: Engine) -> None:
    lose(engine, 1)
    grow_old(engine, SETTLE_MS)

    assert to_ask(engine, "another") == []


def test_what_another_login_has_sent_is_not_asked_about(engine: Engine) -> None:
    lose(engine, 1)
    grow_old(engine, SETTLE_MS)

    assert to_ask(engine, login="another") == []


def test_what_an_older_bulksend_has_sent_is_asked_about_by_any_login(engine: Engine) -> None:
    lose(engine, 1)
    grow_old(engine, SETTLE_MS)
    change_submissions(engine, login=None)

    assert len(to_ask(engine)) == 1


# --- whose turn it is


def test_a_gateway_is_asked_once_in_an_interval(engine: Engine) -> None:
    claims = [do(engine, asking.claim_look_up, PROVIDER, interval_ms=INTERVAL_MS) for _ in range(2)]

    assert claims == [True, False]


def test_providers_of_one_login_ask_together_once_in_an_interval(engine: Engine) -> None:
    do(engine, rates.note_rates, {PROVIDER: ("one", ""), "another": ("one", ""), "third": ("two", "")})

    claims = [
        do(engine, asking.claim_look_up, each, interval_ms=INTERVAL_MS)
        for each in (PROVIDER, "another", "third")
    ]

    assert claims == [True, False, True]


@pytest.mark.parametrize(("ms", "may_ask"), [(INTERVAL_MS - 10_000, False), (INTERVAL_MS, True)])
def test_it_may_be_asked_again_when_the_interval_is_over(engine: Engine, ms: int, *, may_ask: bool) -> None:
    do(engine, asking.claim_look_up, PROVIDER, interval_ms=INTERVAL_MS)
    change_account(engine, asked_at=ago(ms))

    assert do(engine, asking.claim_look_up, PROVIDER, interval_ms=INTERVAL_MS) is may_ask


def test_a_look_up_closes_no_account(engine: Engine) -> None:
    batch_id = run_campaign(engine)

    do(engine, asking.claim_look_up, PROVIDER, interval_ms=INTERVAL_MS)

    assert try_lease(engine, batch_id) is not None
    assert account(engine)["not_before"] == 0


# --- never received


def test_what_was_never_received_is_queued_again_on_the_second_answer(engine: Engine) -> None:
    lose(engine, 2)
    grow_old(engine, QUARANTINE_MS)
    first = missing(engine, minutes_ago=1)
    between = states(engine)

    second = missing(engine)

    assert (first, between) == (0, ["unknown"] * 2)
    assert (second, states(engine)) == (2, ["queued"] * 2)
    assert {(row["code"], row["attempts"]) for row in rows(engine)} == {("never_received", 0)}
    assert_counts(engine)


def test_what_was_never_received_is_in_no_doubt_any_more(engine: Engine) -> None:
    lose(engine, 1)
    grow_old(engine, QUARANTINE_MS)
    missing(engine, minutes_ago=1)
    before = rows(engine)[0]["n_doubts"]
    missing(engine)
    (again,) = mark(engine, lease(engine, int(str(rows(engine)[0]["batch_id"]))))
    record(engine, result(again, M.REJECTED))

    n_retried = do(engine, retrying.retry_some, 1, {M.REJECTED}, after=0)

    assert before == 1
    assert n_retried is not None
    assert (n_retried.n, states(engine)) == (1, ["queued"])


def test_that_one_request_was_never_received_leaves_another_in_doubt(engine: Engine) -> None:
    lose(engine, 1)
    do(engine, settling.settle, M.QUEUED, author="ann")
    (again,) = mark(engine, lease(engine, int(str(rows(engine)[0]["batch_id"]))))
    record(engine, unclear(again))
    grow_old(engine, QUARANTINE_MS)
    missing(engine, minutes_ago=1)

    missing(engine)

    assert [(row["state"], row["n_doubts"]) for row in rows(engine)] == [("queued", 1)]


def test_what_was_never_received_can_be_leased_again(engine: Engine) -> None:
    (marked,) = lose(engine, 1)
    batch_id = int(str(rows(engine)[0]["batch_id"]))
    assert try_lease(engine, batch_id) is None
    grow_old(engine, QUARANTINE_MS)
    missing(engine, minutes_ago=1)
    missing(engine)

    (again,) = mark(engine, lease(engine, batch_id))

    assert [row.id for row in again.rows] == [row.id for row in marked.rows]
    assert again.reference != marked.reference


def test_answers_in_the_same_minute_count_once(engine: Engine) -> None:
    lose(engine, 1)
    grow_old(engine, QUARANTINE_MS)

    assert [missing(engine) for _ in range(3)] == [0, 0, 0]
    assert [each["n_missing"] for each in submissions(engine)] == [1]


def test_answers_within_the_quarantine_do_not_count(engine: Engine) -> None:
    lose(engine, 1)
    grow_old(engine, QUARANTINE_MS - 60_000)

    assert [missing(engine, minutes_ago=2) for _ in range(3)] == [0, 0, 0]
    assert [each["n_missing"] for each in submissions(engine)] == [0]


def test_a_late_acceptance_counts_after_it_was_queued_on_proof_and_once_it_is_out_again_alarms(
    engine: Engine,
) -> None:
    (first,) = lose(engine, 1)
    grow_old(engine, QUARANTINE_MS)
    missing(engine, minutes_ago=1)
    missing(engine)
    mark(engine, lease(engine, int(str(rows(engine)[0]["batch_id"]))))

    record(engine, result(first, M.ACCEPTED))

    assert [(row["state"], row["is_doubled"]) for row in rows(engine)] == [("accepted", True)]
    assert_counts(engine)


def test_what_is_not_older_than_all_that_is_seen_is_not_proven_missing(engine: Engine) -> None:
    lose(engine, 1, 1)
    grow_old(engine, QUARANTINE_MS)
    first, second = to_ask(engine, settle_ms=0, interval_ms=0)

    for seen in (first, second):
        do(
            engine,
            asking.note_missing,
            [first, second],
            seen=[seen],
            login=LOGIN,
            quarantine_ms=QUARANTINE_MS,
        )

    assert [each["n_missing"] for each in submissions(engine)] == [1, 0]


def test_what_was_never_received_in_a_cancelled_campaign_is_cancelled(engine: Engine) -> None:
    lose(engine, 1)
    cancel(engine, 1)
    grow_old(engine, QUARANTINE_MS)
    missing(engine, minutes_ago=1)

    missing(engine)

    assert states(engine) == ["cancelled"]
    assert_counts(engine)


def assert_proves_nothing(engine: Engine) -> None:
    """See that no number of answers that requests were never received queues anything."""
    grow_old(engine, QUARANTINE_MS)

    assert [missing(engine, minutes_ago=2) for _ in range(3)] == [0, 0, 0]
    assert "queued" not in states(engine)
    assert {each["n_missing"] for each in submissions(engine)} == {0}


def test_nothing_is_proven_of_a_request_whose_login_nobody_knows(engine: Engine) -> None:
    lose(engine, 1)
    change_submissions(engine, login=None)

    assert_proves_nothing(engine)


def test_a_request_to_which_the_gateway_gave_an_id_was_received(engine: Engine) -> None:
    (marked,) = mark(engine, lease(engine, run_campaign(engine, 2)))
    record(engine, replace(unclear(marked), provider_ref="its own id"))

    assert_proves_nothing(engine)


def test_a_request_of_which_a_message_is_known_to_be_there_was_received(engine: Engine) -> None:
    (marked,) = mark(engine, lease(engine, run_campaign(engine, 2)))
    record(engine, unclear(marked))
    anna = replace(marked, rows=marked.rows[:1])
    record(engine, replace(result(anna, M.ACCEPTED), outcome=SubmissionOutcome.UNKNOWN))

    assert_proves_nothing(engine)


def test_a_request_that_was_answered_for_another_message_was_received(engine: Engine) -> None:
    (marked,) = mark(engine, lease(engine, run_campaign(engine, 2)))
    anna, bo = (replace(marked, rows=(row,)) for row in marked.rows)
    refused_and_silent = (*result(anna, M.REJECTED).messages, *result(bo, M.UNKNOWN).messages)
    record(engine, replace(result(marked, M.UNKNOWN), messages=refused_and_silent))

    assert_proves_nothing(engine)


def test_a_request_that_the_gateway_knew_in_between_was_received(engine: Engine) -> None:
    lose(engine, 1)
    grow_old(engine, QUARANTINE_MS)
    missing(engine, minutes_ago=2)

    do(engine, asking.note_known, [each.submission_id for each in to_ask(engine)])

    assert_proves_nothing(engine)


def test_the_gateways_own_id_of_a_request_that_it_knows_is_kept(engine: Engine) -> None:
    with_id, without = lose(engine, 1, 1)
    record(engine, replace(unclear(with_id), provider_ref="its own id"))

    do(engine, asking.note_known, [int(str(each["id"])) for each in submissions(engine)])

    assert [each["provider_ref"] for each in submissions(engine)] == ["its own id", without.reference]


# --- what is known to be accepted


def control(engine: Engine, *, after: int = 0, login: str = LOGIN) -> list[Asked]:
    with reading(engine) as connection:
        return asking.known_control(connection, PROVIDER, login=login, after=after)


def accept_each(engine: Engine, n: int) -> list[Marked]:
    """Send a campaign in requests of one message, which are accepted; return them."""
    held = lease(engine, run_campaign(engine, n))
    marked = mark(engine, held, *([row] for row in due_rows(engine, held)))
    record(engine, *(result(each, M.ACCEPTED) for each in marked))
    return marked


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_next_request_that_the_gateway_said_it_accepted_is_known(engine: Engine, place: int) -> None:
    accepted = accept_each(engine, 3)
    ids = [int(str(each["id"])) for each in submissions(engine)]

    (found,) = control(engine, after=ids[place] - 1)

    assert found.reference == accepted[place].reference
    assert found.messages == {row.msisdn: row.id for row in accepted[place].rows}


def test_nothing_is_known_of_what_is_younger_than_all_that_was_accepted(engine: Engine) -> None:
    accept_each(engine, 2)

    assert control(engine, after=int(str(submissions(engine)[-1]["id"]))) == []


@pytest.mark.parametrize(("n_before", "is_known"), [(500_000, True), (500_001, False)])
def test_it_is_looked_for_among_the_next_requests_of_all(
    engine: Engine, n_before: int, *, is_known: bool
) -> None:
    accept_each(engine, 1)
    (accepted,) = submissions(engine)

    assert bool(control(engine, after=int(str(accepted["id"])) - n_before)) is is_known


def test_what_another_login_sent_is_no_comparison(engine: Engine) -> None:
    accept_each(engine, 1)

    assert control(engine, login="another") == []


def test_what_went_by_a_login_that_nobody_knows_is_no_comparison(engine: Engine) -> None:
    accept_each(engine, 1)
    change_submissions(engine, login=None)

    assert control(engine) == []


def test_what_went_to_a_group_is_no_comparison(engine: Engine) -> None:
    accept_each(engine, 1)
    change_messages(engine, msisdn="group:7")

    assert control(engine) == []


@pytest.mark.parametrize("end", [unclear, not_sent, lambda marked: result(marked, M.REJECTED)])
def test_what_the_gateway_did_not_accept_is_no_comparison(engine: Engine, end: object) -> None:
    (marked,) = lose(engine, 1)
    assert callable(end)
    record(engine, end(marked))

    assert control(engine) == []


def test_what_a_person_called_accepted_is_no_comparison(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2))
    (marked,) = mark(engine, held)
    record(engine, half_answered(marked))
    while do(engine, settling.settle, M.ACCEPTED, author="ann") is not None:
        pass

    (found,) = control(engine)

    assert list(found.messages.values()) == [marked.rows[1].id]
