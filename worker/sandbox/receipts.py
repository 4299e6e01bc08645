"""Delivery reports pushed to the receiver that a request named, on this machine only."""

import asyncio
import ipaddress
import time
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

_PUSHERS = 8
_TIMEOUT_S = 5.0
_HTTP_PORT = 80


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """One report: when it is due (Unix seconds), and the whole URL with its values."""

    due_s: float
    method: str
    url: str


def is_loopback(url: str) -> bool:
    """Say whether the URL is plain HTTP to this machine; nothing is ever looked up."""
    return _address(url) is not None


class Receipts:
    """Pushes reports when they are due, a few at once; the tasks start with the first."""

    def __init__(self, counts: dict[str, int]) -> None:
        self._counts = counts
        self._due: asyncio.Queue[Receipt] = asyncio.Queue()
        self._pushers: list[asyncio.Task[None]] = []

    def push(self, receipt: Receipt) -> None:
        """Queue a report for a loopback address."""
        if not self._pushers:
            self._pushers = [asyncio.create_task(self._run()) for _ in range(_PUSHERS)]
        wait_s = max(0, receipt.due_s - time.time())
        asyncio.get_running_loop().call_later(wait_s, self._due.put_nowait, receipt)

    def stop(self) -> None:
        """Drop what was not pushed yet."""
        for pusher in self._pushers:
            pusher.cancel()

    async def _run(self) -> None:
        while True:
            receipt = await self._due.get()
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    is_pushed = await _push(receipt)
            except (OSError, ValueError):
                is_pushed = False
            self._counts["pushed" if is_pushed else "failed"] += 1


async def _push(receipt: Receipt) -> bool:
    address = _address(receipt.url)
    if address is None:
        return False
    parts = urlsplit(receipt.url)
    target = quote(f"{parts.path or '/'}?{parts.query}", safe="/%?&=:@!$'()*+,;~-._")
    head = f"{receipt.method} {target} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\n"
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(f"{head}Content-Length: 0\r\nConnection: close\r\n\r\n".encode("ascii", "replace"))
        status = await reader.readline()
    finally:
        writer.close()
    return status.startswith((b"HTTP/1.1 2", b"HTTP/1.0 2"))


def _address(url: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(url)
        host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
        is_here = parts.scheme == "http" and ipaddress.ip_address(host).is_loopback
        port = parts.port or _HTTP_PORT
    except ValueError:
        return None
    return (host, port) if is_here else None
