from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from tests.ledgers import (
    SHORT_MS,
    assert_counts,
    batch,
    cancel,
    change_batch,
    change_messages,
    do,
    due_rows,
    earlier,
    has_expired,
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
    sweep,
    try_lease,
    unclear,
)
from worker.ledger import settling
from worker.ledger.batches import Lease
from worker.ledger.values import Marked, MessageOutcome, SubmissionResult
from worker.states import MessageState, SubmissionOutcome
from worker.waiting import within

M = MessageState


def one_out(engine: Engine) -> tuple[Lease, Marked]:
    """Give a batch of one message that is out."""
    held = lease(engine, run_campaign(engine, 1))
    return held, mark(engine, held)[0]


def twice_out(engine: Engine) -> tuple[Marked, Marked]:
    """Give the first and the second submission of a message; the first was refused for the moment."""
    held, first = one_out(engine)
    record(engine, result(first, M.QUEUED))
    return first, mark(engine, held)[0]


@pytest.mark.parametrize("state", [M.ACCEPTED, M.REJECTED, M.SUPPRESSED, M.UNKNOWN, M.QUEUED])
def test_the_outcome_of_the_current_submission_counts(engine: Engine, state: MessageState) -> None:
    _, marked = one_out(engine)

    changed = record(engine, result(marked, state, code="c", detail="d"))

    (row,) = rows(engine)
    assert (changed, row["state"], row["code"], row["detail"]) == (1, state, "c", "d")
    assert_counts(engine)


def test_a_submission_keeps_how_it_ended(engine: Engine) -> None:
    _, marked = one_out(engine)
    ended = SubmissionResult(
        reference=marked.reference, outcome=SubmissionOutcome.NOT_SENT, messages=(), code="x"
    )

    record(engine, ended)

    (found,) = submissions(engine)
    assert (found["outcome"], found["code"]) == ("not_sent", "x")
    assert found["ended_at"] is not None


def test_an_answer_is_not_overwritten_by_a_later_doubt(engine: Engine) -> None:
    _, marked = one_out(engine)
    record(engine, result(marked, M.ACCEPTED))
    doubt = SubmissionResult(reference=marked.reference, outcome=SubmissionOutcome.UNKNOWN, messages=())

    record(engine, doubt)

    assert [each["outcome"] for each in submissions(engine)] == ["answered"]


def test_recording_again_changes_nothing(engine: Engine) -> None:
    _, marked = one_out(engine)
    record(engine, result(marked, M.ACCEPTED, provider_ref="abc"))

    assert record(engine, result(marked, M.ACCEPTED, provider_ref="abc")) == 0
    assert_counts(engine)


@pytest.mark.parametrize("second_end", [None, M.QUEUED, M.UNKNOWN, M.REJECTED, M.SUPPRESSED])
def test_a_late_acceptance_of_an_earlier_submission_counts(
    engine: Engine, second_end: MessageState | None
) -> None:
    first, second = twice_out(engine)
    if second_end is not None:
        record(engine, result(second, second_end))

    record(engine, result(first, M.ACCEPTED, provider_ref="abc"))

    assert [(row["state"], row["provider_ref"]) for row in rows(engine)] == [("accepted", "abc")]
    assert_counts(engine)


@pytest.mark.parametrize("late", [M.QUEUED, M.REJECTED, M.SUPPRESSED, M.UNKNOWN])
def test_anything_else_of_an_earlier_submission_is_ignored(engine: Engine, late: MessageState) -> None:
    first, _second = twice_out(engine)

    assert record(engine, result(first, late)) == 0
    assert states(engine) == ["submitting"]
    assert_counts(engine)


@pytest.mark.parametrize("late", [M.QUEUED, M.REJECTED, M.SUPPRESSED, M.UNKNOWN])
def test_nothing_leaves_an_acceptance_but_by_delivery(engine: Engine, late: MessageState) -> None:
    _, marked = one_out(engine)
    record(engine, result(marked, M.ACCEPTED))

    assert record(engine, result(marked, late)) == 0
    assert record(engine, result(marked, M.DELIVERED)) == 1
    assert_counts(engine)


@pytest.mark.parametrize("end", [M.ACCEPTED, M.REJECTED, M.QUEUED])
def test_what_was_unknown_may_still_be_told(engine: Engine, end: MessageState) -> None:
    _, marked = one_out(engine)
    record(engine, result(marked, M.UNKNOWN))

    record(engine, result(marked, end))

    assert states(engine) == [end]
    assert_counts(engine)


