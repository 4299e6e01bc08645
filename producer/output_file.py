"""A file that is there whole or not at all, for its owner only."""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

from worker.errors import ConfigError, InputError

_OPEN: Final = {"-": 1, "/dev/stdout": 1, "/dev/stderr": 2}
_STANDARD: Final = {1: "__stdout__", 2: "__stderr__"}
_open_number: Final = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,9})").fullmatch


@contextmanager
def appearing(path: Path, *, may_replace: bool) -> Iterator[Path]:
    """Give the name of an empty file of mode 600, which takes the name ``path`` at the end of the block.

    Whatever ends the block before leaves nothing behind. What is written must be on its way to the disk by
    then; the disk has it when this returns.

    Raises:
        InputError: there is something of that name already.
        OSError: the folder is not there, or cannot be written to.
    """
    require_free(path, may_replace=may_replace)
    aside = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
    os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield aside
        _sync(aside)
        require_free(path, may_replace=may_replace)  # somebody may have taken the name meanwhile
        aside.replace(path)
        _sync(path.parent)
    finally:
        with suppress(OSError):
            aside.unlink()


@contextmanager
def appearing_text(path: Path, *, may_replace: bool, encoding: str = "utf-8") -> Iterator[TextIO]:
    """Give such a file to write texts to; a pipe, a device or what is open already is written to.

    A link stays one: what it leads to is written. Line ends are written as they are given.

    Raises:
        InputError: there is something of that name already.
        OSError: it cannot be written to.
    """
    if is_stream(path):
        with open_stream(path, encoding=encoding) as file:
            yield file
        return
    with (
        appearing(path.resolve(), may_replace=may_replace) as aside,
        aside.open("w", encoding=encoding, newline="") as file,
    ):
        yield file


def is_stream(path: Path) -> bool:
    """Say whether that is the name of a pipe, a device or what is open: nothing may take its place.

    What a shell has opened, as in ``--rows /dev/stdout > out.csv``, is that file, and not one to be replaced.
    """
    return open_number(path) is not None or (path.exists() and not path.is_file() and not path.is_dir())


def open_number(path: Path) -> int | None:
    """Return the descriptor that a name such as ``-`` or ``/dev/stdout`` stands for; None: it is a file's."""
    found = _open_number(str(path))
    return int(found[1]) if found else _OPEN.get(str(path))


def is_open(number: int) -> bool:
    """Say whether a descriptor was given to us; what was closed may be one of ours by now."""
    if number in _STANDARD and getattr(sys, _STANDARD[number]) is None:
        return False
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def is_standard_output(path: Path) -> bool:
    """Say whether what is written to that name comes out where a command prints."""
    return open_number(path) == 1


def open_stream(path: Path, *, encoding: str = "utf-8") -> TextIO:
    """Open a stream to write texts to; what is open goes on where it is, as after ``>>``.

    Raises:
        OSError: it cannot be written to.
    """
    number = open_number(path)
    if number is None:
        return path.open("w", encoding=encoding, newline="")
    if number == 1:
        sys.stdout.flush()
    return os.fdopen(os.dup(number), "w", encoding=encoding, newline="")


def require_named(what: str, path: Path) -> None:
    """Refuse ``-``, which elsewhere is standard output and here would name a file; raises ConfigError."""
    if str(path) == "-":
        raise ConfigError(f"{what} -: this is not written to standard output: name a file")


def require_free(path: Path, *, may_replace: bool) -> None:
    """Refuse a name that is taken, by what is not a file for ever; raises InputError."""
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file in it", code="file_exists")
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is no file: name another", code="file_exists")
    if path.exists() and not may_replace:
        raise InputError(f"{path} exists: name another file, or give --force", code="file_exists")


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
