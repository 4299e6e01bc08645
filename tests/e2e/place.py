"""A place for one end to end test: a folder with settings, and the real command run in it."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Engine

from tests.sandbox.running import Sandbox
from worker.ledger import messages, reports
from worker.ledger.engine import open_ledger, reading
from worker.ledger.reports import CampaignReport
from worker.ledger.schema import prepare
from worker.settings import load_settings
from worker.waiting import within

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "producer.cli"]
MARK = "_BULKSEND_TEST_PLACE"  # in the environment of every process that a test starts
SECRET = "s3cret-of-the-account"
DEADLINE_S = 60.0

NOBODY = 2**31 - 11  # a number that no user has
NAMELESS = f"""
import os
os.getuid = lambda: {NOBODY}
for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
    os.environ.pop(name, None)
"""
"""Lines for ``begin_all_with``: the user has no name, neither in the environment nor in the system."""

SETTINGS = """ledger = "{ledger}"
{broker}
[timers]
lease = "8s"

[providers.acme]
gateway = "cpsms"
base_url = "{gateway}/cpsms/v2"
username = "acme"
secret = "env:ACME_KEY"
sender = "ACME"
country = "DK"
price = {{ DK = "0.35 DKK", GB = "0.04 GBP" }}
timeout = "2s"
connections = {connections}
"""


class Place:
    """A user's folder: files, settings, the command, and what of it all still runs."""

    def __init__(self, folder: Path, *, gateway: str) -> None:
        self.folder = folder
        self.gateway = gateway
        self.temporary = folder.parent / f"{folder.name}-tmp"
        self.temporary.mkdir()
        self._mark = uuid.uuid4().hex
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "ACME_KEY": SECRET,
            "TMPDIR": str(self.temporary),
            MARK: self._mark,
        }

    def configure(
        self, *, ledger: str = "sqlite:///bulksend.db", broker: str | None = None, connections: int = 8
    ) -> None:
        """Write the settings file."""
        line = f'broker = "{broker}"\n' if broker else ""
        text = SETTINGS.format(ledger=ledger, broker=line, gateway=self.gateway, connections=connections)
        self.write("bulksend.toml", text)

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def write_numbers(self, name: str, n: int) -> None:
        """Write a clean file of so many recipients."""
        rows = "".join(f"+45{20000000 + i},Ann {i}\n" for i in range(n))
        self.write(name, f"msisdn,first_name\n{rows}")

    def begin_all_with(self, code: str) -> None:
        """Have every program begin with some lines of Python, such as ones that make its system another."""
        folder = self.folder.parent / f"{self.folder.name}-site"
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
        self.environment["PYTHONPATH"] = f"{folder}{os.pathsep}{ROOT}"

    def run(self, *words: str, code: int | None = 0, timeout_s: float = DEADLINE_S) -> "Done":
        """Run the command to its end; ``code`` is the exit code it must have, None for any."""
        done = subprocess.run(
            [*COMMAND, *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert code in {None, done.returncode}, f"exit code {done.returncode}: {done.stderr}"
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    @contextmanager
    def started(self, *words: str) -> Iterator["Started"]:
        """Start the command as a session of its own, as a terminal would; it is gone after the block."""
        started = Started(self, words)
        try:
            yield started
        finally:
            started.end()

    def finish_with_a_worker(self, campaign_id: int = 1) -> None:
        """Let a worker send what is left of a campaign, and stop it."""
        with self.started("worker") as worker:
            is_done = within(DEADLINE_S, lambda: self.report(campaign_id).is_done, every_s=0.1)
            worker.signal(signal.SIGTERM)
            assert worker.wait() == 0
        assert is_done, worker.said
        assert self.is_quiet()

    def processes(self) -> list[psutil.Process]:
        """Return what of this place runs: known by its environment, or by its working directory."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                return False
            return process.environ().get(MARK) == self._mark or self.folder in [
                Path(process.cwd()),
                *Path(process.cwd()).parents,
            ]
        return False

    def is_quiet(self, timeout_s: float = 5.0) -> bool:
        """Say whether nothing of this place runs, at the latest after the given time."""
        return within(timeout_s, lambda: not self.processes(), every_s=0.1)

    def end(self) -> None:
        """Kill what a failed test has left."""
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()

    def files(self) -> set[str]:
        """Return the names of all files, those for temporary files included."""
        here = {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}
        return here | {str(path) for path in self.temporary.rglob("*")}

    # --- the ledger, looked at directly: quicker than a command

    @cached_property
    def engine(self) -> Engine:
        """The ledger of the settings."""
        engine = open_ledger(load_settings(self.folder / "bulksend.toml").ledger)
        prepare(engine)
        return engine

    def report(self, campaign_id: int = 1) -> CampaignReport:
        """Return a campaign with its counts."""
        with reading(self.engine) as connection:
            return reports.report(connection, campaign_id)

    def counts(self, campaign_id: int = 1) -> dict[str, int]:
        """Return the counts of a campaign that are not 0."""
        return {state.value: n for state, n in self.report(campaign_id).counts.items() if n}

    def n_campaigns(self) -> int:
        """Return how many campaigns the ledger has; 0 where there is no ledger."""
        if not (self.folder / "bulksend.db").exists():
            return 0
        with reading(self.engine) as connection:
            return len(reports.reports(connection, limit=100))

    def ledger_accepted(self) -> Counter[tuple[str, str, int]]:
        """Return number, text and parts of the ledger's accepted messages."""
        with reading(self.engine) as connection:
            return Counter(messages.accepted(connection))


@dataclass(frozen=True, kw_only=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output."""
        value: dict[str, Any] = json.loads(self.out)
        return value


class Started:
    """A command that runs, its output in files."""

    def __init__(self, place: Place, words: tuple[str, ...]) -> None:
        self._out = place.temporary.parent / f"{uuid.uuid4().hex}.out"
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(
                [*COMMAND, *words],
                cwd=place.folder,
                env=place.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """Standard output and standard error so far."""
        return self._out.read_text(encoding="utf-8")

    def says(self, words: str, timeout_s: float = DEADLINE_S) -> bool:
        """Wait until it says something, or has ended."""
        within(timeout_s, lambda: words in self.said or self.process.poll() is not None, every_s=0.05)
        return words in self.said

    def signal(self, number: signal.Signals) -> None:
        """Signal its process group, as Ctrl-C at a terminal does."""
        os.killpg(self.process.pid, number)

    def wait(self, timeout_s: float = DEADLINE_S) -> int:
        """Wait for its end and return the exit code."""
        return self.process.wait(timeout_s)

    def end(self) -> None:
        """Stop it, softly first, if it still runs."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
            self.process.wait(10)


def simulator_accepted(sandbox: Sandbox) -> Counter[tuple[str, str, int]]:
    """Return number, text and parts of what the simulator accepted."""
    return Counter((row["msisdn"], row["text"], row["parts"]) for row in sandbox.accepted())
