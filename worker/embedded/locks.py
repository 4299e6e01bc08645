"""File locks that end with their process.

Source: flock(2). A lock belongs to the open file, so a process that inherits the descriptor holds it too.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

SHARED = fcntl.LOCK_SH
EXCLUSIVE = fcntl.LOCK_EX


def open_lock(path: Path) -> int:
    """Return a descriptor on which ``try_lock`` works; the file is made when missing."""
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def try_lock(lock: int, *, mode: int) -> bool:
    """Take the lock without waiting; say whether it is held now.

    A change of mode that fails has given up the lock that was held before.
    """
    try:
        fcntl.flock(lock, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock(lock: int) -> None:
    """Give the lock up, for every process that has the descriptor."""
    fcntl.flock(lock, fcntl.LOCK_UN)
