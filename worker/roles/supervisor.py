"""The processes of one machine as children of one supervisor: started, watched, restarted, stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from worker.roles.child import Child, Role

POLL_S = 0.1
HURRY_S = 4.0


class Supervisor:
    """Runs roles as its children until it is stopped; ``with Supervisor(...)`` starts and stops them.

    Not to be used by two threads at once. ``start``, ``run`` and ``check`` belong in threads that live as
    long as the roles: the death signal of ``die_with_parent`` comes when the thread that started one ends.

    Args:
        roles: started in this order.
        on_line: called with a role's name and each line of its output, in a thread of its own. Lines then go
            nowhere else but to the role's log file.
        grace_s: how long ``stop`` waits between SIGTERM and SIGKILL.
        on_end: called with a role's name and how many times in a row it has ended soon after its start;
            without one, the log has a warning.
        own_groups: whether each child leads a process group, which Ctrl-C at the terminal does not reach.
    """

    def __init__(
        self,
        roles: Sequence[Role],
        *,
        on_line: Callable[[str, str], None] | None = None,
        on_end: Callable[[str, int], None] | None = None,
        grace_s: float = 30.0,
        own_groups: bool = True,
    ) -> None:
        self._children = [Child(role, on_line=on_line, on_end=on_end, own_group=own_groups) for role in roles]
        self._grace_s = grace_s
        self._ends_s = math.inf

    def __enter__(self) -> Self:
        """Start, as ``start`` does."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, as ``stop`` does."""
        self.stop()

    def start(self) -> None:
        """Start all roles, then wait for those that say when they are ready.

        Raises:
            ConfigError: one of them did not start; then none is left running.
        """
        try:
            for child in self._children:
                child.start()
            for child in self._children:
                child.wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def run(self, wait: Callable[[float], bool]) -> None:
        """Restart what ends until ``wait``, given the seconds between two looks, is True; then stop all."""
        try:
            while not wait(POLL_S):
                self.check()
        finally:
            self.stop()

    def check(self) -> None:
        """Look once, without blocking: restart the roles that ended and whose pause is over."""
        for child in self._children:
            child.check()

    def stop(self) -> None:
        """Ask all roles to end, wait for the grace time, kill what is left; an interrupt kills at once."""
        self._ends_s = min(self._ends_s, time.monotonic() + self._grace_s)
        try:
            for child in self._children:
                child.terminate()
            while self.pids() and time.monotonic() < self._ends_s:
                time.sleep(POLL_S / 2)
        finally:
            for child in self._children:
                child.kill()

    def hurry(self) -> None:
        """Ask the roles once more, while ``stop`` waits for them, and let it wait no longer than moments."""
        self._ends_s = min(self._ends_s, time.monotonic() + HURRY_S)
        for child in self._children:
            child.terminate()

    def ready_line(self, name: str) -> str:
        """Return the line with which the role said that it is ready; empty while a restarted one is not."""
        return next(child.ready_line for child in self._children if child.role.name == name)

    def pids(self) -> dict[str, int]:
        """Return the process ids of the roles that run now, by name."""
        return {child.role.name: child.pid for child in self._children if child.pid is not None}
