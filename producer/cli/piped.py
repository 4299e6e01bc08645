"""Recipients that come through a pipe: kept in a file until the command ends, however it does.

Where the system opens by descriptor, that file has no name, only a link that leads to it: a command that is
killed leaves the link behind, which leads nowhere, and nothing of what came.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Final

import click

from worker.errors import ConfigError

STANDARD_INPUT: Final = "-"
SPOOLED: Final = "stdin"
"""The name that it has as a file."""

_DESCRIPTORS: Final = Path("/proc/self/fd")
_ENDS: Final = (signal.SIGTERM, signal.SIGHUP)


def as_file(path: Path) -> Path:
    """Return a file that can be read more than once: what a pipe brings is kept until the command ends.

    Raises:
        ConfigError: there is no room to keep it.
    """
    if not is_piped(path):
        return path
    is_input = str(path) == STANDARD_INPUT
    folder = click.get_current_context().with_resource(_folder())
    kept = folder / (SPOOLED if is_input else path.name)
    try:
        opened = nullcontext(sys.stdin.buffer) if is_input else path.open("rb")  # it is asked about later
        with opened as stream:
            file = click.get_current_context().with_resource(_begun(kept))
            if stream.isatty():
                click.echo("Reading recipients from the terminal: end them with Ctrl-D", err=True)
            shutil.copyfileobj(stream, file)
            file.flush()
    except OSError as error:
        raise ConfigError(f"What is read from a pipe cannot be kept: {error.strerror}") from None
    return kept


def is_piped(path: Path) -> bool:
    """Say whether a file is read from a pipe: it can be read once, and its name says nothing."""
    return str(path) == STANDARD_INPUT or path.is_fifo()


def _begun(kept: Path) -> IO[bytes]:
    """Open an empty file that is found under a name as long as it is open, for its owner only."""
    if not _DESCRIPTORS.is_dir():
        return os.fdopen(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the command closes it
    kept.symlink_to(_DESCRIPTORS / str(file.fileno()))
    return file


@contextmanager
def _folder() -> Iterator[Path]:
    """Give a folder that is gone after the block, and where a signal ends the program in it."""
    with tempfile.TemporaryDirectory(prefix="bulksend-") as name:

        def end(number: int, _frame: object) -> None:
            shutil.rmtree(name, ignore_errors=True)
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

        ours = [each for each in _ENDS if signal.getsignal(each) is signal.SIG_DFL]  # nohup ignores one
        for number in ours:
            signal.signal(number, end)
        try:
            yield Path(name)
        finally:
            for number in ours:
                signal.signal(number, signal.SIG_DFL)
