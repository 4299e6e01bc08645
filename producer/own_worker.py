"""A Redis and a worker of its own for one campaign, when no broker is configured and nobody else sends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from worker.folder import folder_of
from worker.ledger.engine import open_ledger
from worker.providers import accounts_of, note_rates
from worker.roles import Supervisor
from worker.settings import Settings
from worker.station import Presence, broker_of, worker_roles

_ENDS_TO_SAY = 2  # the first end may be an accident


class OwnWorker:
    """Sees to it that some worker of this ledger runs on this machine, ours if nobody else's."""

    def __init__(self, settings: Settings, *, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._log = folder_of(settings) / "worker.log"
        self._say = say
        self._is_said = False
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
        self._note_rates()
        broker = self._opened.enter_context(broker_of(self._settings))
        roles = worker_roles(self._settings, broker, log=self._log)
        supervisor = Supervisor(roles, grace_s=self._settings.timers.grace, on_end=self._note_end)
        self._supervisor = self._opened.enter_context(supervisor)

    def _note_rates(self) -> None:
        engine = open_ledger(self._settings.ledger)
        note_rates(engine, accounts_of(self._settings))
        engine.dispose()

    def _note_end(self, _role: str, n_ends: int) -> None:
        if n_ends >= _ENDS_TO_SAY and not self._is_said:
            self._is_said = True
            self._say(f"the worker ends again and again: see {self._log}")

    def close(self) -> None:
        """Stop what we started: requests under way end, nothing new begins."""
        self._supervisor = None
        self._opened.close()


@contextmanager
def own_worker(settings: Settings, *, say: Callable[[str], None]) -> Iterator[OwnWorker]:
    """Give a worker of our own for as long as the block lasts; ``say`` gets what a person should know."""
    worker = OwnWorker(settings, say=say)
    try:
        yield worker
    finally:
        worker.close()