def test_the_word_of_a_worker_whose_lease_was_lost_counts(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 1), lease_ms=SHORT_MS)
    (marked,) = mark(engine, held, lease_ms=SHORT_MS)
    assert within(5, lambda: has_expired(engine))
    sweep(engine)

    record(engine, result(marked, M.ACCEPTED))

    assert states(engine) == ["accepted"]
    assert [each["outcome"] for each in submissions(engine)] == ["answered"]
    assert_counts(engine)


def test_a_row_that_is_queued_again_reopens_its_batch(engine: Engine) -> None:
    held, marked = one_out(engine)
    record(engine, result(marked, M.UNKNOWN))
    release(engine, held)
    assert batch(engine, held.batch_id)["state"] == "done"

    record(engine, result(marked, M.QUEUED))

    assert try_lease(engine, held.batch_id) is not None
    assert_counts(engine)


def test_a_row_that_is_queued_again_makes_its_batch_due_earlier(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2))
    (marked,) = mark(engine, held, due_rows(engine, held)[:1])
    record(engine, result(marked, M.UNKNOWN))
    change_messages(engine, wait_ms=60_000)
    release(engine, held)
    assert try_lease(engine, held.batch_id) is None

    record(engine, result(marked, M.QUEUED, delay_ms=0))

    assert try_lease(engine, held.batch_id) is not None
    assert_counts(engine)


def test_a_row_that_is_queued_for_later_does_not_delay_its_batch(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 2))
    (marked,) = mark(engine, held, due_rows(engine, held)[:1])
    record(engine, result(marked, M.QUEUED, delay_ms=60_000))
    release(engine, held)

    held = lease(engine, held.batch_id)

    assert [row.id for row in due_rows(engine, held)] == [rows(engine)[1]["id"]]
    assert_counts(engine)


def test_a_batch_whose_rows_all_wait_is_due_when_the_first_is(engine: Engine) -> None:
    held, marked = one_out(engine)
    record(engine, result(marked, M.QUEUED, delay_ms=60_000))

    release(engine, held)

    assert batch(engine, held.batch_id)["next_due_at"] == rows(engine)[0]["due_at"]
    assert try_lease(engine, held.batch_id) is None


def test_a_held_batch_stays_held_when_a_row_is_queued_again(engine: Engine) -> None:
    held, marked = one_out(engine)
    change_batch(engine, held.batch_id, state="held", reason="lost")

    record(engine, result(marked, M.QUEUED))

    assert batch(engine, held.batch_id)["state"] == "held"
    assert_counts(engine)


@pytest.mark.parametrize("unknown_first", [True, False])
def test_what_would_be_queued_in_a_cancelled_campaign_is_cancelled(
    engine: Engine, *, unknown_first: bool
) -> None:
    held, marked = one_out(engine)
    if unknown_first:
        record(engine, result(marked, M.UNKNOWN))
    cancel(engine, held.campaign_id)

    record(engine, result(marked, M.QUEUED))

    assert states(engine) == ["cancelled"]
    assert_counts(engine)


def test_an_acceptance_counts_in_a_cancelled_campaign_too(engine: Engine) -> None:
    held, marked = one_out(engine)
    cancel(engine, held.campaign_id)
    record(engine, result(marked, M.QUEUED))

    record(engine, result(marked, M.ACCEPTED))

    assert states(engine) == ["accepted"]
    assert_counts(engine)


@pytest.mark.parametrize(("keeps", "attempts"), [(True, 1), (False, 0)])
def test_a_try_counts_or_not(engine: Engine, *, keeps: bool, attempts: int) -> None:
    _, marked = one_out(engine)

    record(engine, result(marked, M.QUEUED, keeps_attempt=keeps))

    assert [row["attempts"] for row in rows(engine)] == [attempts]


def test_a_split_is_kept_until_another_one(engine: Engine) -> None:
    first, second = twice_out(engine)
    record(engine, result(second, M.QUEUED, group_limit=4))
    limits = [row["group_limit"] for row in rows(engine)]

    record(engine, result(first, M.ACCEPTED))

    assert (limits, [row["group_limit"] for row in rows(engine)]) == ([4], [4])


