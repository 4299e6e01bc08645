"""Hearing what a gateway has of ours: one read-only call about several requests."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine

from worker.errors import ConfigError, NotSent, OutcomeUnknown
from worker.gateways.base import Adapter, Lookup, Outcome, Question, Verdict
from worker.gateways.http import LOOKUP_BODY_LIMIT
from worker.gateways.session import Carrier
from worker.ledger import alike, asking
from worker.ledger.alike import Content
from worker.ledger.asking import Asked
from worker.ledger.engine import reading
from worker.ledger.values import MessageOutcome, SubmissionResult
from worker.states import MessageState, SubmissionOutcome
from worker.text.targets import kind_of

_log = logging.getLogger(__name__)
_ALIKE = "found_alike"  # the code of an outcome that is not found by our reference or by the gateway's id
_LONGEST_SPAN_MS = 600_000  # a call that covers a span of time asks for no longer one
_SHORTEST_SPAN_MS = 60_000
_STEADY = 5  # calls that were answered before a longer span is tried: where it is too long, that one is lost

Heard = Mapping[str, Mapping[str, Outcome]]
"""By reference, then by number: what the gateway says it has."""


@dataclass(kw_only=True)
class Ear:
    """Asks the gateway of one account; learns how long a span of time one call can cover."""

    provider: str
    login: str
    engine: Engine
    adapter: Adapter
    client: Carrier
    lookup: Lookup
    keeps_numbers: bool = True  # of those that the gateway blocks, in the list of opt-outs
    _span_ms: int = field(default=_LONGEST_SPAN_MS)
    _n_answered: int = 0  # in a row, with such a span

    def in_one_call(self, asked: Sequence[Asked], *, n_others: int = 0) -> Sequence[Asked]:
        """Return what one call can carry beside others, those first that waited longest."""
        if self.lookup.most_references is not None:
            return asked[: max(1, self.lookup.most_references - n_others)]
        return [each for each in asked if abs(each.sent_at - asked[0].sent_at) <= self._span_ms]

    def control(self, asked: Sequence[Asked]) -> Sequence[Asked]:
        """Return what it is known to have, younger than the first of them; to prove what it has not."""
        if not self.lookup.is_proof:
            return []
        first = min(each.submission_id for each in asked)
        with reading(self.engine) as connection:
            return asking.known_control(connection, self.provider, login=self.login, after=first)

    def hear(self, asked: Sequence[Asked]) -> Heard | None:
        """Make the call; None where the gateway said nothing that can be read."""
        questions = list(self._questions(asked))
        try:
            reply = self.client.exchange(self.adapter.ask(questions), body_limit=LOOKUP_BODY_LIMIT)
        except (ConfigError, NotSent, OutcomeUnknown) as error:
            if isinstance(error, OutcomeUnknown):  # perhaps because the log of such a span is too long
                self._take_span(self._span_ms // 2)
            _log.info("gateway not asked", extra={"provider": self.provider, "reason": str(error)})
            return None
        self._n_answered += 1
        if self._n_answered >= _STEADY:
            self._take_span(self._span_ms * 2)
        heard = self.adapter.hear(questions, reply)
        if heard is None:
            _log.warning("gateway asked in vain", extra={"provider": self.provider, "status": reply.status})
            return None
        heard = {**heard, **_of_targets(asked, heard)}
        return self._not_of_others(asked, heard) if self.lookup.is_alike else heard

    def _take_span(self, span_ms: int) -> None:
        self._span_ms = min(max(span_ms, _SHORTEST_SPAN_MS), _LONGEST_SPAN_MS)
        self._n_answered = 0

    def _questions(self, asked: Sequence[Asked]) -> Iterator[Question]:
        """Write the questions, with what was sent where the gateway does not know our references."""
        contents: Mapping[int, Content] = {}
        if self.lookup.is_alike:
            with reading(self.engine) as connection:
                contents = alike.contents(connection, [n for each in asked for n in each.messages.values()])
        for each in asked:
            sent = [contents[number] for number in each.messages.values()] if contents else []
            yield Question(
                reference=each.reference,
                recipients=tuple(each.messages),
                sent_at_s=each.sent_at / 1000,
                sender=next((content.sender for content in sent), ""),
                texts=tuple(content.text for content in sent),
                provider_refs=tuple(content.provider_ref for content in sent),
            )

    def _not_of_others(self, asked: Sequence[Asked], heard: Heard) -> Heard:
        """Leave out what only looks like a message and is known to be another of ours: it has its own id."""
        ids = {each.provider_ref for outcomes in heard.values() for each in outcomes.values()} - {None}
        with reading(self.engine) as connection:
            holders = alike.holders(connection, self.login, [each for each in ids if each is not None])
        ours = {each.reference: each.messages for each in asked}
        return {
            reference: {
                msisdn: outcome
                for msisdn, outcome in outcomes.items()
                if holders.get(outcome.provider_ref or "", ours[reference][msisdn]) == ours[reference][msisdn]
            }
            for reference, outcomes in heard.items()
        }

    def known(self, asked: Sequence[Asked], heard: Heard) -> Sequence[Asked]:
        """Return the requests that the gateway knows by their reference, even if it names none of them."""
        return [] if self.lookup.is_alike else [each for each in asked if each.reference in heard]

    def missing(self, asked: Sequence[Asked], heard: Heard) -> Sequence[Asked]:
        """Return the requests that it does not know; of its own groups no document says that it would."""
        return [
            each for each in asked if each.reference not in heard and not any(map(kind_of, each.messages))
        ]

    def found(self, asked: Asked, heard: Mapping[str, Outcome]) -> SubmissionResult:
        """Say what became of a request of which nobody knew."""
        messages = tuple(
            self._of_message(asked.messages[msisdn], outcome)
            for msisdn, outcome in heard.items()
            if msisdn in asked.messages
        )
        is_whole = len(messages) == len(asked.messages)
        outcome = SubmissionOutcome.ANSWERED if is_whole else SubmissionOutcome.UNKNOWN
        provider_ref = next((each.provider_ref for each in messages if each.provider_ref), None)
        return SubmissionResult(
            reference=asked.reference, outcome=outcome, messages=messages, provider_ref=provider_ref
        )

    def delivered(self, asked: Asked, heard: Mapping[str, Outcome]) -> SubmissionResult:
        """Say what became of the messages of a request on their way, as far as that is told now."""
        messages = tuple(
            self._of_message(asked.messages[msisdn], outcome)
            for msisdn, outcome in heard.items()
            if msisdn in asked.messages and outcome.delivery is not None
        )
        return SubmissionResult(reference=asked.reference, outcome=SubmissionOutcome.OPEN, messages=messages)

    def _of_message(self, message_id: int, outcome: Outcome) -> MessageOutcome:
        told = ("found", "the gateway had it when it was asked")
        if outcome.code == _ALIKE:
            told = (_ALIKE, "the gateway had one with this number, sender and text when it was asked")
        has = self.adapter.capabilities
        if outcome.delivery is not None:
            told = (outcome.code or told[0], outcome.detail or told[1])
        return MessageOutcome(
            message_id=message_id,
            state=outcome.delivery or MessageState.ACCEPTED,
            provider_ref=outcome.provider_ref,
            billed_parts=outcome.parts,
            billed_cost=outcome.cost,
            code=told[0],
            detail=told[1],
            stops=has.stop_list if outcome.code in has.blocked else None,
            keeps_number=self.keeps_numbers,
        )


def _of_targets(asked: Sequence[Asked], heard: Heard) -> Heard:
    """Say that the gateway has what went to its own groups: it knows the request, and names others."""
    has_it = Outcome(verdict=Verdict.ACCEPTED)
    return {
        each.reference: dict.fromkeys(each.messages, has_it)
        for each in asked
        if heard.get(each.reference) == {} and all(map(kind_of, each.messages))
    }
