"""Departing: one combination, run with real processes against the receiver, and judged."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.plan import Case
from tests.bench.processes import Receiving, running
from tests.bench.sender import Job
from tests.bench.windows import Flow, Moved
from worker.clock import elapsed_s
from worker.throttle.limits import SECOND_US

START_S = 60.0
BEGIN_S = 0.2
KILL_US = SECOND_US
"""A kill is left out of the judgement for so long at most, while others go on."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What one sender wrote: departures that it was granted, and those that it used with how late it was."""

    granted: Moved
    written: Moved
    late_us: list[int]

    @classmethod
    def read(cls, log: Path) -> Told:
        """Read its log; a line that a kill tore is none."""
        text = log.read_text(encoding="ascii") if log.exists() else ""
        lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        written = [line for line in lines if line[0] == "written"]
        return cls(
            granted=[(line[1], line[2]) for line in lines if line[0] == "granted"],
            written=[(line[1], line[2]) for line in written],
            late_us=sorted(line[3] for line in written),
        )


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What came of one run; flows of what was granted, of what was written, and at the receiver.

    Attributes:
        given_up: units that were granted and that living processes did not write, exchanged ones included.
        lost: units that were granted to the process that was killed, and not written.
        out_s: from the kill to the first departure of the one that took its place.
        late_ms: how late requests were written, 99 of 100 and the latest.
    """

    granted: Flow
    written: Flow
    came: Flow
    given_up: int
    lost: int
    out_s: float | None
    late_ms: tuple[float, float]


@dataclass
class _Sender:
    process: subprocess.Popen[str]
    log: Path

    def wait_until_ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def go(self, ends_s: float) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{ends_s}\n")
        self.process.stdin.flush()


def run(case: Case, *, seconds: float, guard_s: float, redis_url: str, receiver: Receiving) -> Ran:
    """Run a combination for so long after its first departure, and judge it."""
    with tempfile.TemporaryDirectory(prefix="bs-bench-") as folder, ExitStack() as stack:
        account = secrets.token_hex(8)
        senders = []
        for n in range(case.processes + case.is_stirred):
            log = Path(folder) / f"{n}"
            job = Job(
                redis_url=redis_url,
                url=receiver.url,
                account=account,
                guard_s=guard_s,
                log=str(log),
                case=asdict(case),
            )
            words = ("-m", "tests.bench.sender", json.dumps(asdict(job)))
            process = stack.enter_context(running(*words))
            senders.append(_Sender(process, log))
        for sender in senders:
            sender.wait_until_ready()
        receiver.begin(latency_s=case.latency_s)
        killed_us = _stir(case, senders, seconds=seconds)
        came = receiver.came()
        told = [Told.read(sender.log) for sender in senders]
    return _judged(case, told, came, killed_us=killed_us)


def _stir(case: Case, senders: list[_Sender], *, seconds: float) -> int | None:
    """Let them send: one joins after a sixth of the time, the first is killed and replaced in the middle."""
    begin_s = elapsed_s()
    ends_s = begin_s + BEGIN_S + 1.3 + seconds  # a new account waits for a second and a bit
    late = senders[1 : case.processes][-1:] if case.is_stirred else []
    for sender in senders[: case.processes - len(late)]:
        sender.go(ends_s)
    if case.is_stirred:
        _sleep_until(begin_s + seconds / 6)
        for sender in late:
            sender.go(ends_s)
        _sleep_until(begin_s + seconds / 2)
        senders[0].process.send_signal(signal.SIGKILL)
        killed_us = time.time_ns() // 1000
        senders[-1].go(ends_s)
    for sender in senders[1:] if case.is_stirred else senders:
        assert sender.process.wait(seconds + START_S) == 0
    return killed_us if case.is_stirred else None


def _sleep_until(at_s: float) -> None:
    time.sleep(max(0.0, at_s - elapsed_s()))


def _judged(case: Case, told: list[Told], came: Moved, *, killed_us: int | None) -> Ran:
    granted = [moved for each in told for moved in each.granted]
    written = [moved for each in told for moved in each.written]
    late_us = sorted(late for each in told for late in each.late_us) or [0]
    lost, out_us, without = 0, None, []
    if killed_us is not None:
        lost = _units(told[0].granted) - _units(told[0].written)
        out_us = min((at for at, _ in told[-1].written), default=max(granted)[0]) - killed_us
        # While others go on, what the killed one leaves unused is over within a reach: 1 s is generous.
        without = [(killed_us, killed_us + (min(out_us, KILL_US) if case.processes > 1 else out_us))]
    return Ran(
        granted=Flow.of(granted, per_second=case.per_second, without=without),
        written=Flow.of(written, per_second=case.per_second, without=without),
        came=Flow.of(came, per_second=case.per_second, without=without),
        given_up=_units(granted) - _units(written) - lost,
        lost=lost,
        out_s=None if out_us is None else out_us / SECOND_US,
        late_ms=(late_us[int(0.99 * len(late_us))] / 1000, late_us[-1] / 1000),
    )


def _units(moved: Moved) -> int:
    return sum(units for _, units in moved)


@dataclass(frozen=True, kw_only=True)
class Bare:
    """What came of the bare loop, and the share of its requests that a worker would have given up as late."""

    came: Flow
    late: float


def run_bare(case: Case, *, seconds: float, guard_s: float, receiver: Receiving) -> Bare:
    """Run the bare paced loop at the pace of this combination."""
    receiver.begin(latency_s=case.latency_s)
    words = (receiver.url, case.per_second, guard_s, case.latency_s, seconds)
    with running("-m", "tests.bench.bare", *map(str, words)) as process:
        late = float(process.communicate(timeout=seconds + START_S)[0])
    return Bare(came=Flow.of(receiver.came(), per_second=case.per_second), late=late)
