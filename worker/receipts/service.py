"""The service: takes what gateways push and people reply, answers quickly, and tells nobody else anything.

Nothing of a call is logged: its path holds the token, its values a number.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from worker.ledger.matching import Pushed
from worker.receipts.addresses import Doors
from worker.receipts.intake import Intake
from worker.receipts.replies import read
from worker.receipts.stops import Stops

_QUERY_LIMIT = 4096  # octets; all known reports have some 200
_BODY_LIMIT = 16_384
_TYPE_LIMIT = 200
_REPLIES_AT_ONCE = 4
_METHODS = frozenset({"GET", "POST"})


class Service:
    """The ASGI application."""

    def __init__(self, doors: Doors, intake: Intake, stops: Stops | None = None) -> None:
        self._doors = doors
        self._intake = intake
        self._stops = stops
        self._turn = asyncio.Semaphore(_REPLIES_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        try:
            body = await _bounded(request)
        except ClientDisconnect:
            return _said(408)  # to nobody
        if body is None:
            return _said(413)
        caller = self._doors.caller(request.scope["path"])
        if caller is None:
            return await self._obeyed(request, body)
        return await self._kept(request, body, caller=caller)

    def _refusal(self, request: Request) -> Response | None:
        """Say why a call is not even read."""
        path = request.scope["path"]
        is_reply = self._stops is not None and self._doors.replied_to(path) is not None
        if self._doors.caller(path) is None and not is_reply:
            return _said(404)
        if request.method not in _METHODS:
            return _said(405, Allow="GET, POST")
        return _said(414) if len(request.scope["query_string"]) > _QUERY_LIMIT else None

    async def _obeyed(self, request: Request, body: bytes) -> Response:
        """Obey a reply before it is answered: a STOP holds then."""
        provider = self._doors.replied_to(request.scope["path"])
        query = request.scope["query_string"].decode("latin-1")
        reply = read(query=query, content_type=request.headers.get("content-type", ""), body=body)
        if reply is None or provider is None or self._stops is None:
            return _said(400)
        async with self._turn:
            is_done = await asyncio.to_thread(self._stops.obey, provider, reply)
        return _said({True: 200, False: 503, None: 400}[is_done])

    async def _kept(self, request: Request, body: bytes, *, caller: tuple[str, str | None]) -> Response:
        provider, reference = caller
        pushed = Pushed(
            provider=provider,
            reference=reference,
            method=request.method,
            query=request.scope["query_string"].decode("latin-1"),
            content_type=request.headers.get("content-type", "")[:_TYPE_LIMIT],
            body=body,
        )
        # One gateway alone says when it calls again: at no answer, which a proxy before us would not pass on,
        # and at 404. The others say nothing of that, so 503 is no better with them.
        return _said(200) if await self._intake.keep(pushed) else _said(404)


def _said(status: int, **headers: str) -> Response:
    return PlainTextResponse(HTTPStatus(status).phrase, status_code=status, headers=headers)


async def _bounded(request: Request) -> bytes | None:
    """Return the whole body; None where it is too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_LIMIT:
            return None
    return bytes(body)
