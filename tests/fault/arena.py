"""One fault test's world: servers, gateway, processes, two campaigns at once; and what befalls them."""

import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

from tests.contract.lines import PREFIXES
from tests.e2e.place import ROOT, Done, Place, Started
from tests.e2e.warm import Warm
from tests.fault import books
from tests.fault.servers import OwnRedis
from tests.ledgers import database_now, schedule
from tests.sandbox.running import Sandbox
from worker.errors import LedgerError
from worker.waiting import within

SABOTAGE = Path(__file__).with_name("sabotage")
STEPS = (
    "before_lease",
    "after_lease",
    "after_mark",
    "after_write",
    "after_request",
    "before_record",
    "after_record",
)
CONNECTIONS = 8
START_S = 40.0
CONVERGE_S = 120.0
LASTING_S = 2.0
GROUP = 200

SHORT = """
[timers]
lease = "8s"
slice = "2s"
horizon = "2s"
hint_repeat = "2s"
visibility = "15s"
soft_shutdown = "6s"
grace = "9s"
check = "1s"
trouble_check = "2s"
settle = "2s"
lookup = "2s"
"""

SETTINGS = """ledger = "{ledger}"
broker = "{broker}"
{timers}
[providers.acme]
gateway = "{name}"
base_url = "{gateway}{prefix}"
username = "acme"
secret = "env:ACME_KEY"
sender = "ACME"
country = "DK"
price = "0.35 DKK"
timeout = "2s"
connections = {connections}
max_recipients = {group}
{more}
"""


