import pytest

from worker.errors import NotSent, OutcomeUnknown
from worker.gateways.base import Outcome, Verdict
from worker.ledger.values import DueRow, Marked, MessageOutcome
from worker.sending.record import (
    THROTTLED_PAUSE_S,
    TROUBLE_PAUSE_S,
    UNREACHABLE_PAUSE_S,
    Ended,
    ended,
)
from worker.states import MessageState, SubmissionOutcome

NUMBERS = ["+4520304050", "+4520304051", "+4520304052", "+4520304053"]


def marked(n: int) -> Marked:
    rows = [
        DueRow(id=i, msisdn=msisdn, text="a", encoding="gsm7", parts=1, attempts=0, group_limit=None)
        for i, msisdn in enumerate(NUMBERS[:n])
    ]
    return Marked(submission_id=7, reference="r", rows=tuple(rows))


def answered(*verdicts: Verdict, retry_after_s: float | None = None) -> Ended:
    outcomes = [
        Outcome(verdict=verdict, code=f"c-{verdict}", detail="words", retry_after_s=retry_after_s)
        for verdict in verdicts
    ]
    return ended(marked(len(verdicts)), dict(zip(NUMBERS, outcomes, strict=False)))


def states(end: Ended) -> list[MessageState]:
    return [message.state for message in end.result.messages]


@pytest.mark.parametrize(
    ("verdict", "state", "keeps_attempt", "pause_s"),
    [
        (Verdict.ACCEPTED, MessageState.ACCEPTED, True, None),
        (Verdict.RECIPIENT, MessageState.REJECTED, True, None),
        (Verdict.OPTED_OUT, MessageState.SUPPRESSED, True, None),
        (Verdict.CAMPAIGN, MessageState.REJECTED, True, None),
        (Verdict.ACCOUNT, MessageState.QUEUED, False, TROUBLE_PAUSE_S),
        (Verdict.RETRY, MessageState.QUEUED, False, THROTTLED_PAUSE_S),
        (Verdict.SPLIT, MessageState.QUEUED, False, None),
        (Verdict.AMBIGUOUS, MessageState.UNKNOWN, True, None),
        (Verdict.BUG, MessageState.QUEUED, False, TROUBLE_PAUSE_S),
    ],
)
def test_each_verdict_means_a_state_and_perhaps_a_pause(
    verdict: Verdict, state: MessageState, *, keeps_attempt: bool, pause_s: float | None
) -> None:
    end = answered(verdict)

    (message,) = end.result.messages
    assert (message.message_id, message.state, message.keeps_attempt) == (0, state, keeps_attempt)
    assert (message.code, message.detail) == (f"c-{verdict}", "words")
    assert (end.hold.pause_s if end.hold else None) == pause_s


def test_every_verdict_is_judged() -> None:
    assert all(answered(verdict) for verdict in Verdict)


@pytest.mark.parametrize(
    ("verdicts", "outcome"),
    [
        ((Verdict.ACCEPTED, Verdict.ACCEPTED), SubmissionOutcome.ANSWERED),
        ((Verdict.ACCEPTED, Verdict.AMBIGUOUS), SubmissionOutcome.ANSWERED),
        ((Verdict.RETRY,), SubmissionOutcome.ANSWERED),
        ((Verdict.AMBIGUOUS, Verdict.AMBIGUOUS), SubmissionOutcome.UNKNOWN),
    ],
)
def test_a_submission_is_unknown_when_all_of_its_messages_are(
    verdicts: tuple[Verdict, ...], outcome: SubmissionOutcome
) -> None:
    assert answered(*verdicts).result.outcome is outcome


def test_a_submission_keeps_the_first_words_that_are_no_acceptance() -> None:
    result = answered(Verdict.ACCEPTED, Verdict.RECIPIENT, Verdict.AMBIGUOUS).result

    assert (result.submission_id, result.code) == (7, "c-recipient")


def test_what_an_accepted_submission_says_is_nothing_special() -> None:
    assert answered(Verdict.ACCEPTED).result.code is None


def test_nobody_answered_for_is_taken_for_accepted_or_refused() -> None:
    end = ended(marked(2), {NUMBERS[0]: Outcome(verdict=Verdict.ACCEPTED)})

    assert states(end) == [MessageState.ACCEPTED, MessageState.UNKNOWN]


def test_an_answer_for_nobody_is_unknown() -> None:
    end = ended(marked(2), {})

    assert states(end) == [MessageState.UNKNOWN] * 2
    assert end.result.outcome is SubmissionOutcome.UNKNOWN


@pytest.mark.parametrize(("n", "limit"), [(4, 2), (3, 1), (2, 1)])
def test_a_split_halves_the_request(n: int, limit: int) -> None:
    end = answered(*[Verdict.SPLIT] * n)

    assert [message.group_limit for message in end.result.messages] == [limit] * n


def test_only_a_split_limits_a_group() -> None:
    assert [message.group_limit for message in answered(Verdict.RETRY).result.messages] == [None]


@pytest.mark.parametrize(("asked_s", "pause_s"), [(None, THROTTLED_PAUSE_S), (7.5, 7.5)])
def test_the_pause_is_the_one_that_was_asked_for(asked_s: float | None, pause_s: float) -> None:
    hold = answered(Verdict.RETRY, retry_after_s=asked_s).hold

    assert hold is not None
    assert hold.pause_s == pause_s


@pytest.mark.parametrize("verdicts", [(Verdict.RETRY, Verdict.ACCOUNT), (Verdict.ACCOUNT, Verdict.RETRY)])
def test_the_longest_pause_counts(verdicts: tuple[Verdict, ...]) -> None:
    hold = answered(*verdicts).hold

    assert hold is not None
    assert (hold.pause_s, hold.reason) == (TROUBLE_PAUSE_S, "the gateway answered c-account: words")


@pytest.mark.parametrize(("asked_s", "pause_s"), [(None, UNREACHABLE_PAUSE_S), (2.0, 2.0)])
def test_what_was_not_sent_is_queued_again_and_the_account_waits(
    asked_s: float | None, pause_s: float
) -> None:
    end = ended(marked(2), NotSent("no connection", retry_after_s=asked_s))

    expected = [
        MessageOutcome(
            message_id=i,
            state=MessageState.QUEUED,
            keeps_attempt=False,
            code="not_sent",
            detail="no connection",
        )
        for i in range(2)
    ]
    assert list(end.result.messages) == expected
    assert end.result.outcome is SubmissionOutcome.NOT_SENT
    assert end.hold is not None
    assert (end.hold.pause_s, end.hold.reason) == (pause_s, "no connection")


def test_what_nobody_answered_is_unknown_and_counts_as_an_attempt() -> None:
    end = ended(marked(2), OutcomeUnknown("reset"))

    assert [(m.state, m.keeps_attempt, m.code) for m in end.result.messages] == [
        (MessageState.UNKNOWN, True, "no_answer")
    ] * 2
    assert (end.result.outcome, end.hold) == (SubmissionOutcome.UNKNOWN, None)
