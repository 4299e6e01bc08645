"""A Redis and a worker of its own for one campaign, when no broker is configured and nobody else sends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from worker.roles import Supervisor
from worker.settings import Settings
from worker.station import Presence, broker_of, folder_of, worker_roles


class OwnWorker:
    """Sees to it that some worker of this ledger runs on this machine, ours if nobody else's."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened = ExitStack()
        self._supervisor: Supervisor | None = None

    def see_to(self) -> None:
        """Start ours when no other runs (any more); keep ours alive. To be called again and again."""
        if self._supervisor is not None:
            self._supervisor.check()
            return
        presence = Presence(self._settings)
        if not presence.announce_as_only():
            presence.close()
            return
        self._opened.callback(presence.close)
        broker = self._opened.enter_context(broker_of(self._settings))
        roles = worker_roles(self._settings, broker, log=folder_of(self._settings) / "worker.log")
        supervisor = Supervisor(roles, grace_s=self._settings.timers.grace)
        self._supervisor = self._opened.enter_context(supervisor)

    def close(self) -> None:
        """Stop what we started: requests under way end, nothing new begins."""
        self._supervisor = None
        self._opened.close()


@contextmanager
def own_worker(settings: Settings) -> Iterator[OwnWorker]:
    """Give a worker of our own for as long as the block lasts."""
    worker = OwnWorker(settings)
    try:
        yield worker
    finally:
        worker.close()
