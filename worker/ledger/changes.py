"""Changes: what the outcomes of submissions make of their messages. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from worker.ledger.values import MessageOutcome, SubmissionResult
from worker.states import PROVEN, MessageState, SubmissionOutcome, after_outcome, is_doubled


@dataclass(frozen=True, kw_only=True)
class Before:
    """A message as it is found, and locked, when outcomes are recorded."""

    id: int
    batch_id: int
    state: MessageState
    submission_id: int | None  # the current one
    n_doubts: int  # requests with it of which nobody knows
    is_cancelled: bool  # its campaign; or its number is not known any more
    withdrawn: str | None = None  # why it is not to leave any more

    @property
    def may_leave(self) -> bool:
        """Whether it may be queued again: every way to that ends in CANCELLED else."""
        return not self.is_cancelled and self.withdrawn is None


@dataclass(frozen=True, kw_only=True)
class Change:
    """What one message becomes."""

    before: Before
    outcome: MessageOutcome
    state: MessageState
    submission_id: int | None  # the current one from now on
    doubts: int = 0  # how many requests with it became ones of which nobody knows, or were cleared up
    hops: bool = False  # to the fallback

    @property
    def code(self) -> str | None:
        """Why it is so: what was withdrawn and is cancelled says that, else it is the outcome's own word."""
        is_withdrawn = self.state is MessageState.CANCELLED and self.before.withdrawn is not None
        return self.before.withdrawn if is_withdrawn else self.outcome.code

    @property
    def is_given_up(self) -> bool:
        """Whether its provider is not to try it again."""
        return self.state is MessageState.QUEUED and self.outcome.gives_up

    @property
    def has_doubts(self) -> bool:
        """Whether a request with it may still have been accepted, for all that is known."""
        return self.before.n_doubts + self.doubts != 0

    def handed_over(self, *, is_possible: bool) -> Change:
        """Return what becomes of a message that is given up: it goes to the fallback, or fails."""
        return replace(self, hops=True) if is_possible else replace(self, state=MessageState.FAILED)


def judged(
    found: Mapping[int, Before],
    results: Sequence[SubmissionResult],
    submissions: Mapping[str, int],
    *,
    given_back: Collection[int] = (),
) -> tuple[list[Change], set[int]]:
    """Judge outcome after outcome; where several concern one message, the last that changes it is written.

    Args:
        found: the messages by id.
        results: what became of requests.
        submissions: ids by reference; of one that is missing, the ledger has no mark.
        given_back: those of them that the gateway has given back since it accepted them: that it had them is
            no news any more, however late an answer or a report says so. What arrived is.

    Returns:
        the changes, and the messages that two requests may have brought to the gateway.
    """
    changes: dict[int, Change] = {}
    doubled: set[int] = set()
    for result, submission_id, outcome in _said(results, submissions, given_back):
        is_definite = outcome.ends_doubt or result.outcome is not SubmissionOutcome.UNKNOWN
        before = found.get(outcome.message_id)
        if before is None:
            continue
        now = changes.get(before.id) or _unchanged(before, outcome)
        is_current = now.submission_id == submission_id
        if is_doubled(now.state, outcome.state, is_current=is_current):
            doubled.add(before.id)
        state = after_outcome(
            now.state, outcome.state, is_current=is_current, is_cancelled=not before.may_leave
        )
        if state is not None:
            changes[before.id] = Change(
                before=before,
                outcome=outcome,
                state=state,
                submission_id=submission_id if state in PROVEN else now.submission_id,
                doubts=now.doubts + _doubts(now.state, state, is_definite=is_definite),
            )
    return list(changes.values()), doubled


def _said(
    results: Sequence[SubmissionResult], submissions: Mapping[str, int], given_back: Collection[int]
) -> Iterator[tuple[SubmissionResult, int, MessageOutcome]]:
    """Go through what is said of messages and counts, each with the id of its submission."""
    for result in results:
        submission_id = submissions.get(result.reference)
        if submission_id is None:
            continue
        is_back = submission_id in given_back
        for outcome in result.messages:
            if not (is_back and outcome.state is MessageState.ACCEPTED):
                yield result, submission_id, outcome


def _unchanged(before: Before, outcome: MessageOutcome) -> Change:
    return Change(before=before, outcome=outcome, state=before.state, submission_id=before.submission_id)


def _doubts(before: MessageState, after: MessageState, *, is_definite: bool) -> int:
    """Count a request of which nobody knows, or take it back at a definite word about it.

    What a person settled remains a doubt.
    """
    was_unknown = before is MessageState.UNKNOWN
    if after is MessageState.UNKNOWN:
        return 0 if was_unknown else 1
    return -1 if was_unknown and is_definite else 0
