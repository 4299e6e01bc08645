"""The frame around a gateway: reads the call, lets the faults befall it, writes the answer or none."""

import asyncio
import functools
import socket
import struct
from enum import Enum
from urllib.parse import unquote

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
        self._split = functools.lru_cache(maxsize=256)(self._below)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        message = await receive()
        body: bytes | None = message.get("body")
        if body is None or message.get("more_body"):
            body = await _whole(message, receive=receive)
            if body is None:
                return
        raw_path, path = self._split(scope["raw_path"])
        query = scope["query_string"].decode("utf-8", "replace")
        call = Call(scope["method"], path, query, scope["headers"], body, raw_path)
        gateway = self._gateway
        counts = gateway.book.counts
        counts["requests"] += 1
        is_asked = call.method not in _NEVER_ASKED and len(body) <= MAX_BODY_BYTES
        if not (is_asked and gateway.sends(call)):
            told = await self._told(call) if is_asked else self._unasked(call)
            await _write(told, scope=scope, receive=receive, send=send)
            return
        counts["sends"] += 1
        counts["arrived"] += gateway.messages(call)
        at_once = counts["at_once"] = counts["at_once"] + 1
        if at_once > counts["at_once_most"]:  # noqa: PLR1730 - max() would take four times as long
            counts["at_once_most"] = at_once
        try:
            if gateway.knobs.is_calm:
                answer = gateway.send(call)
                await send(_head(answer))
                await send({"type": "http.response.body", "body": answer.body})
            else:
                await _write(await self._with_faults(call), scope=scope, receive=receive, send=send)
        finally:
            counts["at_once"] -= 1

    def _below(self, whole_path: bytes) -> tuple[str, tuple[str, ...]]:
        """Return what is below the prefix: as it was sent, and as the segments."""
        raw_path = whole_path[len(self._gateway.prefix) :].decode("utf-8", "replace")
        return raw_path, tuple(map(unquote, raw_path.strip("/").split("/")))

    async def _told(self, call: Call) -> Response | Cut:
        """Answer what does not send."""
        return await (self._with_faults(call) if self._gateway.knobs.reads else self._gateway.answer(call))

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
        gateway = self._gateway
        answer = gateway.send(call) if gateway.sends(call) else await gateway.answer(call)
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


def _head(answer: Response) -> Message:
    """Return what the server is told first, without the library's own way, which asks for more."""
    return {"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers}


async def _write(answer: Response | Cut, *, scope: Scope, receive: Receive, send: Send) -> None:
    if isinstance(answer, Response):
        await send(_head(answer))
        await send({"type": "http.response.body", "body": answer.body})
        return
    if answer is Cut.RESET:
        transport: asyncio.Transport = scope["extensions"][TRANSPORT]["connection"]
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
