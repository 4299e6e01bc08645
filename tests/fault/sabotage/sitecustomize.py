"""Loaded by every Python of a fault test before anything else: makes a worker hurt itself on demand.

Our programs have no hooks for tests. Where a file asks for it, this module signals its own process at a named
step, lets its clock be wrong, or its disk be full: in ``python -m worker`` and nowhere else.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("_FAULT_FOLDER", "/nonexistent"))
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_MOST_PAGES = 2**30


class _Thread(threading.local):
    """What this thread is at: the steps that its open transaction has made, the kind of its request."""

    def __init__(self) -> None:
        self.made: list[tuple[str, str]] = []
        self.kind = ""


_thread = _Thread()


def _reach(step: str, kind: str) -> None:
    """Signal ourselves if that was asked for; the file can be removed once only, so it happens once."""
    for word, number in SIGNALS.items():
        try:
            (FOLDER / f"{word}.{step}.{kind}").unlink()
        except FileNotFoundError:
            continue
        with (FOLDER / "fired").open("a") as fired:
            fired.write(f"{os.getpid()}\n")
        os.kill(os.getpid(), number)


def _kind_of(held: Any) -> str:  # noqa: ANN401 - a lease, whose module is not imported yet
    """Tell the campaign with one text, whose requests carry many recipients, from the other."""
    return "single" if held.text is None else "grouped"


def _wrap(owner: Any, name: str, around: Callable[..., Any]) -> None:  # noqa: ANN401 - a module or a class
    inner = getattr(owner, name)

    @functools.wraps(inner)
    def outer(*args: Any, **names: Any) -> Any:  # noqa: ANN401 - whatever the inner takes and gives
        return around(inner, *args, **names)

    setattr(owner, name, outer)


def _begin(inner: Callable[..., Any], *args: Any, **names: Any) -> Any:  # noqa: ANN401 - as above
    _reach("before_lease", "any")
    return inner(*args, **names)


def _lease(inner: Callable[..., Any], *args: Any, **names: Any) -> Any:  # noqa: ANN401 - as above
    held = inner(*args, **names)
    if held is not None:
        _thread.made.append(("after_lease", _kind_of(held)))
    return held


def _mark(inner: Callable[..., Any], connection: Any, held: Any, *args: Any, **names: Any) -> Any:  # noqa: ANN401 - as above
    marked = inner(connection, held, *args, **names)
    if marked and not isinstance(marked, str):  # a refused mark is a word
        _thread.made.append(("after_mark", _kind_of(held)))
    return marked


def _submit(inner: Callable[..., Any], gateway: Any, held: Any, *args: Any, **names: Any) -> Any:  # noqa: ANN401 - as above
    _thread.kind = _kind_of(held)
    reply = inner(gateway, held, *args, **names)
    _reach("after_request", _kind_of(held))
    return reply


def _write(inner: Callable[..., Any], connection: Any, data: bytes) -> None:  # noqa: ANN401 - as above
    inner(connection, data)
    if _thread.kind and not data.startswith((b"POST ", b"GET ")):  # the body: now the request is whole
        _reach("after_write", _thread.kind)


def _record(inner: Callable[..., Any], connection: Any, results: Any, *args: Any, **names: Any) -> Any:  # noqa: ANN401 - as above
    kind = "grouped" if any(len(each.messages) > 1 for each in results) else "single"
    _reach("before_record", kind)
    recorded = inner(connection, results, *args, **names)
    _thread.made.append(("after_record", kind))
    return recorded


def _note_published(inner: Callable[..., Any], *args: Any, **names: Any) -> Any:  # noqa: ANN401 - as above
    inner(*args, **names)
    _thread.made.append(("after_note", "any"))


def _commit(inner: Callable[..., Any], *args: Any) -> None:  # noqa: ANN401 - as above
    inner(*args)
    made, _thread.made = _thread.made, []
    for step, kind in made:
        _reach(step, kind)


def _roll_back(inner: Callable[..., Any], *args: Any) -> None:  # noqa: ANN401 - as above
    _thread.made = []
    inner(*args)


def _wrap_commits() -> None:
    from sqlalchemy.engine.default import DefaultDialect  # noqa: PLC0415 - after the clock was set

    _wrap(DefaultDialect, "do_commit", _commit)
    _wrap(DefaultDialect, "do_rollback", _roll_back)


def _wrap_tick() -> None:
    from worker.ledger import hints  # noqa: PLC0415 - as above

    _wrap(hints, "note_published", _note_published)


def _wrap_steps() -> None:
    from worker.gateways.connections import Connection  # noqa: PLC0415 - as above
    from worker.ledger import batches, intent, outcomes  # noqa: PLC0415
    from worker.sending import run  # noqa: PLC0415
    from worker.sending.submit import Gateway  # noqa: PLC0415

    _wrap(run, "begin", _begin)
    _wrap(batches, "lease", _lease)
    _wrap(intent, "mark", _mark)
    _wrap(Gateway, "submit", _submit)
    _wrap(Connection, "send", _write)
    _wrap(outcomes, "record", _record)


def _shift_clock() -> None:
    """Let the clock be as wrong as the file ``clock`` says, and step when that changes.

    A file ``clock.celery`` is for one role only, as if it were on another machine.
    """
    right = time.time
    ours = [FOLDER / "clock", FOLDER / f"clock.{sys.orig_argv[3]}"]

    def shift_s(file: Path) -> float:
        try:
            return float(file.read_text())
        except (FileNotFoundError, ValueError):
            return 0.0

    time.time = lambda: right() + sum(map(shift_s, ours))


def _trust_loopback() -> None:
    """Trust the certificate of the tests, where a test speaks TLS."""
    if "_FAULT_CA" in os.environ:
        from worker.gateways import http  # noqa: PLC0415 - as above

        vars(http)["DEFAULT_CA_BUNDLE_PATH"] = os.environ["_FAULT_CA"]


def _limit_disk() -> None:
    """Let SQLite take no more pages while the file ``full`` is there."""
    from sqlalchemy import event  # noqa: PLC0415 - as above
    from sqlalchemy.pool import Pool  # noqa: PLC0415

    def limit(connection: Any, *_facts: object) -> None:  # noqa: ANN401 - of either driver
        if connection.__class__.__module__.startswith("sqlite3"):
            most = 1 if (FOLDER / "full").exists() else _MOST_PAGES  # 1: no more than there are
            connection.execute(f"PRAGMA max_page_count={most}").fetchall()

    event.listen(Pool, "checkout", limit)


if FOLDER.is_dir() and "doctor" in sys.orig_argv:
    _trust_loopback()
if FOLDER.is_dir() and sys.orig_argv[1:3] == ["-m", "worker"]:
    _shift_clock()
    _limit_disk()
    _trust_loopback()
    _wrap_commits()
    if "celery" in sys.orig_argv:
        _wrap_steps()
    else:
        _wrap_tick()
