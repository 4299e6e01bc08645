"""Where a command may write a list: over nothing unasked, and never over what Bulksend itself keeps."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Final

import click
from sqlalchemy import make_url

from producer.output_file import is_open, is_standard_output, is_stream, open_number, require_free
from worker.errors import ConfigError
from worker.settings import Settings

force_option: Final = click.option("--force", is_flag=True, help="Replace a list that exists.")

_BESIDE: Final = ("", "-wal", "-shm", "-journal")  # what SQLite lays beside a ledger


def require_place(settings: Settings, option: str, path: Path, *, force: bool) -> None:
    """Refuse to write a list over what is not to be replaced; what is open, or no file, takes it.

    Raises:
        ConfigError: the settings or the ledger are there, or it is to be open and is not.
        InputError: there is something else, and no ``force``.
    """
    for what, ours in _ours(settings):
        if is_same(path, ours):
            raise ConfigError(f"{option} would write over {what}: name another file")
    number = open_number(path)
    if number is not None and not is_open(number):
        raise ConfigError(f"{option} {path}: it was closed; name a file")
    if not is_stream(path):
        require_free(path, may_replace=force)


def is_same(one: Path, other: Path) -> bool:
    """Say whether two names are of one file, or would be, or of one thing that is open."""
    number = open_number(one)
    if number is not None and number == open_number(other):
        return True
    first, second = _seen(one), _seen(other)
    if first is None or second is None:
        return first is second and one.resolve() == other.resolve()
    return stat.S_ISREG(first.st_mode) and os.path.samestat(first, second)


def _seen(path: Path) -> os.stat_result | None:
    number = open_number(path)
    try:
        return path.stat() if number is None else os.fstat(number)
    except OSError:
        return None


def leave_room(lists: Iterable[Path]) -> None:
    """Print what a command says on standard error, where a list has standard output for itself."""
    if any(map(is_standard_output, lists)):
        click.get_current_context().with_resource(redirect_stdout(sys.stderr))


def _ours(settings: Settings) -> Iterator[tuple[str, Path]]:
    yield "the settings", settings.source
    url = make_url(settings.ledger)
    if url.get_backend_name() == "sqlite":
        for ending in _BESIDE:
            yield "the ledger", Path(f"{url.database}{ending}")
