"""The service: takes what gateways push, answers quickly, and tells nobody else anything.

Nothing of a call is logged: its path holds the token, its values a number.
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from worker.ledger.matching import Pushed
from worker.receipts.addresses import Doors
from worker.receipts.intake import Intake

_QUERY_LIMIT = 4096  # octets; all known reports have some 200
_BODY_LIMIT = 16_384
_TYPE_LIMIT = 200
_METHODS = frozenset({"GET", "POST"})


class Service:
    """The ASGI application."""

    def __init__(self, doors: Doors, intake: Intake) -> None:
        self._doors = doors
        self._intake = intake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        caller = self._doors.caller(request.scope["path"])
        if caller is None:
            return _said(404)
        if request.method not in _METHODS:
            return _said(405, Allow="GET, POST")
        if len(request.scope["query_string"]) > _QUERY_LIMIT:
            return _said(414)
        try:
            body = await _bounded(request)
        except ClientDisconnect:
            return _said(408)  # to nobody
        return _said(413) if body is None else await self._kept(request, body, caller=caller)

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
