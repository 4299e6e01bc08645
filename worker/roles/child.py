"""One role and its process of the moment: started, watched, restarted, ended."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from worker.errors import ConfigError
from worker.roles.output import Output
from worker.roles.parent import PARENT
from worker.waiting import SETTLED_S, next_delay_s, within

log = logging.getLogger(__name__)

READY_S = 20.0
LAST_WORDS_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Role:
    """One process to run.

    Attributes:
        name: for messages, such as ``worker``.
        argv: the program and its arguments; everybody on the machine can read them, so no secrets.
        env: variables set on top of ours; secrets are safe here.
        log: file that its output is appended to; without one it goes where ours goes.
        ready: beginning of the line of output that says it is ready; ``start`` waits for that line.
    """

    name: str
    argv: Sequence[str | Path]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    log: Path | None = None
    ready: str | None = None


class Child:
    """A role that runs as our child."""

    def __init__(
        self,
        role: Role,
        *,
        on_line: Callable[[str, str], None] | None,
        on_end: Callable[[str, int], None] | None,
        own_group: bool,
    ) -> None:
        self.role = role
        self._on_line = on_line
        self._on_end = on_end
        self._n_ends = 0  # in a row, each soon after its start
        self._own_group = own_group
        self._process: subprocess.Popen[str] | None = None
        self._output: Output | None = None
        self._started_at_s = 0.0
        self._delay_s = 0.0
        self._restart_at_s: float | None = None

    @property
    def pid(self) -> int | None:
        """The id of the process that runs now."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def ready_line(self) -> str:
        """The line that said it is ready, empty before."""
        return self._output.ready_line if self._output else ""

    def start(self) -> None:
        """Start the process; raises ``ConfigError`` when the program cannot be run."""
        self._started_at_s = time.monotonic()
        try:
            self._process = self._spawn()
        except OSError as error:
            raise ConfigError(f"The {self.role.name} could not be started: {error.strerror}.") from error
        self._output = None
        if self._process.stdout:
            self._output = Output(self._process.stdout, ready=self.role.ready, write=self._write)

    def _spawn(self) -> subprocess.Popen[str]:
        is_read = self.role.ready is not None or self._on_line is not None
        with ExitStack() as opened:
            log_file = opened.enter_context(self.role.log.open("ab")) if self.role.log else None
            return subprocess.Popen(  # noqa: S603 -- our own programs, no shell
                [os.fspath(word) for word in self.role.argv],
                env={**os.environ, **self.role.env, PARENT: str(os.getpid())},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if is_read else log_file,
                stderr=subprocess.STDOUT if is_read or log_file else None,
                process_group=0 if self._own_group else None,
                encoding="utf-8",
                errors="replace",
            )

    def _write(self, line: str) -> None:
        """Pass on a line that we had to read ourselves."""
        if self._on_line:
            self._on_line(self.role.name, line.rstrip("\n"))
        if self.role.log:
            with self.role.log.open("a", encoding="utf-8") as log_file:
                log_file.write(line)
        elif not self._on_line:
            sys.stderr.write(line)

    def wait_until_ready(self) -> None:
        """Wait for the line that the role promises; raises ``ConfigError`` when it does not come."""
        output = self._output
        if self.role.ready is None or output is None:
            return
        within(READY_S, lambda: bool(output.ready_line) or self.pid is None)
        if self.pid is None:
            output.join(LAST_WORDS_S)
        if not output.ready_line:
            said = f"its last words were: {output.last_line}" if output.last_line else "it said nothing"
            raise ConfigError(f"The {self.role.name} did not become ready; {said}")

    def check(self) -> None:
        """Start the process again when it has ended and its pause is over."""
        if self._process is None or self._process.poll() is None:
            return
        if self._restart_at_s is None:
            self._plan_restart(code=self._process.returncode)
        elif time.monotonic() >= self._restart_at_s:
            self._restart_at_s = None
            with suppress(
                ConfigError
            ):  # such as no memory left: the next look plans again, with a longer pause
                self.start()

    def _plan_restart(self, *, code: int) -> None:
        now_s = time.monotonic()
        lived_s = now_s - self._started_at_s
        self._n_ends = 1 if lived_s >= SETTLED_S else self._n_ends + 1
        self._delay_s = next_delay_s(self._delay_s, lived_s=lived_s)
        self._restart_at_s = now_s + self._delay_s
        if self._on_end:
            self._on_end(self.role.name, self._n_ends)
            return
        facts = {"role": self.role.name, "exit_code": code, "restart_in_s": self._delay_s}
        log.warning("a role ended and will be restarted", extra=facts)

    def terminate(self) -> None:
        """Ask the process to end; its own children are its own business."""
        if self._process:
            self._process.terminate()

    def kill(self) -> None:
        """End the process for certain, with its group when it leads one; there is no restart after this."""
        process, self._process, self._restart_at_s = self._process, None, None
        if process and process.poll() is None:
            if self._own_group:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            process.wait()
        if self._output:
            self._output.join(LAST_WORDS_S)
