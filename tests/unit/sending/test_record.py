import pytest

from worker.errors import NotSent, OutcomeUnknown
from worker.gateways.base import Outcome, Verdict
from worker.ledger.values import DueRow, Marked, MessageOutcome
from worker.retry import Policy
from worker.sending.record import THROTTLED_PAUSE_S, Ended, Hold, Judge
from worker.states import MessageState, SubmissionOutcome

JUDGE = Judge(policy=Policy(attempts=3, first_s=8, longest_s=600), random=lambda: 0.5)
NUMBERS = ["+4520304050", "+4520304051", "+4520304052", "+4520304053"]


def marked(n: int, *, attempts: int = 0, leave_in_ms: int | None = None) -> Marked:
    rows = [
        DueRow(
            id=i,
            msisdn=msisdn,
            text="a",
            encoding="gsm7",
            parts=1,
            attempts=attempts,
            group_limit=None,
            leave_in_ms=leave_in_ms,
        )
        for i, msisdn in enumerate(NUMBERS[:n])
    ]
    return Marked(reference="r", rows=tuple(rows))


def answered(*verdicts: Verdict, retry_after_s: float | None = None) -> Ended:
    outcomes = [
        Outcome(verdict=verdict, code=f"c-{verdict}", detail="words", retry_after_s=retry_after_s)
        for verdict in verdicts
    ]
    return JUDGE.ended(marked(len(verdicts)), dict(zip(NUMBERS, outcomes, strict=False)))


def states(end: Ended) -> list[MessageState]:
    return [message.state for message in end.result.messages]


@pytest.mark.parametrize(
    ("verdict", "state", "keeps_attempt", "hold"),
    [
        (Verdict.ACCEPTED, MessageState.ACCEPTED, True, None),
        (Verdict.RECIPIENT, MessageState.REJECTED, True, None),
        (Verdict.OPTED_OUT, MessageState.SUPPRESSED, True, None),
        (Verdict.CAMPAIGN, MessageState.REJECTED, True, None),
        (Verdict.TEXT, MessageState.REJECTED, True, None),
        (Verdict.ACCOUNT, MessageState.QUEUED, False, "closed"),
        (Verdict.RETRY, MessageState.QUEUED, True, None),
        (Verdict.THROTTLED, MessageState.QUEUED, False, "pause"),
        (Verdict.LOGIN, MessageState.QUEUED, False, None),
        (Verdict.SPLIT, MessageState.QUEUED, False, None),
        (Verdict.AMBIGUOUS, MessageState.UNKNOWN, True, None),
        (Verdict.BUG, MessageState.QUEUED, False, "closed"),
    ],
)
def test_each_verdict_means_a_state_and_perhaps_a_hold(
    verdict: Verdict, state: MessageState, *, keeps_attempt: bool, hold: str | None
) -> None:
    end = answered(verdict)

    (message,) = end.result.messages
    assert (message.message_id, message.state, message.keeps_attempt) == (0, state, keeps_attempt)
    assert (message.code, message.detail) == (f"c-{verdict}", "words")
    assert kind(end.hold) == hold


def kind(hold: Hold | None) -> str | None:
    if hold is None:
        return None
    return "closed" if hold.pause_s is None else "pause"


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

    assert (result.reference, result.code) == ("r", "c-recipient")


def test_what_an_accepted_submission_says_is_nothing_special() -> None:
    assert answered(Verdict.ACCEPTED).result.code is None


def test_nobody_answered_for_is_taken_for_accepted_or_refused() -> None:
    end = JUDGE.ended(marked(2), {NUMBERS[0]: Outcome(verdict=Verdict.ACCEPTED)})

    assert states(end) == [MessageState.ACCEPTED, MessageState.UNKNOWN]


def test_an_answer_for_nobody_is_unknown() -> None:
    end = JUDGE.ended(marked(2), {})

    assert states(end) == [MessageState.UNKNOWN] * 2
    assert end.result.outcome is SubmissionOutcome.UNKNOWN


@pytest.mark.parametrize(
    ("verdicts", "is_one_text", "pauses"),
    [
        ((Verdict.CAMPAIGN,), False, True),
        ((Verdict.CAMPAIGN, Verdict.CAMPAIGN), True, True),
        ((Verdict.CAMPAIGN, Verdict.ACCEPTED), True, False),
        ((Verdict.TEXT,), False, False),
        ((Verdict.TEXT, Verdict.CAMPAIGN), False, False),
        ((Verdict.TEXT,), True, True),
        ((Verdict.TEXT, Verdict.CAMPAIGN), True, True),
        ((Verdict.RECIPIENT,), True, False),
    ],
)
def test_a_campaign_is_refused_for_what_all_of_its_messages_share(
    verdicts: tuple[Verdict, ...], *, is_one_text: bool, pauses: bool
) -> None:
    reply = {
        msisdn: Outcome(verdict=verdict, code="c") for msisdn, verdict in zip(NUMBERS, verdicts, strict=False)
    }

    end = JUDGE.ended(marked(len(verdicts)), reply, is_one_text=is_one_text)

    assert end.refusal == ("the gateway refused it with c: nothing more" if pauses else None)


