"""One machine's station: which Redis it uses, and its worker and tick as processes of their own."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from worker import embedded
from worker.broker import check_broker, require_answer
from worker.embedded.locks import EXCLUSIVE, SHARED, open_lock, try_lock
from worker.errors import BrokerError, ConfigError
from worker.folder import folder_of
from worker.roles import Role
from worker.settings import CONFIG_VARIABLE, Settings
from worker.waiting import within

BROKER_VARIABLE = "BULKSEND_BROKER"
FLOWER_PORT = 5555
_ANNOUNCE_S = 2.0


@contextmanager
def broker_of(settings: Settings) -> Iterator[str]:
    """Give the address of the configured Redis, or join the embedded one for as long as the block lasts.

    Raises:
        ConfigError: there is no broker and no Redis server program.
        BrokerError: the embedded Redis does not start.
    """
    if settings.broker is not None:
        yield settings.broker
        return
    with embedded.join(folder_of(settings)) as redis:
        yield redis.url


def require_broker(settings: Settings, *, brings_own: bool = False) -> None:
    """Refuse to begin while a configured Redis is away, or while our own would have no program.

    Args:
        settings: with a broker or without.
        brings_own: whether an embedded Redis is started where none is configured and none runs.

    Raises:
        BrokerError: the configured one does not answer.
        ConfigError: its address is of no use, or there is no Redis server program.
    """
    if settings.broker is not None:
        check_broker(settings.broker)
        require_answer(settings.broker)
    elif brings_own and embedded.running_url(folder_of(settings)) is None:
        embedded.find_server()


def require_port(address: str, port: int, *, advice: str) -> None:
    """Refuse a port on which a role could not listen, before anything is started.

    Raises:
        ConfigError: the sentence ends with the advice.
    """
    try:
        places = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, _, _, place in places:
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server will
                probe.bind(place)
    except OSError as error:
        raise ConfigError(f"Port {port} of {address} cannot be used ({error.strerror}): {advice}") from None


def running_broker(settings: Settings) -> str | None:
    """Return where hints can be published now: the configured Redis, or the embedded one if it runs."""
    return settings.broker or embedded.running_url(folder_of(settings))


class Presence:
    """Says on this machine that a worker of a ledger runs; ends with the process that holds it."""

    def __init__(self, settings: Settings) -> None:
        folder = folder_of(settings)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = open_lock(folder / "workers.lock")
        except OSError as error:
            raise BrokerError(f"The folder {folder} cannot be used: {error.strerror}") from None

    def announce(self) -> None:
        """Say that we run one, beside others that may.

        Somebody has the lock alone only while he says that he is the only one. Were it longer, then a
        ``send --wait`` would bring one more worker, which harms nothing.
        """
        within(_ANNOUNCE_S, lambda: try_lock(self._lock, mode=SHARED))

    def announce_as_only(self) -> bool:
        """Say that we run one if nobody else does; False when somebody does, or came in between."""
        return try_lock(self._lock, mode=EXCLUSIVE) and try_lock(self._lock, mode=SHARED)

    def close(self) -> None:
        """Take it back."""
        os.close(self._lock)


def worker_roles(
    settings: Settings, broker: str, *, with_tick: bool = True, log: Path | None = None
) -> Sequence[Role]:
    """Describe the processes of a worker: Celery with its children, and the tick beside it."""
    names = ["celery", "tick"] if with_tick else ["celery"]
    return [_role(name, settings, broker, log=log) for name in names]


def tick_role(settings: Settings, broker: str) -> Role:
    """Describe the tick alone."""
    return _role("tick", settings, broker, log=None)


def flower_role(settings: Settings, broker: str, *, address: str, port: int) -> Role:
    """Describe Flower, which shows the tasks of all workers."""
    return _role("flower", settings, broker, f"--address={address}", f"--port={port}", log=None)


def receipts_role(settings: Settings) -> Role:
    """Describe the service that takes delivery reports in; it needs the ledger only."""
    return Role(
        name="receipts",
        argv=[sys.executable, "-m", "worker", "receipts"],
        env={CONFIG_VARIABLE: str(settings.source)},
        ready="receipts listening on ",
    )


def _role(name: str, settings: Settings, broker: str, *words: str, log: Path | None) -> Role:
    return Role(
        name=name,
        argv=[sys.executable, "-m", "worker", name, *words],
        env={CONFIG_VARIABLE: str(settings.source), BROKER_VARIABLE: broker},
        log=log,
    )
