"""How fast one core fills in, cuts and composes texts, beside bare loops: ``python -m tests.bench.texts``."""

from __future__ import annotations

import itertools
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from jinja2.sandbox import SandboxedEnvironment

from tests.bench.whole import Finding
from worker.text.compose import Rules, compose
from worker.text.replacing import replaced
from worker.text.segments import measure, segment
from worker.text.template import Template

_T = TypeVar("_T")

ROWS: Final = 100_000
BEST_OF: Final = 5
LEAST_PER_S: Final = 500_000

_MIXED: Final = "mixed short: 70 % ASCII, 20 % GSM-7, 10 % UCS-2"
_JUDGED: Final = (_MIXED, "ASCII, 60", "GSM-7, 3 parts with €", "UCS-2, 3 parts")

_SOURCE: Final = "Hi {{ first_name }}, your table is ready at {{ time }}. See you soon!"
_FILTERED: Final = "Hi {{ first_name | title }}, your table is ready at {{ time }}. See you soon!"


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What one core did."""

    name: str
    per_second: float
    beside: str
    share: float

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.name:46} {self.per_second:>12,.0f}/s  {self.share:8.1%} of {self.beside}"


def findings() -> Iterator[Finding]:
    """Measure how fast texts are counted, which a preview does with each row, and how fast they are cut.

    Only the first is held against the aim: nothing but ``bulksend segments`` cuts, and that one text.
    """
    kinds = {name: _repeated(texts, ROWS) for name, texts in _kinds().items()}
    for name in _JUDGED:
        counts, cuts = _rate(measure, kinds[name]), _rate(segment, kinds[name])
        yield Finding(
            ran=f"parts of texts: {name}",
            seen=f"counted {counts:,.0f}/s of {LEAST_PER_S:,}/s; cut {cuts:,.0f}/s",
            is_good=counts >= LEAST_PER_S,
        )


def speeds(rows: int = ROWS) -> list[Speed]:
    """Measure all, each against its bare loop."""
    values = [{"first_name": f"Ann {n % 97}", "time": f"{n % 24}:30"} for n in range(rows)]
    return [*_measuring(rows), *_rendering(values), *_composing(values)]


def _kinds() -> dict[str, list[str]]:
    kinds = {
        "ASCII, 60": ["Hi Ann, your table is ready at 19:30. See you soon in Odense"],
        "GSM-7, 60": ["Hej Åse, dit bord er klar kl. 19:30. På gensyn i Søndersø i."],
        "GSM-7 with €, 60": ["Hi Ann, your 5 € voucher is ready at 19:30. See you soon in O"],
        "UCS-2, 60": ["Здравствуйте, ваш столик готов в 19:30. До скорой встречи!!!"],
        "GSM-7, 3 parts with €": ["Hi Ann, you have 5 € left. " * 15],
        "UCS-2, 3 parts": ["Здравствуйте, ваш столик готов. " * 5 + "🎉"],
    }
    kinds[_MIXED] = [
        *kinds["ASCII, 60"] * 7,
        *kinds["GSM-7, 60"] * 2,
        *kinds["UCS-2, 60"],
    ]
    return kinds


def _repeated(texts: Sequence[str], rows: int) -> list[str]:
    return list(itertools.islice(itertools.cycle(texts), rows))


def _measuring(rows: int) -> list[Speed]:
    found = []
    for name, texts in _kinds().items():
        each = _repeated(texts, rows)
        bare = _rate(len, each)
        found += [
            _beside(f"measure {name}", _rate(measure, each), "len()", bare),
            _beside(f"segment {name}", _rate(segment, each[: rows // 10]), "len()", bare),
        ]
    curly = ["It\u2019s 5 o\u2019clock \u2013 come\u2026"] * rows
    return [*found, _beside("replaced, 3 kinds of signs", _rate(replaced, curly), "len()", _rate(len, curly))]


def _rendering(values: Sequence[dict[str, str]]) -> list[Speed]:
    jinja = _rate(SandboxedEnvironment().from_string(_SOURCE).render, values)
    bare = _rate(_bare, values)
    plain, filtered = Template(_SOURCE), Template(_FILTERED)
    return [
        _beside("render two variables", _rate(plain.render, values), "Jinja2's compiled render", jinja),
        _beside("render two variables", _rate(plain.render, values), "an f-string", bare),
        _beside("render one filter", _rate(filtered.render, values), "Jinja2's compiled render", jinja),
    ]


def _composing(values: Sequence[dict[str, str]]) -> list[Speed]:
    template = Template(_SOURCE)
    bare = _rate(_bare, values)

    def composed(row: dict[str, str]) -> object:
        return compose(template, row, Rules(max_parts=10))

    return [_beside("compose two variables", _rate(composed, values), "an f-string", bare)]


def _bare(row: dict[str, str]) -> str:
    return f"Hi {row['first_name']}, your table is ready at {row['time']}. See you soon!"


def _beside(name: str, per_second: float, beside: str, bare: float) -> Speed:
    return Speed(name=name, per_second=per_second, beside=beside, share=per_second / bare)


def _rate(work: Callable[[_T], object], each: Sequence[_T]) -> float:
    return max(len(each) / _seconds(work, each) for _ in range(BEST_OF))


def _seconds(work: Callable[[_T], object], each: Iterable[_T]) -> float:
    began_s = time.process_time()
    deque(map(work, each), maxlen=0)
    return time.process_time() - began_s


if __name__ == "__main__":
    print(*speeds(), sep="\n")  # noqa: T201 -- a program for the terminal
    sys.exit(0)
