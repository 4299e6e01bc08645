"""Where the session at a gateway is kept, for all who use it; in the memory of one process, unless shared."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class TokenStore(Protocol):
    """Where the current session of one login is kept; safe to share between threads."""

    def get(self) -> str | None:
        """Return the current session, which is then used; None where there is none."""

    def renew(self, begin: Callable[[], str], *, instead_of: str | None) -> str:
        """Return another session than the one given.

        Of all who call this at one time, one calls ``begin``; the others wait for what comes of it.

        Raises:
            NotSent: no session could be begun; LoginRefused where that is the gateway's word.
        """

    def drop(self, session: str) -> None:
        """Forget a session that is over, unless another has taken its place."""


class MemoryStore:
    """Keeps a session for the threads of this process."""

    def __init__(self) -> None:
        self._session: str | None = None
        self._lock = threading.Lock()

    def get(self) -> str | None:
        """Return the current session."""
        return self._session

    def renew(self, begin: Callable[[], str], *, instead_of: str | None) -> str:
        """Return another session than the one given, begun by the first thread that comes."""
        with self._lock:
            if self._session is None or self._session == instead_of:
                self._session = None
                self._session = begin()
            return self._session

    def drop(self, session: str) -> None:
        """Forget a session."""
        with self._lock:
            if self._session == session:
                self._session = None
