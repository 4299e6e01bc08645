"""Where a command may write a list: over nothing unasked, and never over what Bulksend itself keeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
from sqlalchemy import make_url

from producer.output_file import is_stream, require_free, require_named
from worker.errors import ConfigError
from worker.settings import Settings

force_option: Final = click.option("--force", is_flag=True, help="Replace a list that exists.")

_BESIDE: Final = ("", "-wal", "-shm", "-journal")  # what SQLite lays beside a ledger


def require_place(settings: Settings, option: str, path: Path, *, force: bool) -> None:
    """Refuse to write a list where something is that is not to be replaced; a pipe or a device takes it.

    Raises:
        ConfigError: the settings or the ledger are there, or it is ``-``.
        InputError: there is something else, and no ``force``.
    """
    require_named(option, path)
    for what, ours in _ours(settings):
        if is_same(path, ours):
            raise ConfigError(f"{option} would write over {what}: name another file")
    if not is_stream(path):
        require_free(path, may_replace=force)


def is_same(one: Path, other: Path) -> bool:
    """Say whether two names are of one file, or would be; what is no file is nobody's."""
    try:
        if is_stream(one):
            return False
        return one.resolve() == other.resolve() or (one.exists() and other.exists() and one.samefile(other))
    except OSError:
        return False


def _ours(settings: Settings) -> Iterator[tuple[str, Path]]:
    yield "the settings", settings.source
    url = make_url(settings.ledger)
    if url.get_backend_name() == "sqlite":
        for ending in _BESIDE:
            yield "the ledger", Path(f"{url.database}{ending}")
