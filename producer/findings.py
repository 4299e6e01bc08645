"""What is found of an order before anything is sent: sums, problems and texts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from producer.recipients import Problem
from producer.schedule.plan import Plan
from worker.text.compose import Composed
from worker.text.pricing import Price, Totals

KEPT_PROBLEMS = 100
"""Refused rows that are kept with their reason; all are counted."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One text as it will be sent."""

    line: int
    parts: int
    encoding: str
    text: str = field(repr=False)


@dataclass(kw_only=True)
class Preview:
    """What an order comes to: rows = messages + duplicates + refused.

    Attributes:
        targets: messages to groups and contacts that the gateway keeps: nobody here knows who gets them, how
            many, and at what price.
        content: digest of what would be sent, wherever the file lies and whatever it costs.
        fingerprint: digest of that and of every message as the ledger keeps it, with its prices.
        cost_fallback: the cost if everything went through the fallback.
        no_fallback: a sentence, why the configured fallback cannot take over.
        plan: when it leaves.
    """

    rows: int = 0
    messages: int = 0
    duplicates: int = 0
    refused: int = 0
    parts: int = 0
    unpriced: int = 0  # messages for which no price is known
    targets: int = 0
    cost: Totals = field(default_factory=Totals)
    problems: list[Problem] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    encodings: Counter[str] = field(default_factory=Counter)
    content: str = ""
    fingerprint: str = ""
    fallback: str | None = None  # provider that can carry every message
    no_fallback: str | None = None
    cost_fallback: Totals = field(default_factory=Totals)
    unpriced_fallback: int = 0
    text: str | None = None  # the one text, where no row changes it
    first: Sample | None = None
    dearest: Sample | None = None  # the first of those with the most parts
    plan: Plan = field(default_factory=Plan)

    @property
    def samples(self) -> list[Sample]:
        """The first text and the dearest one, once where they are the same."""
        return [sample for sample in dict.fromkeys((self.first, self.dearest)) if sample]

    def refuse(self, problem: Problem) -> None:
        """Count a refused row."""
        self.refused += 1
        self.reasons[problem.code] += 1
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append(problem)

    def count(self, composed: Composed, price: Price | None, *, line: int, is_target: bool) -> None:
        """Count a message."""
        self._sample(composed, line=line)
        self.messages += 1
        self.parts += composed.n_parts
        self.encodings[composed.encoding.value] += 1
        self.targets += is_target
        if price is None:
            self.unpriced += 1
        else:
            self.cost.add(price)

    def _sample(self, composed: Composed, *, line: int) -> None:
        if self.dearest and composed.n_parts <= self.dearest.parts:
            return
        parts, encoding = composed.n_parts, composed.encoding.value
        self.dearest = Sample(line=line, parts=parts, encoding=encoding, text=composed.text)
        self.first = self.first or self.dearest
