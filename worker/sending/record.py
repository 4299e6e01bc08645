"""Record: what a gateway's answer, or its absence, means for the messages of a request; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from worker.errors import NotSent, OutcomeUnknown, TooLate
from worker.gateways.base import Outcome, Verdict
from worker.ledger.values import Marked, MessageOutcome, SubmissionResult
from worker.states import MessageState, SubmissionOutcome

UNREACHABLE_PAUSE_S = 5.0
THROTTLED_PAUSE_S = 1.0
TROUBLE_PAUSE_S = 60.0
TOO_LATE_DELAY_MS = 1000  # a machine that is so slow is given a breath

Reply = Mapping[str, Outcome] | NotSent | OutcomeUnknown
"""What a submission came to: outcomes by msisdn, or why there are none."""

_STATES: Mapping[Verdict, MessageState] = {
    Verdict.ACCEPTED: MessageState.ACCEPTED,
    Verdict.RECIPIENT: MessageState.REJECTED,
    Verdict.OPTED_OUT: MessageState.SUPPRESSED,
    Verdict.CAMPAIGN: MessageState.REJECTED,
    Verdict.ACCOUNT: MessageState.QUEUED,
    Verdict.RETRY: MessageState.QUEUED,
    Verdict.SPLIT: MessageState.QUEUED,
    Verdict.AMBIGUOUS: MessageState.UNKNOWN,
    Verdict.BUG: MessageState.QUEUED,
}


_SILENCE = Outcome(verdict=Verdict.AMBIGUOUS, code="not_named")


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Nothing may leave through the account for so long, and why."""

    pause_s: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The end of one request: what the ledger records, and whether account or campaign must wait."""

    result: SubmissionResult
    hold: Hold | None = None
    refusal: str | None = None  # why the campaign as a whole was refused

    @property
    def is_clear(self) -> bool:
        """Whether the gateway's answer, or that there was none to expect, is beyond doubt."""
        return self.result.outcome is not SubmissionOutcome.UNKNOWN


def ended(marked: Marked, reply: Reply) -> Ended:
    """Judge one request. A try that the gateway never judged does not count as an attempt."""
    if isinstance(reply, NotSent):
        return _not_sent(marked, reply)
    if isinstance(reply, OutcomeUnknown):
        outcomes = {row.msisdn: Outcome(verdict=Verdict.AMBIGUOUS, code="no_answer") for row in marked.rows}
        return Ended(result=_result(marked, outcomes, SubmissionOutcome.UNKNOWN))
    return Ended(result=_result(marked, reply, _outcome(reply)), hold=_hold(reply), refusal=_refusal(reply))


def _not_sent(marked: Marked, reason: NotSent) -> Ended:
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
    result = SubmissionResult(
        submission_id=marked.submission_id,
        outcome=SubmissionOutcome.NOT_SENT,
        messages=messages,
        code="not_sent",
        detail=str(reason),
    )
    return Ended(result=result, hold=None if isinstance(reason, TooLate) else unreachable(reason))


def unreachable(reason: NotSent) -> Hold:
    """Let the account wait a little: what refuses connections is tried gently."""
    return Hold(pause_s=reason.retry_after_s or UNREACHABLE_PAUSE_S, reason=str(reason))


def _outcome(reply: Mapping[str, Outcome]) -> SubmissionOutcome:
    unclear = all(outcome.verdict is Verdict.AMBIGUOUS for outcome in reply.values())
    return SubmissionOutcome.UNKNOWN if unclear else SubmissionOutcome.ANSWERED


def _result(marked: Marked, reply: Mapping[str, Outcome], outcome: SubmissionOutcome) -> SubmissionResult:
    messages = tuple(
        _message(row.id, reply.get(row.msisdn, _SILENCE), size=len(marked.rows)) for row in marked.rows
    )
    worst = next((each for each in reply.values() if each.verdict is not Verdict.ACCEPTED), None)
    return SubmissionResult(
        submission_id=marked.submission_id,
        outcome=outcome,
        messages=messages,
        provider_ref=next((each.provider_ref for each in reply.values() if each.provider_ref), None),
        code=worst.code if worst else None,
        detail=worst.detail if worst else None,
    )


def _message(message_id: int, outcome: Outcome, *, size: int) -> MessageOutcome:
    state = _STATES[outcome.verdict]
    return MessageOutcome(
        message_id=message_id,
        state=state,
        keeps_attempt=state is not MessageState.QUEUED,
        group_limit=max(1, size // 2) if outcome.verdict is Verdict.SPLIT else None,
        provider_ref=outcome.provider_ref,
        billed_parts=outcome.parts,
        billed_cost=outcome.cost,
        code=outcome.code,
        detail=outcome.detail,
    )


def _hold(reply: Mapping[str, Outcome]) -> Hold | None:
    holds = [hold for outcome in reply.values() if (hold := _hold_for(outcome)) is not None]
    return max(holds, key=lambda hold: hold.pause_s, default=None)


def _hold_for(outcome: Outcome) -> Hold | None:
    if outcome.verdict in {Verdict.ACCOUNT, Verdict.BUG}:
        said = f"the gateway answered {outcome.code}: {outcome.detail or 'nothing more'}"
        return Hold(pause_s=TROUBLE_PAUSE_S, reason=said)
    if outcome.verdict is Verdict.RETRY:
        pause_s = outcome.retry_after_s or THROTTLED_PAUSE_S
        return Hold(pause_s=pause_s, reason="the gateway asked for a pause")
    return None


def _refusal(reply: Mapping[str, Outcome]) -> str | None:
    """Say why, when the gateway refused every recipient for what they share: sender, text, parameters."""
    outcomes = list(reply.values())
    if not outcomes or any(each.verdict is not Verdict.CAMPAIGN for each in outcomes):
        return None
    return f"the gateway refused it with {outcomes[0].code}: {outcomes[0].detail or 'nothing more'}"
