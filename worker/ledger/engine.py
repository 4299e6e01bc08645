"""Opening the ledger: SQLite or Postgres, durable, and silent about numbers and texts.

A statement error of SQLAlchemy prints its parameters and one of Postgres prints the row, so neither leaves
this file: what does leave is a ``LedgerError`` with the driver's class and code.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Connection, Engine, ScalarSelect, create_engine, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from worker.errors import ConfigError, LedgerError
from worker.waiting import within

_BUSY_TIMEOUT_S = 20
_NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph"})
_OLDEST_SQLITE = (3, 35)  # RETURNING
_NO_RIGHT = "42501"
_NOT_FOUND = frozenset({"", "SQLITE_CANTOPEN"})  # a Postgres that is not reached gives no code
_PASSING = frozenset(
    {"08", "25", "40", "53", "55", "57", "58"}
)  # classes of SQLSTATE that a later try may mend
_CONTROL_LOCK = 0x62756C6B  # "bulk": the one advisory lock of 4.4's intents and controls


_POSTGRES_OPTIONS = {
    "connect_timeout": 10,
    "application_name": "bulksend",
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class LedgerUnavailableError(LedgerError):
    """The database is away or busy: what was to be written may be written later."""


class now_ms(FunctionElement[int]):  # noqa: N801 - reads as the SQL function it is
    """The database's clock, in epoch milliseconds; never the start of the transaction."""

    type = BigInteger()
    inherit_cache = True


@compiles(now_ms, "sqlite")
def _now_sqlite(element: now_ms, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401, ARG001
    return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)"


