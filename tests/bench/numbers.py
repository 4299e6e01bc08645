"""How fast numbers are read: as most files write them, and by libphonenumber's own parser beside it.

``python -m tests.bench.numbers`` prints numbers per second of processor time, the best of a few rounds.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Final

from tests.bench.whole import Finding
from tests.unit.text.near_numbers import PIECE, REGIONS, wrongly_read
from worker.text.msisdn import Msisdn, parse
from worker.text.numbers.judging import judge

LEAST_PER_S: Final = 300_000
_NUMBERS: Final = 50_000
_SLOW_NUMBERS: Final = 5_000
_ROUNDS: Final = 5


@dataclass(frozen=True, kw_only=True)
class Form:
    """A way to write the mobiles of one region.

    Attributes:
        head: stands before the digits that differ.
        tail: how many of those there are.
        is_clean: whether the aim is for it.
    """

    name: str
    region: str
    head: str
    tail: int
    is_clean: bool = True

    def written(self, count: int) -> list[str]:
        """Return so many numbers, the same every time; most are of series in use."""
        chance = random.Random(7)  # noqa: S311 - samples, no secrets
        return [self.head + "".join(chance.choices("123456789", k=self.tail)) for _ in range(count)]


FORMS: Final = (
    Form(name="+4520......", region="DK", head="+4520", tail=6),
    Form(name="20......", region="DK", head="20", tail=6),
    Form(name="4520......", region="DK", head="4520", tail=6),
    Form(name="+447400......", region="GB", head="+447400", tail=6),
    Form(name="07400......", region="GB", head="07400", tail=6),
    Form(name="+1202.......", region="US", head="+12022", tail=6),
    Form(name="+4915........", region="DE", head="+491511", tail=7),
    Form(name="+45 20 ......", region="DK", head="+45 20 ", tail=6, is_clean=False),
    Form(name="'20......", region="DK", head="'20", tail=6, is_clean=False),
)


def findings(*, compared: int) -> Iterator[Finding]:
    """Measure the clean forms against the aim, and compare numbers of all regions with libphonenumber."""
    for form in (each for each in FORMS if each.is_clean):
        quick = per_second(parse, form, count=_NUMBERS)
        yield Finding(
            ran=f"numbers of {form.region} as {form.name}",
            seen=f"{quick:,.0f}/s of {LEAST_PER_S:,}/s",
            is_good=quick >= LEAST_PER_S,
        )
    yield _agreement(compared)


def _agreement(compared: int) -> Finding:
    """Compare numbers that are read quickly with what libphonenumber says of them, on both of two cores."""
    pieces = compared // PIECE
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        n_wrong = sum(pool.map(_n_wrong, range(pieces)))
    return Finding(
        ran=f"{pieces * PIECE:,} numbers of {len(REGIONS)} regions, read quickly and by libphonenumber",
        seen=f"{n_wrong:,} differ",
        is_good=n_wrong == 0,
    )


def _n_wrong(seed: int) -> int:
    return len(wrongly_read(seed=seed))


def main() -> int:
    """Print each form, and return 1 where one misses the aim."""
    missed = False
    for form in FORMS:
        quick = per_second(parse, form, count=_NUMBERS)
        slow = per_second(judge, form, count=_SLOW_NUMBERS) if form.is_clean else None
        missed |= form.is_clean and quick < LEAST_PER_S
        beside = f", by libphonenumber alone {slow:,.0f}/s" if slow else ""
        print(f"{form.region} {form.name:<14} {quick:>9,.0f}/s{beside}")  # noqa: T201 - a program for the terminal
    return int(missed)


def per_second(read: Callable[..., Msisdn], form: Form, *, count: int) -> float:
    """Return the best of a few rounds."""
    numbers = form.written(count)
    return max(_round(read, numbers, region=form.region) for _ in range(_ROUNDS))


def _round(read: Callable[..., Msisdn], numbers: Sequence[str], *, region: str) -> float:
    began_s = time.process_time()
    for number in numbers:
        read(number, region=region)
    return len(numbers) / (time.process_time() - began_s)


if __name__ == "__main__":
    sys.exit(main())
