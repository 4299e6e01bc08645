"""Addresses to listen on: host and port, as a person writes them."""

from __future__ import annotations

import re
from typing import NamedTuple

_ADDRESS = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")
_LAST_PORT = 65_535


class Address(NamedTuple):
    """Where something listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """Write it as it is read."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_address(written: object) -> Address:
    """Read ``127.0.0.1:8027``, ``localhost:8027`` or ``[::1]:8027``.

    Raises:
        ValueError: it is something else.
    """
    match = _ADDRESS.fullmatch(written.strip()) if isinstance(written, str) else None
    if match is None or not 0 < int(match[2]) <= _LAST_PORT:
        msg = 'write an address with its port, such as "127.0.0.1:8027"'
        raise ValueError(msg)
    return Address(match[1].strip("[]"), int(match[2]))