class Arena:
    """Everything of one run; what may be UNKNOWN at its end is counted as it happens."""

    def __init__(self, place: Place, *, gateway: Sandbox, broker: OwnRedis, ledger: str, warm: Warm) -> None:
        self.place = place
        self._warm = warm
        self.gateway = gateway
        self.broker = broker
        self.ledger = ledger
        self.at_risk = books.Marked()  # marked at a kill, or in a process that was stopped
        self.n_kills = 0  # and stops
        self._n_fired = 0
        self._n_counted = 0
        self.n_messages = 0
        self.most_open = 0  # requests without an outcome, at any look
        self._began_s = time.monotonic()
        self._stack = ExitStack()
        self._orders = place.folder / "orders"
        self._orders.mkdir()
        place.environment["PYTHONPATH"] = f"{SABOTAGE}:{ROOT}"
        place.environment["_FAULT_FOLDER"] = str(self._orders)
        self.configure()
        gateway.set_faults(getlog_interval_s=1)

    def configure(
        self, *, base_url: str | None = None, timers: str = SHORT, group: int = GROUP, more: str = ""
    ) -> None:
        """Write the settings, for the gateway whose faults are set."""
        text = SETTINGS.format(
            ledger=self.ledger,
            broker=self.broker.url,
            timers=timers,
            name=self.gateway.name,
            gateway=base_url or self.gateway.url,
            prefix=PREFIXES[self.gateway.name],
            connections=CONNECTIONS,
            group=group,
            more=more,
        )
        self.place.write("bulksend.toml", text)

    def start(self, *words: str) -> Started:
        """Start a role, by default a worker with its tick; it runs until the end of the test."""
        started = self._stack.enter_context(self.place.started(*(words or ("worker",))))
        assert started.says("Running", START_S), started.said
        return started

    def send(self, *, singles: int = 100, grouped: int = 2000) -> None:
        """Send two campaigns: one recipient per request, and as many as a request may carry."""
        self.place.write_numbers("singles.csv", singles)
        self.place.write_numbers("grouped.csv", grouped)
        self.n_messages += singles + grouped
        for words in (order("singles.csv", "Hi {{ first_name }}"), order("grouped.csv", "Hello")):
            done = self.run(*words)
            assert done.code == 0, done.err

    def run(self, *words: str) -> Done:
        """Run a command to its end."""
        if "_FAULT_CA" in self.place.environment:  # a warm interpreter trusts what it trusted
            return self.place.run(*words, code=None)
        return self._warm.run(self.place, *words)

    def end(self) -> None:
        """Stop what runs."""
        self._stack.close()

    @property
    def seconds(self) -> float:
        """How long the run has taken so far."""
        return time.monotonic() - self._began_s

    # --- what befalls them

    def order(self, word: str, step: str, kind: str) -> None:
        """Let a worker process kill or stop itself, once, when it comes to a step."""
        (self._orders / f"{word}.{step}.{kind}").touch()

    def fired(self) -> int:
        """Wait until one more process has signalled itself; count what was marked in it, return its id."""
        assert self.waits_for(lambda: self._n_counted > self._n_fired), "no worker reached the step"
        pid = self._fired()[self._n_fired]
        self._n_fired += 1
        self.n_kills += 1
        return pid

    def _count_fired(self) -> None:
        """Count what is marked in a process as soon as it has signalled itself: the sweep may come soon."""
        for pid in self._fired()[self._n_counted :]:
            self._count([pid])
            self._n_counted += 1

    def _fired(self) -> list[int]:
        try:
            return [int(line) for line in (self._orders / "fired").read_text().splitlines()]
        except FileNotFoundError:
            return []

    def set_clock(self, shift_s: float, *, role: str = "") -> None:
        """Let the clock of the worker's processes be wrong by so much, or of those of one role."""
        new = self._orders / "new-clock"
        new.write_text(str(shift_s))
        new.replace(self._orders / (f"clock.{role}" if role else "clock"))

    def schedule(self, due: Callable[[int], Sequence[int]]) -> dict[str, int]:
        """Release a campaign; return when each number is due.

        Args:
            due: gives the times of the messages, from the time of the database on.
        """
        engine = self.place.engine
        times = due(database_now(engine))
        schedule(engine, times)
        self.n_messages += len(times)
        return {f"+45{20_000_000 + n}": at for n, at in enumerate(times)}

    def late_ms(self, due: Mapping[str, int]) -> list[int]:
        """Return how late the gateway accepted each number, sorted; negative is early."""
        return sorted(int(1000 * row["time"]) - due[row["msisdn"]] for row in self.gateway.accepted())

    def trust(self, ca_file: Path) -> None:
        """Let workers that start from now on trust a certificate."""
        self.place.environment["_FAULT_CA"] = str(ca_file)

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Let SQLite find no more room, in the worker's processes."""
        (self._orders / "full").touch()
        yield
        (self._orders / "full").unlink()

    def kill(self, processes: Sequence[psutil.Process], *, costs: bool = True) -> None:
        """Kill -9; count what was marked in them, unless it must not cost anything."""
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.n_kills += 1
        if costs:
            self._count([process.pid for process in processes])

    def kill_a_child(self, worker: Started) -> None:
        """Kill -9 one of a worker's children."""
        children = self.children(worker)
        self.kill(random.sample(children, k=min(1, len(children))))

    def kill_worker(self, worker: Started) -> None:
        """Kill -9 a role with everything that it started."""
        self.kill(self.processes(worker))

    @contextmanager
    def stopped(self, worker: Started) -> Iterator[None]:
        """Stop all processes of a role for as long as the block lasts."""
        processes = self.processes(worker)
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        self.n_kills += 1
        self._count([process.pid for process in processes])
        try:
            yield
        finally:
            for process in processes:
                process.send_signal(signal.SIGCONT)

    def _count(self, pids: Sequence[int]) -> None:
        """Count what is marked in processes that have just been stopped or killed."""
        assert within(10, lambda: all(map(_is_still, pids)))
        for pid in pids:
            self.at_risk += books.marked(self.place.engine, pid=pid)

    # --- looking on

    def at_work(self, *workers: Started) -> Started:
        """Wait until one of some workers has marked something, and return it."""
        found: list[Started] = []

        def looks() -> bool:
            found.extend(each for each in workers if self._has_marked(each))
            return bool(found)

        assert self.waits_for(looks), "no worker marked anything"
        return found[0]

    def _has_marked(self, worker: Started) -> bool:
        pids = [each.pid for each in self.processes(worker)]
        return any(books.marked(self.place.engine, pid=pid).rows for pid in pids)

    def processes(self, worker: Started) -> list[psutil.Process]:
        """Return a role's processes: itself, what it started, and what that started."""
        ours = psutil.Process(worker.process.pid)
        return [ours, *ours.children(recursive=True)]

    def children(self, worker: Started) -> list[psutil.Process]:
        """Return the processes of a worker that send."""
        parents = [each for each in self.processes(worker) if _words(each)[-1:] == ["celery"]]
        return [each for each in parents if each.ppid() in {one.pid for one in parents}]

    def sees(self, n_accepted: int) -> bool:
        """Wait until the gateway has accepted so many."""
        return self.waits_for(lambda: self.gateway.stats()["accepted"] >= n_accepted)

    def is_answered(self) -> bool:
        """Wait until the gateway has nothing in work."""
        return self.waits_for(lambda: self.gateway.stats()["at_once"] == 0)

    def waits_for(self, condition: Callable[[], bool]) -> bool:
        """Wait until something is so."""
        return within(START_S, lambda: self._look() and condition())

    def let_pass(self, seconds: float) -> None:
        """Look on for so long."""
        within(seconds, lambda: not self._look(), every_s=0.2)

    def converges(self, is_told: Callable[[], bool], *, see_to: Callable[[], None]) -> bool:
        """Wait until nothing is queued or under way, the ledger is told all, and that stays so for a while.

        A process that was stopped may still report what it knows, and free messages that were UNKNOWN.
        """
        so_since_s: float | None = None

        def is_lasting() -> bool:
            nonlocal so_since_s
            see_to()
            if not (self.is_done() and is_told()):
                so_since_s = None
            elif so_since_s is None:
                so_since_s = time.monotonic()
            return so_since_s is not None and time.monotonic() - so_since_s >= LASTING_S

        return within(CONVERGE_S, is_lasting, every_s=0.5)

    def is_done(self) -> bool:
        """Say whether all messages are there, and nothing is queued or under way."""
        self._look()
        try:
            found = books.states(self.place.engine)
        except LedgerError:  # it is what this test has taken away
            return False
        return found.total() == self.n_messages and not found["queued"] and not found["submitting"]

    def _look(self) -> bool:
        with suppress(LedgerError):
            self._count_fired()
            self.most_open = max(self.most_open, books.open_requests(self.place.engine))
        return True


def kinds(step: str) -> tuple[str, ...]:
    """Name the kinds of request that a step can be told apart by."""
    return ("any",) if step == "before_lease" else ("single", "grouped")


def order(file: str, text: str) -> tuple[str, ...]:
    """Say it as a person would."""
    return ("send", file, "--text", text, "--via", "acme", "--yes")


def _words(process: psutil.Process) -> list[str]:
    """Return a process's command line, which a zombie has not."""
    with suppress(psutil.Error):
        return process.cmdline()
    return []


def _is_still(pid: int) -> bool:
    """Say whether a process is dead or stopped."""
    try:
        return psutil.Process(pid).status() in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}
    except psutil.NoSuchProcess:
        return True
