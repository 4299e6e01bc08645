"""One machine's station: which Redis it uses, and its worker and tick as processes of their own."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import redis
from sqlalchemy.engine import make_url

from worker import embedded
from worker.embedded.locks import EXCLUSIVE, SHARED, open_lock, try_lock
from worker.errors import BrokerError, ConfigError
from worker.roles import Role
from worker.settings import CONFIG_VARIABLE, Settings

BROKER_VARIABLE = "BULKSEND_BROKER"
FLOWER_PORT = 5555


def folder_of(settings: Settings) -> Path:
    """Return the folder of a ledger's embedded Redis and its logs: beside the ledger or the settings."""
    url = make_url(settings.ledger)
    if url.get_backend_name() == "sqlite":
        ledger = Path(str(url.database))
        return ledger.with_name(f"{ledger.name}-run")
    digest = hashlib.sha256(url.render_as_string(hide_password=True).encode()).hexdigest()[:8]
    return settings.directory / f"bulksend-{digest}-run"


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


def require_broker(settings: Settings) -> None:
    """Refuse to begin while a configured Redis is away.

    Raises:
        BrokerError: it does not answer.
        ConfigError: its address is malformed.
    """
    if settings.broker is None or settings.broker.startswith("sentinel"):
        return
    address = settings.broker
    if address.startswith("redis+socket://"):
        address = address.replace("redis+socket://", "unix://", 1).replace("virtual_host=", "db=")
    try:
        with redis.Redis.from_url(address, socket_connect_timeout=3, socket_timeout=3) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        raise BrokerError(
            f"Redis cannot be reached ({type(error).__name__}): start it or correct `broker`; "
            "nothing was written"
        ) from None
    except ValueError:
        raise ConfigError('broker: write "redis://HOST:PORT/DB"') from None


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
        """Say that we run one, beside others that may."""
        try_lock(self._lock, mode=SHARED)

    def announce_as_only(self) -> bool:
        """Say that we run one if nobody else does; False when somebody does."""
        if not try_lock(self._lock, mode=EXCLUSIVE):
            return False
        self.announce()
        return True

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


def _role(name: str, settings: Settings, broker: str, *words: str, log: Path | None) -> Role:
    return Role(
        name=name,
        argv=[sys.executable, "-m", "worker", name, *words],
        env={CONFIG_VARIABLE: str(settings.source), BROKER_VARIABLE: broker},
        log=log,
    )
