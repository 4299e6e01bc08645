"""A simulated gateway asked within this process, so that an error in it is seen as it is."""

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.types import Message

from worker.sandbox.frame import Frame
from worker.sandbox.gateway import Gateway


@dataclass(frozen=True, kw_only=True)
class Answered:
    """An answer: its status, its headers by lower-case name, its body."""

    status: int
    headers: dict[str, str]
    body: bytes


def ask(  # noqa: PLR0913 - the parts of a request
    gateway: Gateway,
    method: str,
    path: str,
    *,
    query: bytes = b"",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    body: bytes = b"",
) -> Answered:
    """Ask a gateway without knobs that hang or cut; `path` is quoted and below its prefix."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "raw_path": f"{gateway.prefix}{path}".encode(),
        "query_string": query,
        "headers": [(name.lower(), value) for name, value in headers],
    }
    asyncio.run(Frame(gateway)(scope, receive, send))
    start, *rest = sent
    return Answered(
        status=start["status"],
        headers={name.decode(): value.decode("latin-1") for name, value in start["headers"]},
        body=b"".join(message.get("body", b"") for message in rest),
    )
