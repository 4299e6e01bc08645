"""Words of an order that other people read later: who gave it, and what was written with it."""

from __future__ import annotations

import getpass
import os
import socket
import unicodedata

from worker.errors import ConfigError


def author() -> str:
    """Return who gives an order, and from where: ``ann@office``.

    One who has no name (as in a container) is known by a number.
    """
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # no such user; KeyError before Python 3.13
        name = ""
    user = name if name and _is_plain(name) else f"uid {os.getuid()}"
    host = socket.gethostname()
    return f"{user}@{host}" if host and _is_plain(host) else user


def require_plain(what: str, written: str, *, advice: str = "write it anew") -> None:
    """Refuse what no ledger can keep (bytes that are not UTF-8), and what a terminal would obey.

    Raises:
        ConfigError: the sentence names ``what``, and ends with the advice.
    """
    if not _is_plain(written):
        raise ConfigError(f"{what} holds a control character or is not UTF-8: {advice}")


def _is_plain(written: str) -> bool:
    return not any(unicodedata.category(character) in {"Cc", "Cs"} for character in written)
