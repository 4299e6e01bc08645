"""The tables of one run, as Markdown, and their place in the README of this folder."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.departing import Bare, Ran
from tests.bench.plan import GUARD_S, Case
from tests.bench.sandbox_speed import Beside
from tests.bench.whole import Finding
from tests.bench.windows import Flow
from worker.sending.departures import LATE_S

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- written by make bench -->", "<!-- end of the tables -->"
USED_BY_STAMPS, USED_AT_RECEIVER = 0.99, 0.97


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One combination: without guard by its stamps, with it at the receiver, and the bare loop."""

    case: Case
    by_stamps: Ran
    at_receiver: Ran
    bare: Bare

    @property
    def problems(self) -> list[str]:
        """Say what is not as it must be."""
        flow, limit, largest = self.by_stamps.written, self.case.per_second, self.case.largest
        checks = {
            "above the limit in 1 s": max(flow.most, self.by_stamps.granted.most) > limit + largest - 1,
            "above the limit in 60 s": (flow.most_60s or 0) > 60 * limit + largest - 1,
            "too little used": not flow.uses(USED_BY_STAMPS),
            "above at the receiver": self.at_receiver.came.most > limit + largest - 1,
            "too little came": not self.at_receiver.came.uses(USED_AT_RECEIVER),
        }
        return [name for name, is_so in checks.items() if is_so]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Celery and ours at the same limit, with as many processes."""

    name: str
    flow: Flow


def departures(measured: Sequence[Measured], *, stamps_s: float, receiver_s: float) -> list[str]:
    """Return the lines about departures and the receiver."""
    head = (
        "limit, latency, processes",
        "by stamps: most in 1 s",
        "in 60 s",
        "used",
        "with the kill",
        "given up",
        "lost with the kill, replaced after",
        "late: 99 %, most (ms)",
        f"with {1000 * GUARD_S:.0f} ms guard, at the receiver: most in 1 s",
        "used",
        "bare loop: most in 1 s",
        "used",
        f"later than {1000 * LATE_S:.0f} ms",
        "verdict",
    )
    lengths = f"Without guard for {stamps_s:.0f} s, with guard for {receiver_s:.0f} s each."
    return ["", lengths, "", *_table(head, (_measured(each) for each in measured))]


def _measured(each: Measured) -> tuple[str, ...]:
    stamps, came = each.by_stamps, each.at_receiver.came
    late = f"{stamps.late_ms[0]:.1f}, {stamps.late_ms[1]:.1f}"
    most_60s = "-" if stamps.written.most_60s is None else str(stamps.written.most_60s)
    return (
        each.case.name,
        str(stamps.written.most),
        most_60s,
        f"{stamps.written.used:.2%}",
        f"{stamps.written.used_in_all:.2%}",
        str(stamps.given_up),
        "-" if stamps.out_s is None else f"{stamps.lost}, {stamps.out_s:.1f} s",
        late,
        str(came.most),
        f"{came.used:.2%}",
        str(each.bare.came.most),
        f"{each.bare.came.used:.2%}",
        f"{each.bare.late:.2%}",
        ", ".join(each.problems) or "good",
    )


def findings(found: Sequence[Finding]) -> list[str]:
    """Return the lines about whole workers."""
    rows = ((each.ran, each.seen, "good" if each.is_good else "NOT GOOD") for each in found)
    return ["", *_table(("run", "seen", "verdict"), rows, is_figures=False)]


def compared(found: Sequence[Compared], *, about: str) -> list[str]:
    """Return the lines about Celery."""
    rows = ((each.name, str(each.flow.most), f"{each.flow.used:.1%}") for each in found)
    return ["", f"{about}.", "", *_table(("who", "most in 1 s", "used"), rows)]


def beside(found: Sequence[Beside], *, about: str) -> list[str]:
    """Return the lines about the simulator."""
    head = (
        "gateway",
        "requests/s",
        "bare handler",
        "share",
        "route",
        "share",
        "processor time (µs)",
        "bare handler",
        "route",
        "verdict",
    )
    rows = (
        (
            each.gateway,
            f"{each.simulated.per_second:.0f}",
            f"{each.bare.per_second:.0f}",
            f"{each.share:.0%}",
            f"{each.route.per_second:.0f}",
            f"{each.share_of_route:.0%}",
            f"{each.simulated.cpu_us:.0f}",
            f"{each.bare.cpu_us:.0f}",
            f"{each.route.cpu_us:.0f}",
            each.verdict,
        )
        for each in found
    )
    return ["", f"{about}.", "", *_table(head, rows)]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, is_figures: bool = True) -> list[str]:
    rule = ["---:" if n and is_figures else "---" for n in range(len(head))]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]


def ran_on() -> str:
    """Say when and where."""
    when, cores = datetime.now(UTC).strftime("%Y-%m-%d"), os.cpu_count()
    return f"Run on {when} (UTC), on {cores} cores with Python {platform.python_version()}"


def write(lines: Sequence[str], *, readme: Path = README) -> None:
    """Put the lines between the marks of the README."""
    text = readme.read_text(encoding="utf-8")
    written = "\n".join((BEGIN, *lines, "", END))
    readme.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: written, text, flags=re.DOTALL), encoding="utf-8")