@compiles(now_ms, "postgresql")
def _now_postgres(element: now_ms, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401, ARG001
    return "CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) * 1000) AS BIGINT)"


def now_once() -> ScalarSelect[int]:
    """Read the database's clock once for a whole statement: only so can it bound a scan of an index.

    For reads that decide nothing; what waited for a lock must read the clock after it.
    """
    return select(now_ms()).scalar_subquery()


def now_of(connection: Connection) -> int:
    """Return the database's clock."""
    return int(connection.execute(select(now_ms())).scalar_one())


def open_ledger(url: str) -> Engine:
    """Make an engine for a ledger address; nothing is connected yet.

    Args:
        url: ``sqlite:///PATH`` or ``postgresql+psycopg://...``.

    Raises:
        ConfigError: the address is malformed, of another kind, or on a network file system.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed)
    try:
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            hide_parameters=True,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",  # a mark sees what was committed while it waited
            connect_args={key: ours for key, ours in _POSTGRES_OPTIONS.items() if key not in parsed.query},
        )
    except ModuleNotFoundError:
        raise ConfigError(
            "ledger: Postgres needs psycopg; install Bulksend with its extra, `bulksend[postgres]`"
        ) from None
    event.listen(engine, "connect", _configure_postgres)
    return engine


def _configure_postgres(connection: Any, _record: object) -> None:  # noqa: ANN401 - psycopg need not be there
    """Wait for the disk at every commit, whatever the server says: a mark must survive a power cut.

    Our statements are short: to compile one, or to start helpers for it, takes longer than it does.

    A worker that is frozen, or whose host is gone, must not hold the locks that everybody else waits for; how
    long it may is ours to say, unless the address says it.
    """
    connection.execute(
        "SELECT set_config(name, ours, false) FROM pg_settings JOIN (VALUES "
        "('idle_in_transaction_session_timeout', '10s'), ('lock_timeout', '20s'), ('jit', 'off'), "
        "('max_parallel_workers_per_gather', '0')) AS given (name, ours) "
        "USING (name) WHERE source <> 'client'"
    )
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false) "
        "WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')"
    )
    connection.commit()


def _parse(url: str) -> URL:
    advice = 'write "sqlite:///bulksend.db" or "postgresql+psycopg://user@host/db"'
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise ConfigError(f"ledger: this is not a database address; {advice}") from None
    if backend not in {"sqlite", "postgresql"} or (backend == "sqlite" and not parsed.database):
        raise ConfigError(f"ledger: {backend} is not supported; {advice}")
    if backend == "sqlite" and _is_no_file(parsed):
        raise ConfigError(f"ledger: only a file that is named by its path keeps what is sent; {advice}")
    return parsed


def _is_no_file(url: URL) -> bool:
    """Whether it is an address that SQLite reads itself, perhaps as one in memory."""
    name = str(url.database)
    return name == ":memory:" or name.startswith("file:") or "uri" in url.query


def _open_sqlite(url: URL) -> Engine:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise ConfigError(f"SQLite {sqlite3.sqlite_version} is too old for the ledger; 3.35 is needed")
    _refuse_place(Path(str(url.database)))
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": _BUSY_TIMEOUT_S})
    event.listen(engine, "do_connect", _make_private)
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _refuse_place(path: Path) -> None:
    """Refuse a folder that is not there, and one where SQLite's locks do not hold between hosts."""
    if not path.parent.is_dir():
        raise ConfigError(f"ledger: the folder {path.parent} does not exist; create it")
    kind, longest = "", -1
    target = path.absolute()
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")
    except OSError:
        return
    for mount in mounts.splitlines():
        _, place, file_system = mount.split()[:3]
        if target.is_relative_to(place) and len(place) > longest:
            kind, longest = file_system, len(place)
    if kind in _NETWORK_FILE_SYSTEMS:
        raise ConfigError(f"ledger: {path} lies on {kind}, where SQLite's locks do not hold; use Postgres")


def _make_private(_dialect: object, _record: object, words: Sequence[str], _options: object) -> None:
    """Make a new ledger for its owner only; what SQLite lays beside it has the same mode.

    A file that is there is not even opened: closing it would end the locks of this process on it (fcntl(2)).
    """
    with suppress(OSError):  # it is there, or SQLite says what is wrong
        os.close(os.open(words[0], os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _configure_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is ours, below
    within(_BUSY_TIMEOUT_S, lambda: _turn_to_wal(connection))
    connection.execute("PRAGMA synchronous=FULL")  # a mark must survive a power cut
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")  # what is freed is overwritten, for whoever is erased


def _turn_to_wal(connection: sqlite3.Connection) -> bool:
    """Say whether it is done; SQLite does not wait here for another program that turns the same file."""
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:  # the low octet: whatever its kind
            return False
        raise
    return True


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once: an upgrade of a read lock fails without waiting (SQLITE_BUSY_SNAPSHOT)."""
    options = connection.get_execution_options()
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(options.get('wait_ms', _BUSY_TIMEOUT_S * 1000))}")
    connection.exec_driver_sql(str(options.get("sqlite_begin", "BEGIN IMMEDIATE")))


@contextmanager
def writing(engine: Engine, *, wait_s: float | None = None) -> Iterator[Connection]:
    """One short write transaction, committed at the end of the block.

    Args:
        engine: of the ledger.
        wait_s: how long to wait for somebody else's lock, instead of as long as is sensible for a person.

    Raises:
        LedgerUnavailableError: the database is away, locked or full.
        LedgerError: the database refused; the message names the driver's class and code only.
    """
    options = {} if wait_s is None else {"wait_ms": int(wait_s * 1000)}
    with _quiet(engine), engine.connect().execution_options(**options) as connection, connection.begin():
        if options and engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {options['wait_ms']}")
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One read-only look at the ledger; raises as ``writing`` does."""
    with _quiet(engine), engine.connect() as connection:
        yield connection.execution_options(sqlite_begin="BEGIN")


@contextmanager
def _quiet(engine: Engine) -> Iterator[None]:
    driver_error = engine.dialect.loaded_dbapi.Error  # raised where a driver is used directly, as for COPY
    try:
        yield
    except (SQLAlchemyError, driver_error) as error:
        raise _sentence(error, engine) from None


def _sentence(error: Exception, engine: Engine) -> LedgerError:
    place = engine.url.render_as_string(hide_password=True)
    driver = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(driver, "sqlstate", None) or getattr(driver, "sqlite_errorname", None) or ""
    if code == "SQLITE_NOTADB":
        return LedgerError(f"The ledger {place} is not a SQLite database: name another file as `ledger`")
    words = f"{type(driver).__name__} {code}".strip()
    away = isinstance(error, DBAPIError) and error.connection_invalidated
    away = away or code[:2] in _PASSING  # a deadlock, a server that is read-only, full or shutting down
    operational = isinstance(driver, engine.dialect.loaded_dbapi.OperationalError)
    if away or (operational and code != "SQLITE_ERROR"):  # which is a statement that cannot be run at all
        advice = "; check `ledger`" if code in _NOT_FOUND else ""
        return LedgerUnavailableError(f"The ledger {place} cannot be used now: {words}{advice}")
    lacks = "; the user of the address lacks a right that this needs" if code == _NO_RIGHT else ""
    return LedgerError(f"The ledger {place} refused a statement: {words}{lacks}")


def control_lock(connection: Connection, *, shared: bool) -> None:
    """Take the lock between marks (shared) and pause, cancel, hold, opt-out and sweep (exclusive).

    It is held until the transaction ends. On SQLite BEGIN IMMEDIATE is this lock already.
    """
    if connection.dialect.name == "postgresql":
        take = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
        connection.execute(select(take(_CONTROL_LOCK)))
