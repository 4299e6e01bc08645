"""``python -m tests.bench [--short | --all] [--rows N] [WORD...]``: measures and judges; ``make bench``.

Words choose: ``departures``, ``whole``, ``due``, ``million``, ``celery``, ``sandbox``, ``preview``, ``texts``
and ``numbers``, or combinations by a part of their name, such as ``"100/s 50ms 4p"``. A run of everything, if
it is not short, is written into the README beside it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.bench import (
    celery_limit,
    departing,
    due,
    million,
    numbers,
    preview,
    sandbox_speed,
    table,
    texts,
    whole,
)
from tests.bench.plan import ALL, DEFAULT, GUARD_S, SHORT, Case, Plan
from tests.bench.processes import Receiving, receiving
from tests.bench.sandbox_speed import Beside
from tests.bench.table import Compared, Measured
from tests.bench.whole import Finding
from tests.fault.servers import own_redis

PARTS = ("departures", "whole", "due", "million", "celery", "sandbox", "preview", "numbers", "texts")
CELERY = Case(per_second=100, latency_s=0.0, processes=4, is_stirred=False)


def main(argv: Sequence[str]) -> int:
    """Run, print, and return the exit code: 0 when all is as it must be."""
    options = _options(argv)
    plan = ALL if options.all else SHORT if options.short else DEFAULT
    if options.rows is not None:
        plan = replace(plan, lengths=replace(plan.lengths, rows=options.rows))
    words: list[str] = options.words
    parts = [part for part in PARTS if not words or part in words]
    cases = [case for case in plan.cases if "departures" in parts or any(word in case.name for word in words)]
    began_s = time.monotonic()
    with own_redis() as redis, receiving() as receiver:
        measured = [_measure(case, plan, redis_url=redis.url, receiver=receiver) for case in cases]
        celery = _compare(plan, redis_url=redis.url, receiver=receiver) if "celery" in parts else []
    found = list(_look(whole.findings(plan.lengths))) if "whole" in parts else []
    timed = list(_look(due.findings(rows=plan.lengths.due))) if "due" in parts else []
    timed += list(_look(million.findings(rows=plan.lengths.million))) if "million" in parts else []
    beside = list(sandbox_speed.compare(seconds=plan.lengths.sandbox)) if "sandbox" in parts else []
    composed = [*_composed(parts, plan)]
    about = f"{table.ran_on()}, in {(time.monotonic() - began_s) / 60:.0f} minutes"
    lines = [
        about + ".",
        *_lines(
            plan, measured=measured, found=found, timed=timed, celery=celery, beside=beside, composed=composed
        ),
    ]
    print("\n".join(lines))  # noqa: T201 - a program for the terminal
    if not words and not options.short:
        table.write(lines)
    judged: list[Finding | Beside] = [*found, *timed, *beside, *composed]
    return int(any(each.problems for each in measured) or not all(each.is_good for each in judged))


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--short", action="store_true", help="a few combinations for 10 s each")
    length.add_argument("--all", action="store_true", help="every combination for a minute: over two hours")
    parser.add_argument("--rows", type=int, help="of the bulk campaign behind which urgent messages wait")
    parser.add_argument("words", nargs="*", metavar="WORD", help=f"{', '.join(PARTS)}, or part of a name")
    return parser.parse_args(argv)


def _measure(case: Case, plan: Plan, *, redis_url: str, receiver: Receiving) -> Measured:
    _say(f"{case.name}, {case.connections} connections")
    lengths = plan.lengths
    measured = Measured(
        case=case,
        by_stamps=departing.run(
            case, seconds=lengths.departures, guard_s=0.0, redis_url=redis_url, receiver=receiver
        ),
        at_receiver=departing.run(
            case, seconds=lengths.receiver, guard_s=GUARD_S, redis_url=redis_url, receiver=receiver
        ),
        bare=departing.run_bare(case, seconds=lengths.bare, guard_s=GUARD_S, receiver=receiver),
    )
    _say(f"  {', '.join(measured.problems) or 'good'}")
    return measured


def _compare(plan: Plan, *, redis_url: str, receiver: Receiving) -> list[Compared]:
    seconds = plan.lengths.celery
    _say(f"Celery at {CELERY.per_second}/s")
    ours = departing.run(CELERY, seconds=seconds, guard_s=GUARD_S, redis_url=redis_url, receiver=receiver)
    return [
        Compared(name="Bulksend", flow=ours.came),
        *(
            Compared(
                name=f"Celery, {each.name}",
                flow=celery_limit.run(
                    each,
                    per_second=CELERY.per_second,
                    seconds=seconds,
                    redis_url=redis_url,
                    receiver=receiver,
                ),
            )
            for each in celery_limit.arrangements(CELERY.processes)
        ),
    ]


def _composed(parts: Sequence[str], plan: Plan) -> Iterator[Finding]:
    """Read, compose, cut and import: what one core does before anything is sent."""
    if "preview" in parts:
        yield from _look(preview.findings(rows=plan.lengths.imported))
    if "numbers" in parts:
        yield from _look(numbers.findings(compared=plan.lengths.compared))
    if "texts" in parts:
        yield from _look(texts.findings())


def _look(findings: Iterator[Finding]) -> Iterator[Finding]:
    for each in findings:
        _say(f"{each.ran}: {each.seen}: {'good' if each.is_good else 'NOT GOOD'}")
        yield each


def _lines(  # noqa: PLR0913 - the parts
    plan: Plan,
    *,
    measured: Sequence[Measured],
    found: Sequence[Finding],
    timed: Sequence[Finding],
    celery: Sequence[Compared],
    beside: Sequence[Beside],
    composed: Sequence[Finding],
) -> list[str]:
    lengths = plan.lengths
    lines = []
    if measured:
        lines += ["", "### Departures"]
        lines += table.departures(measured, stamps_s=lengths.departures, receiver_s=lengths.receiver)
    if found:
        lines += ["", "### Whole workers", *table.findings(found)]
    if timed:
        lines += ["", "### Due at a time", *table.findings(timed)]
    if composed:
        lines += ["", "### Before anything is sent", *table.findings(composed)]
    if celery:
        about = f"{CELERY.per_second}/s, {CELERY.processes} worker processes, {lengths.celery:.0f} s each, "
        lines += ["", "### Celery's rate_limit"]
        lines += table.compared(celery, about=f"{about}at the receiver")
    if beside:
        about = f"Requests of one message on {sandbox_speed.CONNECTIONS} connections"
        lines += [
            "",
            "### The simulator",
            *table.beside(beside, about=f"{about}, {lengths.sandbox:.0f} s each"),
        ]
    return lines


def _say(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)  # noqa: T201 - progress


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