@pytest.mark.parametrize("first_told", [True, False])
def test_several_outcomes_of_a_message_in_one_go_count_it_once(engine: Engine, *, first_told: bool) -> None:
    first, second = twice_out(engine)
    told: Sequence[SubmissionResult] = [result(first, M.ACCEPTED), result(second, M.UNKNOWN)]

    record(engine, *(told if first_told else reversed(told)))

    assert states(engine) == ["accepted"]
    assert_counts(engine)


def test_outcomes_of_several_batches_are_recorded_together(engine: Engine) -> None:
    marked = [mark(engine, lease(engine, run_campaign(engine, 2, name=name)))[0] for name in "ba"]

    record(engine, *(result(each, M.ACCEPTED) for each in reversed(marked)))

    assert states(engine) == ["accepted"] * 4
    assert_counts(engine)


def test_an_outcome_of_a_message_that_is_gone_is_left_alone(engine: Engine) -> None:
    _, marked = one_out(engine)
    gone = MessageOutcome(message_id=999, state=M.ACCEPTED)
    ended = SubmissionResult(reference=marked.reference, outcome=SubmissionOutcome.ANSWERED, messages=(gone,))

    assert record(engine, ended) == 0


@pytest.mark.parametrize(("said", "kept"), [("a\0b", "a?b"), ("a\ud83d", "a?"), ("grün 👍", "grün 👍")])
def test_words_that_a_database_cannot_store_do_not_lose_the_outcome(
    engine: Engine, said: str, kept: str
) -> None:
    _, marked = one_out(engine)

    record(engine, result(marked, M.ACCEPTED, provider_ref=said, detail=said))

    assert [(row["state"], row["provider_ref"], row["detail"]) for row in rows(engine)] == [
        ("accepted", kept, kept)
    ]


# --- by reference


def test_a_reference_that_the_ledger_does_not_know_changes_nothing(engine: Engine) -> None:
    _, marked = one_out(engine)
    never_committed = replace(marked, reference="never")

    assert record(engine, not_sent(never_committed)) == 0
    assert record(engine, result(never_committed, M.ACCEPTED)) == 0
    assert states(engine) == ["submitting"]
    assert_counts(engine)


def test_a_mark_whose_commit_got_no_answer_is_taken_back_by_its_reference(engine: Engine) -> None:
    held, marked = one_out(engine)

    record(engine, not_sent(marked))

    assert [(row["state"], row["attempts"]) for row in rows(engine)] == [("queued", 0)]
    assert [(each["outcome"], each["code"]) for each in submissions(engine)] == [("not_sent", "not_sent")]
    assert len(mark(engine, held)) == 1
    assert_counts(engine)


def test_what_was_taken_back_and_kept_on_disk_changes_nothing_when_it_is_written_late(
    engine: Engine,
) -> None:
    held, first = one_out(engine)
    record(engine, not_sent(first))
    mark(engine, held)

    assert record(engine, not_sent(first)) == 0
    assert [(row["state"], row["attempts"]) for row in rows(engine)] == [("submitting", 1)]
    assert_counts(engine)


def test_a_mark_that_is_taken_back_after_the_sweep_is_queued_all_the_same(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 1), lease_ms=SHORT_MS)
    (marked,) = mark(engine, held, lease_ms=SHORT_MS)
    assert within(5, lambda: has_expired(engine))
    sweep(engine)

    record(engine, not_sent(marked))

    assert states(engine) == ["queued"]
    assert try_lease(engine, held.batch_id) is not None
    assert_counts(engine)


# --- proof from an earlier request


def doubled(engine: Engine) -> list[object]:
    return [row["is_doubled"] for row in rows(engine)]


def alarms(caplog: pytest.LogCaptureFixture) -> int:
    return caplog.messages.count("message doubled")


def test_the_request_that_is_proven_becomes_the_current_one_and_the_other_is_kept(engine: Engine) -> None:
    first, second = twice_out(engine)

    record(engine, result(first, M.ACCEPTED, provider_ref="abc"))

    (row,) = rows(engine)
    names = {each["reference"]: each["id"] for each in submissions(engine)}
    assert row["submission_id"] == names[first.reference]
    assert (row["id"], names[second.reference]) in earlier(engine)


