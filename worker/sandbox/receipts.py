"""Delivery reports pushed to the receiver that a request named, on this machine only."""

import asyncio
import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

from worker.sandbox.endings import State, turns_of
from worker.sandbox.knobs import Knobs

_PUSHERS = 8
_TIMEOUT_S = 5.0
_HTTP_PORT = 80


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """One report.

    Attributes:
        due_s: when it is pushed, Unix seconds.
        method: of the request.
        url: whole, with its values.
        attempts: how often it is pushed in all, until the receiver answers 2xx.
        retry_s: between the attempts.
        is_off: asked when it is due: whether there is nothing to report, as when the message was cancelled.
    """

    due_s: float
    method: str
    url: str
    attempts: int = 1
    retry_s: float = 0.0
    is_off: Callable[[], bool] = bool


def is_loopback(url: str) -> bool:
    """Say whether the URL is plain HTTP to this machine; nothing is ever looked up."""
    return _address(url) is not None


class Receipts:
    """Pushes reports when they are due, a few at once; the tasks start with the first."""

    def __init__(self, counts: dict[str, int]) -> None:
        self._counts = counts
        self._due: asyncio.Queue[Receipt] = asyncio.Queue()
        self._pushers: list[asyncio.Task[None]] = []

    def report(  # noqa: PLR0913 - what tells one message's reports from another's
        self,
        msisdn: str,
        *,
        base_url: str,
        url_of: Callable[[State], str],
        knobs: Knobs,
        leaves_at_s: float,
        method: str = "GET",
        is_off: Callable[[], bool] = bool,
    ) -> None:
        """Queue all reports on a message, as its number chooses or the knobs say.

        Args:
            msisdn: the number, with or without its plus.
            base_url: the receiver that was named; one on another machine is counted and never called.
            url_of: gives the whole URL of a report by what it says.
            knobs: of the gateway: delay, outcome, attempts.
            leaves_at_s: when the message leaves, Unix seconds; in the past: now.
            method: of the requests.
            is_off: as of `Receipt`.
        """
        turns = turns_of(msisdn, knobs=knobs)
        if turns and not is_loopback(base_url):
            self._counts["ignored"] += 1
            return
        left_s = max(time.time(), leaves_at_s)
        for turn in turns:
            receipt = Receipt(
                due_s=left_s + turn.after_s,
                method=method,
                url=url_of(turn.state),
                attempts=knobs.dlr_attempts,
                retry_s=knobs.dlr_retry_ms / 1000,
                is_off=is_off,
            )
            self.push(receipt)

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
            if not receipt.is_off():
                self._note(receipt, is_pushed=await _is_taken(receipt))

    def _note(self, receipt: Receipt, *, is_pushed: bool) -> None:
        self._counts["pushed" if is_pushed else "failed"] += 1
        if not is_pushed and receipt.attempts > 1:
            again_s = time.time() + receipt.retry_s
            self.push(replace(receipt, due_s=again_s, attempts=receipt.attempts - 1))


async def _is_taken(receipt: Receipt) -> bool:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return await _push(receipt)
    except (OSError, ValueError):
        return False


async def _push(receipt: Receipt) -> bool:
    address = _address(receipt.url)
    if address is None:
        return False
    parts = urlsplit(receipt.url)
    query = f"?{parts.query}" if parts.query else ""
    target = quote(f"{parts.path or '/'}{query}", safe="/%?&=:@!$'()*+,;~-._")
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
