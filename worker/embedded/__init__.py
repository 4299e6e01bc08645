"""An embedded Redis for one machine: one server per folder, shared by every process that joins.

Three files in the folder decide everything, and a lock ends with its process, so a kill leaves nothing wrong:
every user holds ``users.lock`` shared; the keeper holds ``keeper.lock``, and stops Redis once it can have
``users.lock`` exclusively. Whoever finds ``keeper.lock`` free hands it, locked, to a new keeper, which adopts
a Redis that still runs. Redis carries hints only: the folder may be deleted while nothing runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from worker.embedded import server
from worker.embedded.locks import EXCLUSIVE, SHARED, open_lock, try_lock, unlock
from worker.embedded.server import find_server
from worker.errors import BrokerError
from worker.waiting import within

__all__ = ["EmbeddedRedis", "find_server", "join"]

JOIN_S = 20.0
LEAVE_S = 15.0
STARTS = 2  # a Redis that was killed while it started deserves another


class EmbeddedRedis:
    """A user's hold on the Redis of a folder; made by ``join``, ended by ``close`` or by the process's end.

    Attributes:
        url: for Celery, ``redis+socket:///...``.
        redis_url: for redis-py, ``unix:///...``.
    """

    def __init__(self, folder: Path, *, users: int) -> None:
        place = quote(os.fspath(server.socket_path(folder)))
        self.url = f"redis+socket://{place}?virtual_host=0"
        self.redis_url = f"unix://{place}?db=0"
        self._folder = folder
        self._users: int | None = users
        self._pid = os.getpid()

    def __enter__(self) -> Self:
        """Return the hold, which ``join`` has taken already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave, as ``close`` does."""
        self.close()

    def close(self) -> None:
        """Leave; the last user returns when Redis has stopped. Calling it again does nothing."""
        users, self._users = self._users, None
        if users is None:
            return
        try:
            if os.getpid() == self._pid and not _leave(users):
                _wait_for_end(self._folder, users=users)
        finally:
            os.close(users)


def join(folder: Path, *, program: Path | None = None) -> EmbeddedRedis:
    """Use the Redis of this folder, starting it when nobody has; returns when it takes commands.

    The folder is made when missing, for its owner only. Use ``with join(folder) as redis``.

    Args:
        folder: where Redis keeps its data and its log.
        program: the server program; default is what ``find_server`` finds.

    Raises:
        ConfigError: there is no server program.
        BrokerError: Redis did not start, or an earlier one did not stop.
    """
    folder = folder.resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        users = open_lock(folder / "users.lock")
    except OSError as error:
        raise BrokerError(
            f"The folder {folder} of the embedded Redis cannot be used: {error.strerror}."
        ) from error
    try:
        _wait_for_entry(folder, users=users)
        _wait_for_start(folder, program=program)
        return EmbeddedRedis(folder, users=users)
    except BaseException:
        os.close(users)
        raise


def _wait_for_entry(folder: Path, *, users: int) -> None:
    """Be a user; it is refused only while a keeper is stopping its Redis."""
    if not within(JOIN_S, lambda: try_lock(users, mode=SHARED)):
        raise BrokerError(f"The embedded Redis in {folder} does not stop: end its processes, then try again.")


def _wait_for_start(folder: Path, *, program: Path | None) -> None:
    n_started = 0

    def is_running() -> bool:
        nonlocal n_started
        if (lock := _claim(folder)) is None:
            return server.answers(folder)
        try:
            if n_started == STARTS:
                raise _not_started(folder)
            _start_keeper(folder, program=program or find_server(), lock=lock)
        finally:
            os.close(lock)
        n_started += 1
        return False

    if not within(JOIN_S, is_running):
        raise _not_started(folder)


def _not_started(folder: Path) -> BrokerError:
    return BrokerError(
        f"The embedded Redis did not start: redis.log or keeper.log in {folder} says why."
        " The folder may be deleted, the ledger keeps everything; or set `broker`."
    )


def _leave(users: int) -> bool:
    """Give up our hold; say whether somebody else has one."""
    # Neither mode is to be had: that is the keeper's own lock, it is stopping Redis.
    is_used = not try_lock(users, mode=EXCLUSIVE) and try_lock(users, mode=SHARED)
    unlock(users)  # for forked children as well: it is the process that joined which counts
    return is_used


def _wait_for_end(folder: Path, *, users: int) -> None:
    if (lock := _claim(folder)) is not None:
        try:
            if server.adopt(folder):  # its keeper was killed: another one shall stop it, and start nothing
                _start_keeper(folder, program=Path(os.devnull), lock=lock)
        finally:
            os.close(lock)
    within(LEAVE_S, lambda: _is_unkept(folder) or _leave(users))


def _is_unkept(folder: Path) -> bool:
    lock = _claim(folder)
    if lock is not None:
        os.close(lock)
    return lock is not None


def _claim(folder: Path) -> int | None:
    """Return the locked descriptor of ``keeper.lock`` when no keeper lives."""
    lock = open_lock(folder / "keeper.lock")
    if try_lock(lock, mode=EXCLUSIVE):
        return lock
    os.close(lock)
    return None


def _start_keeper(folder: Path, *, program: Path, lock: int) -> None:
    with (folder / "keeper.log").open("ab") as log:
        subprocess.run(  # noqa: S603 -- our own program, no shell
            [sys.executable, "-m", "worker.embedded", os.fspath(folder), os.fspath(program), str(lock)],
            cwd=Path(__file__).parents[2],  # where this package lies, so that it is found
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(lock,),
            start_new_session=True,
            check=False,
        )


def running_url(folder: Path) -> str | None:
    """Return the Celery address of the Redis of this folder if it runs now; starts nothing."""
    if not folder.is_dir() or not server.answers(folder):
        return None
    return f"redis+socket://{quote(os.fspath(server.socket_path(folder)))}?virtual_host=0"
