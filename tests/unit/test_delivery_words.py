"""Words about delivery lead to the same state in whatever order they come."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.ledger.changes import Before, judged
from worker.ledger.values import MessageOutcome, SubmissionResult
from worker.states import PROVEN, MessageState, SubmissionOutcome

M = MessageState
SUBMISSIONS = {"first": 1, "second": 2}  # the second is the message's current one

reports = st.tuples(st.sampled_from(sorted(SUBMISSIONS)), st.sampled_from(sorted(PROVEN)))
several = st.lists(reports, min_size=1, max_size=6)
before_them = st.sampled_from(MessageState)
answers = st.sampled_from([M.ACCEPTED, M.UNKNOWN, M.REJECTED, M.SUPPRESSED, M.QUEUED])


def word(reference: str, state: MessageState, *, is_answer: bool = False) -> SubmissionResult:
    outcome = SubmissionOutcome.OPEN
    if is_answer:
        outcome = SubmissionOutcome.UNKNOWN if state is M.UNKNOWN else SubmissionOutcome.ANSWERED
    return SubmissionResult(
        reference=reference, outcome=outcome, messages=(MessageOutcome(message_id=7, state=state),)
    )


def end(state: MessageState, words: list[SubmissionResult]) -> tuple[MessageState, bool]:
    """Return the state after words that come one by one, each in a transaction, and whether it is doubled."""
    before = Before(id=7, batch_id=1, state=state, submission_id=2, n_doubts=0, is_cancelled=False)
    is_doubled = False
    for each in words:
        changes, doubled = judged({7: before}, [each], SUBMISSIONS)
        is_doubled = is_doubled or bool(doubled)
        for change in changes:
            before = replace(before, state=change.state, submission_id=change.submission_id)
    return before.state, is_doubled


@given(before_them, several.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_reordered_reports_end_in_the_same_state_with_the_same_alarm(
    state: MessageState,
    orders: tuple[list[tuple[str, MessageState]], list[tuple[str, MessageState]]],
) -> None:
    one, other = ([word(*report) for report in order] for order in orders)

    assert end(state, one) == end(state, other)


@given(before_them, several)
def test_repeated_reports_change_nothing(state: MessageState, found: list[tuple[str, MessageState]]) -> None:
    words = [word(*report) for report in found]

    assert end(state, words + words)[0] is end(state, words)[0]


@given(before_them, several)
def test_reports_in_one_transaction_say_the_same_as_one_by_one(
    state: MessageState, found: list[tuple[str, MessageState]]
) -> None:
    words = [word(*report) for report in found]
    before = Before(id=7, batch_id=1, state=state, submission_id=2, n_doubts=0, is_cancelled=False)

    changes, _ = judged({7: before}, words, SUBMISSIONS)

    assert (changes[-1].state if changes else state) is end(state, words)[0]


@given(answers, several, st.integers(min_value=0, max_value=6))
def test_it_does_not_matter_whether_the_answer_comes_before_or_after_the_reports(
    answer: MessageState, found: list[tuple[str, MessageState]], place: int
) -> None:
    words = [word(*report) for report in found]
    late = word("second", answer, is_answer=True)

    assert end(M.SUBMITTING, [*words[:place], late, *words[place:]])[0] is end(M.SUBMITTING, words)[0]


@pytest.mark.parametrize(
    ("said", "truth"),
    [
        ({M.ACCEPTED, M.EXPIRED}, M.EXPIRED),
        ({M.EXPIRED, M.UNDELIVERED}, M.UNDELIVERED),
        ({M.ACCEPTED, M.UNDELIVERED, M.EXPIRED, M.DELIVERED}, M.DELIVERED),
    ],
)
def test_the_word_that_tells_most_stays(said: set[MessageState], truth: MessageState) -> None:
    orders = permutations(sorted(said))

    assert {end(M.UNKNOWN, [word("second", each) for each in order])[0] for order in orders} == {truth}


@given(before_them, several)
def test_a_report_proves_that_the_gateway_has_the_message(
    state: MessageState, found: list[tuple[str, MessageState]]
) -> None:
    assert end(state, [word(*report) for report in found])[0] in PROVEN
