"""The frame around a gateway: reads the call, lets the faults befall it, writes the answer or none."""

import asyncio
import socket
import struct
from enum import Enum
from urllib.parse import unquote

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from worker.sandbox.gateway import Call, Gateway, RefusalError

TRANSPORT = "bulksend.transport"  # the scope extension in which the server hands over the connection
MAX_BODY_BYTES = 16 << 20
_NEVER_ASKED = frozenset({"HEAD", "OPTIONS"})
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close sends RST


class Cut(Enum):
    """An answer that never comes."""

    HANG = "hang"
    RESET = "reset"


class Frame:
    """The ASGI application of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        call = await _read(scope, receive=receive, prefix=self._gateway.prefix)
        if call is None:
            return
        counts = self._gateway.book.counts
        counts["requests"] += 1
        if call.method in _NEVER_ASKED or len(call.body) > MAX_BODY_BYTES:
            await self._unasked(call)(scope, receive, send)
            return
        if not self._gateway.sends(call):
            reads = self._gateway.knobs.reads
            told = await (self._with_faults(call) if reads else self._gateway.answer(call))
            await _write(told, scope=scope, receive=receive, send=send)
            return
        counts["sends"] += 1
        counts["arrived"] += self._gateway.messages(call)
        counts["at_once"] += 1
        counts["at_once_most"] = max(counts["at_once_most"], counts["at_once"])
        try:
            if self._gateway.knobs.is_calm:
                told = await self._gateway.answer(call)
                await told(scope, receive, send)
            else:
                await _write(await self._with_faults(call), scope=scope, receive=receive, send=send)
        finally:
            counts["at_once"] -= 1

    def _unasked(self, call: Call) -> Response:
        """Answer what never reaches the gateway: a HEAD must not send what the same GET would send."""
        allow = {"Allow": ", ".join(self._gateway.methods)}
        if call.method == "OPTIONS":
            return Response(status_code=204, headers=allow)
        if call.method == "HEAD":
            return Response(status_code=405, headers=allow)
        return self._gateway.refusal(RefusalError(413, "the body is too large"))

    async def _with_faults(self, call: Call) -> Response | Cut:
        knobs = self._gateway.knobs
        if knobs.latency_ms:
            await asyncio.sleep(knobs.latency_ms / 1000)
        fault = self._before()
        if fault:
            return fault
        answer = await self._gateway.answer(call)
        return self._after(answer) if self._gateway.accepts(answer) else answer

    def _before(self) -> Response | Cut | None:
        knobs = self._gateway.knobs
        if knobs.draw("hang_before"):
            return Cut.HANG
        if knobs.draw("reset_before"):
            return Cut.RESET
        if knobs.draw("error_500_before"):
            return self._gateway.refusal(RefusalError(500, "server fault, try later"))
        if knobs.draw("refuse_429"):
            refusal = RefusalError(429, "too many requests", retry_after_s=knobs.retry_after_s)
            return self._gateway.refusal(refusal)
        return None

    def _after(self, answer: Response) -> Response | Cut:
        knobs = self._gateway.knobs
        if knobs.draw("hang_after"):
            return Cut.HANG
        if knobs.draw("reset_after"):
            return Cut.RESET
        if knobs.draw("error_500_after"):
            return self._gateway.refusal(RefusalError(500, "server fault, try later", messages=0))
        if knobs.draw("malformed"):
            half = bytes(answer.body[: len(answer.body) // 2])
            return Response(half, status_code=answer.status_code, media_type=answer.headers["content-type"])
        return answer


async def _read(scope: Scope, *, receive: Receive, prefix: str) -> Call | None:
    message = await receive()
    body: bytes | None = message.get("body")
    if body is None or message.get("more_body"):
        body = await _whole(message, receive=receive)
    if body is None:
        return None
    raw_path = scope["raw_path"][len(prefix) :].decode(errors="replace")
    path = raw_path.strip("/").split("/")
    return Call(
        method=scope["method"],
        path=tuple(map(unquote, path) if "%" in raw_path else path),
        query=scope["query_string"].decode(errors="replace"),
        headers=Headers(scope=scope),
        body=body,
        raw_path=raw_path,
    )


async def _whole(message: Message, *, receive: Receive) -> bytes | None:
    """Return the body, cut when it is too large to be taken; half a request is none."""
    body = bytearray()
    while message["type"] != "http.disconnect":
        body += message.get("body", b"")
        del body[MAX_BODY_BYTES + 1 :]
        if not message.get("more_body"):
            return bytes(body)
        message = await receive()
    return None


async def _write(answer: Response | Cut, *, scope: Scope, receive: Receive, send: Send) -> None:
    if isinstance(answer, Response):
        await answer(scope, receive, send)
        return
    if answer is Cut.RESET:
        transport: asyncio.Transport = scope["extensions"][TRANSPORT]["connection"]
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
