"""Record: what a gateway's answer, or its absence, means for the messages of a request; pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from worker import retry
from worker.errors import LoginRefused, NotSent, OutcomeUnknown, TooLate
from worker.gateways.base import Outcome, Verdict
from worker.ledger.values import DueRow, Marked, MessageOutcome, SubmissionResult
from worker.states import MessageState, SubmissionOutcome

THROTTLED_PAUSE_S = 1.0
TOO_LATE_DELAY_MS = 1000  # a machine that is so slow is given a breath

Reply = Mapping[str, Outcome] | NotSent | OutcomeUnknown
"""What a submission came to: outcomes by msisdn, or why there are none."""

_STATES: Mapping[Verdict, MessageState] = {
    Verdict.ACCEPTED: MessageState.ACCEPTED,
    Verdict.RECIPIENT: MessageState.REJECTED,
    Verdict.OPTED_OUT: MessageState.SUPPRESSED,
    Verdict.CAMPAIGN: MessageState.REJECTED,
    Verdict.TEXT: MessageState.REJECTED,
    Verdict.ACCOUNT: MessageState.QUEUED,
    Verdict.RETRY: MessageState.QUEUED,
    Verdict.THROTTLED: MessageState.QUEUED,
    Verdict.LOGIN: MessageState.QUEUED,
    Verdict.SPLIT: MessageState.QUEUED,
    Verdict.AMBIGUOUS: MessageState.UNKNOWN,
    Verdict.BUG: MessageState.QUEUED,
}

_UNCOUNTED = frozenset({Verdict.ACCOUNT, Verdict.THROTTLED, Verdict.LOGIN, Verdict.SPLIT, Verdict.BUG})
"""A try that the gateway did not judge as such does not count as an attempt."""

_OF_ALL = frozenset({Verdict.CAMPAIGN})
"""Verdicts that mean every message of a campaign; and those that do where all have one text."""
_OF_ONE_TEXT = _OF_ALL | {Verdict.TEXT}

_SILENCE = Outcome(verdict=Verdict.AMBIGUOUS, code="not_named")


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Nothing may leave through the account, and why."""

    reason: str
    pause_s: float | None = None  # so long; None: until a check succeeds
    is_away: bool = False  # that the gateway answers a check is enough, and is worth a look at once
    is_ours: bool = False  # our own adapter is wrong: no check, only a person ends it


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The end of one request: what the ledger records, and whether account or campaign must wait."""

    result: SubmissionResult
    hold: Hold | None = None
    refusal: str | None = None  # why the campaign as a whole was refused
    has_taken: bool = False  # the gateway accepted a message

    @property
    def is_clear(self) -> bool:
        """Whether the gateway's answer, or that there was none to expect, is beyond doubt."""
        return self.result.outcome is not SubmissionOutcome.UNKNOWN

    @property
    def is_answered(self) -> bool:
        """Whether the gateway gave an answer that could be read."""
        return self.result.outcome is SubmissionOutcome.ANSWERED


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Judges requests by one policy of retries.

    ``stop_list`` is what the gateway's stop list covers, ``keeps_numbers`` whether ours may hold the numbers.
    """

    policy: retry.Policy
    random: Callable[[], float]
    stop_list: str = "all"
    keeps_numbers: bool = True

    def ended(self, marked: Marked, reply: Reply, *, is_one_text: bool = False) -> Ended:
        """Judge one request; ``is_one_text`` tells that all messages of the campaign have the same text."""
        if isinstance(reply, NotSent):
            hold = None if isinstance(reply, TooLate) else unreachable(reply)
            return Ended(result=not_sent(marked, reply), hold=hold)
        if isinstance(reply, OutcomeUnknown):
            silence = Outcome(verdict=Verdict.AMBIGUOUS, code="no_answer")
            reply = dict.fromkeys((row.msisdn for row in marked.rows), silence)
        return Ended(
            result=self._result(marked, reply),
            hold=_hold(reply),
            refusal=_refusal(reply, of_all=_OF_ONE_TEXT if is_one_text else _OF_ALL),
            has_taken=any(each.verdict is Verdict.ACCEPTED for each in reply.values()),
        )

    def _result(self, marked: Marked, reply: Mapping[str, Outcome]) -> SubmissionResult:
        messages = (
            self._message(row, reply.get(row.msisdn, _SILENCE), size=len(marked.rows)) for row in marked.rows
        )
        worst = next((each for each in reply.values() if each.verdict is not Verdict.ACCEPTED), None)
        return SubmissionResult(
            reference=marked.reference,
            outcome=_outcome(reply),
            messages=tuple(messages),
            provider_ref=next((each.provider_ref for each in reply.values() if each.provider_ref), None),
            code=worst.code if worst else None,
            detail=worst.detail if worst else None,
        )

    def _message(self, row: DueRow, outcome: Outcome, *, size: int) -> MessageOutcome:
        delay_s = self._delay_s(row, outcome) if outcome.verdict is Verdict.RETRY else 0.0
        return MessageOutcome(
            message_id=row.id,
            state=_STATES[outcome.verdict],
            delay_ms=int(1000 * (delay_s or 0.0)),
            gives_up=delay_s is None,
            keeps_attempt=outcome.verdict not in _UNCOUNTED,
            group_limit=max(1, size // 2) if outcome.verdict is Verdict.SPLIT else None,
            provider_ref=outcome.provider_ref,
            billed_parts=outcome.parts,
            billed_cost=outcome.cost,
            code=outcome.code,
            detail=outcome.detail,
            stops=self.stop_list if outcome.verdict is Verdict.OPTED_OUT else None,
            keeps_number=self.keeps_numbers,
        )

    def _delay_s(self, row: DueRow, outcome: Outcome) -> float | None:
        return retry.delay_s(
            self.policy,
            attempts=row.attempts + 1,  # this one
            random=self.random,
            retry_after_s=outcome.retry_after_s,
            leave_in_s=None if row.leave_in_ms is None else row.leave_in_ms / 1000,
        )


def not_sent(marked: Marked, reason: NotSent) -> SubmissionResult:
    """Say that nothing of a request has left: its messages are queued as they were."""
    delay_ms = TOO_LATE_DELAY_MS if isinstance(reason, TooLate) else 0
    messages = tuple(
        MessageOutcome(
            message_id=row.id,
            delay_ms=delay_ms,
            state=MessageState.QUEUED,
            keeps_attempt=False,
            code="not_sent",
            detail=str(reason),
        )
        for row in marked.rows
    )
    return SubmissionResult(
        reference=marked.reference,
        outcome=SubmissionOutcome.NOT_SENT,
        messages=messages,
        code="not_sent",
        detail=str(reason),
    )


def unreachable(reason: NotSent) -> Hold:
    """Close the account until the gateway can be reached: what refuses connections is tried gently.

    Where the gateway was reached and does not let the account in, until a check finds it well.
    """
    if isinstance(reason, LoginRefused):
        return Hold(reason=str(reason))
    return Hold(pause_s=reason.retry_after_s, reason=str(reason), is_away=True)


def _outcome(reply: Mapping[str, Outcome]) -> SubmissionOutcome:
    unclear = all(outcome.verdict is Verdict.AMBIGUOUS for outcome in reply.values())
    return SubmissionOutcome.UNKNOWN if unclear else SubmissionOutcome.ANSWERED


def _hold(reply: Mapping[str, Outcome]) -> Hold | None:
    """Return the hold that lasts longest."""
    holds = [hold for outcome in reply.values() if (hold := _hold_for(outcome)) is not None]
    return max(
        holds, key=lambda hold: (hold.is_ours, hold.pause_s is None, hold.pause_s or 0.0), default=None
    )


def _hold_for(outcome: Outcome) -> Hold | None:
    if outcome.verdict in {Verdict.ACCOUNT, Verdict.BUG}:
        reason = f"the gateway answered {outcome.code}: {outcome.detail or 'nothing more'}"
        return Hold(reason=reason, is_ours=outcome.verdict is Verdict.BUG)
    if outcome.verdict is Verdict.THROTTLED:
        pause_s = outcome.retry_after_s or THROTTLED_PAUSE_S
        return Hold(pause_s=pause_s, reason="the gateway asked for a pause")
    return None


def _refusal(reply: Mapping[str, Outcome], *, of_all: Collection[Verdict]) -> str | None:
    """Say why, when the gateway refused every recipient for what they share: sender, text, parameters."""
    outcomes = list(reply.values())
    if not outcomes or any(each.verdict not in of_all for each in outcomes):
        return None
    return f"the gateway refused it with {outcomes[0].code}: {outcomes[0].detail or 'nothing more'}"
