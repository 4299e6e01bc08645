"""The simulator's control, for the demonstration: what it accepted, and what a gateway's panel would ask."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping

_TIMEOUT_S = 10.0

Message = tuple[str, str, int]
"""Number, text and parts."""


def accepted(address: str, *, gateway: str) -> list[Message]:
    """Return what the simulated gateway accepted."""
    lines = _call(address, "GET", f"accepted?gateway={gateway}").splitlines()
    return [(row["msisdn"], row["text"], row["parts"]) for row in map(json.loads, lines)]


def configure(address: str, *, gateway: str, knobs: Mapping[str, object]) -> None:
    """Set knobs of the simulated gateway."""
    _call(address, "POST", "faults", json.dumps({gateway: dict(knobs)}))


def _call(address: str, method: str, path: str, body: str | None = None) -> str:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=_TIMEOUT_S)
    try:
        connection.request(method, f"/_sandbox/{path}", body)
        return connection.getresponse().read().decode("utf-8")
    finally:
        connection.close()
