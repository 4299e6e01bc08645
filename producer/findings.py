"""What is found of an order before anything is sent: sums, problems and texts."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import merge
from operator import attrgetter

from producer.recipients import Double, Found, Problem, Row, Seen
from producer.schedule.plan import Plan
from worker.text.pricing import Totals

KEPT_PROBLEMS = 100
"""Refused rows that are kept with their reason; all are counted."""


OPTED_OUT = "opted_out"
REACHED = "reached"


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A row that could be sent to and is left out: opted out, or reached by the same text lately."""

    line: int
    code: str


class LeftOuts:
    """All rows that are left out, in their order: nine bytes each."""

    _CODES = (OPTED_OUT, REACHED)

    def __init__(self) -> None:
        self._lines, self._codes = array("Q"), array("B")

    def add(self, code: str, *, line: int) -> None:
        """Append one."""
        self._lines.append(line)
        self._codes.append(self._CODES.index(code))

    def __len__(self) -> int:
        """Count them."""
        return len(self._lines)

    def __iter__(self) -> Iterator[LeftOut]:
        """Yield them in their order."""
        for line, code in zip(self._lines, self._codes, strict=True):
            yield LeftOut(line=line, code=self._CODES[code])


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One text as it will be sent."""

    line: int
    parts: int
    encoding: str
    text: str = field(repr=False)
    language: str | None = None  # where there are several texts


@dataclass(frozen=True, kw_only=True)
class CostlyRow:
    """A row that some characters made dearer.

    Attributes:
        line: of the file.
        characters: those that the GSM alphabet lacks, or that count twice there; each once.
        parts: of the text.
        parts_without: what it would have if each of its characters were a common one.
    """

    line: int
    characters: tuple[str, ...]
    parts: int
    parts_without: int


@dataclass(kw_only=True)
class Country:
    """What the messages to one country come to."""

    messages: int = 0
    parts: int = 0
    unpriced: int = 0
    cost: Totals = field(default_factory=Totals)


@dataclass(kw_only=True)
class Preview:
    """What an order comes to: rows = messages + duplicates + skipped + refused.

    Attributes:
        targets: messages to groups and contacts that the gateway keeps: nobody here knows who gets them, how
            many, and at what price.
        content: digest of what would be sent, wherever the file lies and whatever it costs.
        fingerprint: digest of that and of every message as the ledger keeps it, with its prices.
        cost_fallback: the cost if everything went through the fallback.
        no_fallback: a sentence, why the configured fallback cannot take over.
        countries: by ISO code; empty for groups and contacts that the gateway keeps.
        languages: messages by language, where there are several texts.
        replaced: typographic signs with what stands in their place, and how often.
        costly: the first rows that some characters made dearer; ``n_costly`` counts all of them,
            ``costly_characters`` by character, ``parts_more`` what they cost.
        plan: when it leaves.
        source: how the file is written.
        repairs: how many numbers were repaired, and how; ``repaired`` has the first of them.
        doubles: rows that were dropped because their recipient has it already.
        on_problem: called with every refused row.
        headers: the columns of the file, where the ledger is to keep them.
    """

    rows: int = 0
    messages: int = 0
    duplicates: int = 0
    refused: int = 0
    parts: int = 0
    units: int = 0  # as the provider counts: parts, messages, or requests
    unpriced: int = 0  # messages for which no price is known
    targets: int = 0
    cost: Totals = field(default_factory=Totals)
    problems: list[Problem] = field(default_factory=list)
    skips: Counter[str] = field(default_factory=Counter)  # rows that are left out, by reason
    left_out: LeftOuts = field(default_factory=LeftOuts)
    reasons: Counter[str] = field(default_factory=Counter)
    encodings: Counter[str] = field(default_factory=Counter)
    content: str = ""
    fingerprint: str = ""
    fallback: str | None = None  # provider that can carry every message
    no_fallback: str | None = None
    cost_fallback: Totals = field(default_factory=Totals)
    unpriced_fallback: int = 0
    text: str | None = None  # the one text, where no row changes it
    firsts: list[Sample] = field(default_factory=list)  # of each language
    dearest: Sample | None = None  # the first of those with the most parts
    countries: dict[str, Country] = field(default_factory=dict)
    languages: Counter[str] = field(default_factory=Counter)
    replaced: Counter[tuple[str, str]] = field(default_factory=Counter)
    costly: list[CostlyRow] = field(default_factory=list)
    costly_characters: Counter[str] = field(default_factory=Counter)
    n_costly: int = 0
    parts_more: int = 0
    plan: Plan = field(default_factory=Plan)
    source: Found | None = None
    repairs: Counter[str] = field(default_factory=Counter)
    repaired: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    doubles: Seen = field(default_factory=Seen)
    on_problem: Callable[[Problem], None] | None = field(default=None, repr=False)
    headers: tuple[str, ...] | None = None

    @property
    def samples(self) -> list[Sample]:
        """The first text of each language and the dearest one, once where they are the same."""
        return [sample for sample in dict.fromkeys((*self.firsts, self.dearest)) if sample]

    @property
    def skipped(self) -> int:
        """Rows that could be sent to and are left out."""
        return self.skips.total()

    @property
    def suppressed(self) -> int:
        """Those whose number wants none."""
        return self.skips[OPTED_OUT]

    def leave_out(self, code: str, *, line: int) -> None:
        """Count a row that could be sent to and is left out."""
        self.skips[code] += 1
        self.left_out.add(code, line=line)

    @property
    def dropped(self) -> Iterator[Double | LeftOut]:
        """Every row that is no message and is not refused either, in their order."""
        return merge(self.doubles, self.left_out, key=attrgetter("line"))

    def refuse(self, problem: Problem) -> None:
        """Count a refused row."""
        self.refused += 1
        self.reasons[problem.code] += 1
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append(problem)
        if self.on_problem:
            self.on_problem(problem)

    def note_repairs(self, row: Row) -> None:
        """Count what was repaired in the way a number was written."""
        self.repairs.update(row.repairs)
        if len(self.repaired) < KEPT_PROBLEMS:
            self.repaired.append((row.line, row.repairs))
