"""The process that owns the embedded Redis of a folder and ends it after its last user, even a killed one."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from worker.embedded import server
from worker.embedded.locks import EXCLUSIVE, open_lock, try_lock
from worker.waiting import next_delay_s, within

log = logging.getLogger(__name__)

START_S = 15.0
POLL_S = 0.2


class Keeper:
    """Keeps one Redis running for as long as somebody holds ``users.lock`` of its folder."""

    def __init__(self, folder: Path, *, program: Path) -> None:
        self._folder = folder
        self._program = program
        self._users = open_lock(folder / "users.lock")
        self._redis = server.adopt(folder) or server.start(folder, program=program)
        self._started_at_s = time.monotonic()

    def keep(self) -> bool:
        """Block until the last user is gone, then stop Redis; say whether Redis had started at all.

        One that was killed before we saw it answer had started as far as anybody knows: it is started again.

        Redis is stopped before our lock on the users ends: who comes in between waits for that.
        """
        try:
            if not self._is_started():
                log.error("Redis does not answer")
                return False
            self._watch()
        finally:
            server.stop(self._redis)
            server.remove_socket(self._folder)
        return True

    def _is_started(self) -> bool:
        def is_decided() -> bool:
            return server.answers(self._folder) or server.is_gone(self._redis)

        is_in_time = within(START_S, is_decided)
        return is_in_time and (server.answers(self._folder) or server.was_killed(self._redis))

    def _watch(self) -> None:
        delay_s = 0.0
        while not self._is_unused():
            if not server.is_gone(self._redis):
                time.sleep(POLL_S)
                continue
            delay_s = next_delay_s(delay_s, lived_s=time.monotonic() - self._started_at_s)
            log.warning("Redis ended and is started again in %.1f s", delay_s)
            if within(delay_s, self._is_unused):
                return
            self._redis = server.start(self._folder, program=self._program)
            self._started_at_s = time.monotonic()

    def _is_unused(self) -> bool:
        return try_lock(self._users, mode=EXCLUSIVE)