@pytest.mark.parametrize("second_end", [None, M.UNKNOWN, M.ACCEPTED, M.DELIVERED])
def test_a_message_that_two_requests_may_have_brought_is_doubled(
    engine: Engine, second_end: MessageState | None, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = twice_out(engine)
    if second_end is not None:
        record(engine, result(second, second_end))

    record(engine, result(first, M.ACCEPTED))

    assert (doubled(engine), alarms(caplog)) == ([True], 1)
    assert_counts(engine)


@pytest.mark.parametrize("second_end", [M.QUEUED, M.REJECTED, M.SUPPRESSED])
def test_a_message_whose_other_request_was_surely_refused_is_not_doubled(
    engine: Engine, second_end: MessageState, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = twice_out(engine)
    record(engine, result(second, second_end))

    record(engine, result(first, M.ACCEPTED))

    assert (doubled(engine), alarms(caplog)) == ([False], 0)


def test_a_doubled_message_stays_so_whatever_is_heard_of_the_other_request(engine: Engine) -> None:
    first, second = twice_out(engine)
    record(engine, result(first, M.ACCEPTED))

    record(engine, result(second, M.REJECTED))

    assert (states(engine), doubled(engine)) == (["accepted"], [True])


def test_the_same_proof_again_raises_nothing(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    first, _second = twice_out(engine)
    record(engine, result(first, M.ACCEPTED))

    changed = [record(engine, result(first, M.ACCEPTED)) for _ in range(2)]

    assert (changed, alarms(caplog)) == ([0, 0], 1)


def test_the_same_proof_twice_in_one_go_raises_one_alarm(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    first, _second = twice_out(engine)

    record(engine, result(first, M.ACCEPTED), result(first, M.ACCEPTED))

    assert (states(engine), doubled(engine), alarms(caplog)) == (["accepted"], [True], 1)


def test_proofs_of_both_requests_heard_again_raise_no_more_alarms(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = twice_out(engine)
    record(engine, result(second, M.ACCEPTED))
    record(engine, result(first, M.ACCEPTED))
    before = alarms(caplog)

    record(engine, result(first, M.ACCEPTED))

    assert (before, alarms(caplog)) == (1, 1)


def test_proof_of_another_request_does_not_wipe_what_the_gateway_said(engine: Engine) -> None:
    first, second = twice_out(engine)
    record(engine, result(second, M.ACCEPTED, code="200", detail="fine"))

    record(engine, result(first, M.ACCEPTED))

    assert [(row["code"], row["detail"]) for row in rows(engine)] == [("200", "fine")]


# --- given up, and settled


def test_a_message_that_is_given_up_fails_with_the_gateways_words(engine: Engine) -> None:
    _, marked = one_out(engine)

    record(engine, result(marked, M.QUEUED, gives_up=True, code="503", detail="later"))

    assert [(row["state"], row["code"], row["detail"]) for row in rows(engine)] == [
        ("failed", "503", "later")
    ]
    assert_counts(engine)


def test_to_give_up_means_nothing_to_a_message_that_is_accepted(engine: Engine) -> None:
    _, marked = one_out(engine)
    record(engine, result(marked, M.ACCEPTED))

    assert record(engine, result(marked, M.QUEUED, gives_up=True)) == 0
    assert states(engine) == ["accepted"]


@pytest.mark.parametrize("target", [M.ACCEPTED, M.FAILED])
def test_a_request_keeps_its_code_when_its_messages_are_settled(engine: Engine, target: MessageState) -> None:
    _, marked = one_out(engine)
    record(engine, unclear(marked))
    (before,) = submissions(engine)

    do(engine, settling.settle, target, author="ann")

    (after,) = submissions(engine)
    assert before["code"] is not None
    assert (after["outcome"], after["code"], after["detail"]) == (
        before["outcome"],
        before["code"],
        before["detail"],
    )


def test_a_request_whose_messages_a_person_sends_again_says_so_whatever_is_heard_of_it_later(
    engine: Engine,
) -> None:
    _, marked = one_out(engine)
    record(engine, unclear(marked))
    do(engine, settling.settle, M.QUEUED, author="ann")
    before = [(each["outcome"], each["code"]) for each in submissions(engine)]

    record(engine, result(marked, M.ACCEPTED))

    assert before == [("unknown", "resent")]
    assert [(each["outcome"], each["code"]) for each in submissions(engine)] == [("answered", "resent")]


def test_nothing_to_record_is_fine(engine: Engine) -> None:
    assert record(engine) == 0