@pytest.mark.parametrize(("n", "limit"), [(4, 2), (3, 1), (2, 1)])
def test_a_split_halves_the_request(n: int, limit: int) -> None:
    end = answered(*[Verdict.SPLIT] * n)

    assert [message.group_limit for message in end.result.messages] == [limit] * n


def test_only_a_split_limits_a_group() -> None:
    assert [message.group_limit for message in answered(Verdict.RETRY).result.messages] == [None]


@pytest.mark.parametrize(("asked_s", "pause_s"), [(None, THROTTLED_PAUSE_S), (7.5, 7.5)])
def test_the_pause_is_the_one_that_was_asked_for(asked_s: float | None, pause_s: float) -> None:
    hold = answered(Verdict.THROTTLED, retry_after_s=asked_s).hold

    assert hold is not None
    assert hold.pause_s == pause_s


@pytest.mark.parametrize(
    "verdicts", [(Verdict.THROTTLED, Verdict.ACCOUNT), (Verdict.ACCOUNT, Verdict.THROTTLED)]
)
def test_trouble_counts_for_more_than_a_pause(verdicts: tuple[Verdict, ...]) -> None:
    hold = answered(*verdicts).hold

    assert hold is not None
    assert (hold.pause_s, hold.reason) == (None, "the gateway answered c-account: words")


@pytest.mark.parametrize(("attempts", "delay_ms"), [(0, 4_000), (1, 8_000)])
def test_what_is_refused_for_now_waits_longer_each_time(attempts: int, delay_ms: int) -> None:
    end = JUDGE.ended(marked(1, attempts=attempts), {NUMBERS[0]: Outcome(verdict=Verdict.RETRY)})

    (message,) = end.result.messages
    assert (message.delay_ms, message.gives_up) == (delay_ms, False)


@pytest.mark.parametrize(("attempts", "leave_in_ms"), [(2, None), (0, 0)])
def test_a_message_is_given_up_after_its_last_attempt_or_its_time(
    attempts: int, leave_in_ms: int | None
) -> None:
    tried = marked(1, attempts=attempts, leave_in_ms=leave_in_ms)

    end = JUDGE.ended(tried, {NUMBERS[0]: Outcome(verdict=Verdict.RETRY)})

    (message,) = end.result.messages
    assert (message.state, message.gives_up) == (MessageState.QUEUED, True)


@pytest.mark.parametrize("verdict", [each for each in Verdict if each is not Verdict.RETRY])
def test_only_a_refusal_for_now_gives_a_message_up(verdict: Verdict) -> None:
    end = JUDGE.ended(marked(1, attempts=99), {NUMBERS[0]: Outcome(verdict=verdict)})

    assert not end.result.messages[0].gives_up


@pytest.mark.parametrize(("asked_s", "pause_s"), [(None, None), (2.0, 2.0)])
def test_what_was_not_sent_is_queued_again_and_the_account_waits(
    asked_s: float | None, pause_s: float | None
) -> None:
    end = JUDGE.ended(marked(2), NotSent("no connection", retry_after_s=asked_s))

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
    end = JUDGE.ended(marked(2), OutcomeUnknown("reset"))

    assert [(m.state, m.keeps_attempt, m.code) for m in end.result.messages] == [
        (MessageState.UNKNOWN, True, "no_answer")
    ] * 2
    assert (end.result.outcome, end.hold) == (SubmissionOutcome.UNKNOWN, None)


def test_what_is_refused_as_opted_out_says_of_what_and_nothing_else_does() -> None:
    judge = Judge(policy=JUDGE.policy, random=JUDGE.random, stop_list="sender", keeps_numbers=False)
    reply = {NUMBERS[0]: Outcome(verdict=Verdict.OPTED_OUT), NUMBERS[1]: Outcome(verdict=Verdict.RECIPIENT)}

    opted_out, refused = judge.ended(marked(2), reply).result.messages

    assert (opted_out.stops, opted_out.keeps_number) == ("sender", False)
    assert refused.stops is None
