"""The control of the simulator, under `/_sandbox`.

`GET /_sandbox/accepted[?gateway=cpsms]`: JSON lines of every accepted message: time (Unix seconds), gateway,
    msisdn (E.164 with plus), text (as it reaches the handset), sender, reference, parts.
`GET /_sandbox/stats`: by gateway; `requests` of any kind, `sends` (requests that ask to send), messages
    `arrived` (in requests that were read whole, whatever became of them), `accepted` and their `parts`,
    `unique` (accepted, and their number and text for the first time), `duplicates`
    by `reference` (same reference and number again) and by `text` (same number and text again),
    `refused` (messages; 1 for a request that was not read so far), `violations` of the rate, `cancelled`
    (scheduled ones that were deleted; they stay in `accepted`), `at_once` and `at_once_most` (sends in work),
    `receipts` pushed, failed, ignored because the receiver is not on this machine.
`POST /_sandbox/faults`: `{"cpsms": {"hang_after": 2, "latency_ms": 50}}`, the names as in `Knobs`; what is
    not named stays. `GET /_sandbox/faults` shows what is set, with the times that are left.
`POST /_sandbox/reset`: forgets all of it, what is scheduled and the credit that was spent too.
"""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from worker.sandbox.gateway import Gateway
from worker.sandbox.knobs import Knobs


class Control:
    """The routes of the control."""

    def __init__(self, gateways: Mapping[str, Gateway]) -> None:
        self._gateways = gateways

    def routes(self) -> list[BaseRoute]:
        """Return them, below `/_sandbox`."""
        return [
            Route("/stats", self._stats),
            Route("/accepted", self._accepted),
            Route("/faults", self._faults),
            Route("/faults", self._set_faults, methods=["POST"]),
            Route("/reset", self._reset, methods=["POST"]),
        ]

    async def _stats(self, _request: Request) -> Response:
        return JSONResponse({name: gateway.book.stats() for name, gateway in self._gateways.items()})

    async def _accepted(self, request: Request) -> Response:
        wanted = request.query_params.get("gateway")
        if wanted is not None and wanted not in self._gateways:
            return self._unknown(wanted)
        names = [wanted] if wanted else list(self._gateways)
        return StreamingResponse(self._chunks(names), media_type="application/x-ndjson")

    async def _chunks(self, names: list[str]) -> AsyncIterator[bytes]:
        for name in names:
            for chunk in self._gateways[name].book.chunks():
                yield chunk

    async def _faults(self, _request: Request) -> Response:
        return JSONResponse({name: asdict(gateway.knobs) for name, gateway in self._gateways.items()})

    async def _set_faults(self, request: Request) -> Response:
        try:
            wanted = _objects(await request.body())
            unknown = next((name for name in wanted if name not in self._gateways), None)
            if unknown is not None:
                return self._unknown(unknown)
            changed = {name: _changed(self._gateways[name].knobs, new=new) for name, new in wanted.items()}
        except ValueError as error:
            return _sentence(str(error))
        for name, knobs in changed.items():
            self._gateways[name].knobs = knobs
        return await self._faults(request)

    async def _reset(self, _request: Request) -> Response:
        for gateway in self._gateways.values():
            gateway.reset()
        return Response(status_code=204)

    def _unknown(self, name: str) -> Response:
        return _sentence(f'there is no gateway "{name}"; there are: {", ".join(self._gateways)}')


def _objects(body: bytes) -> dict[str, dict[str, Any]]:
    try:
        faults = json.loads(body)
    except ValueError:
        faults = None
    if not isinstance(faults, dict) or not all(isinstance(new, dict) for new in faults.values()):
        msg = 'send a JSON object with an object for each gateway, as in {"cpsms": {"hang_after": 1}}'
        raise ValueError(msg)
    return faults


def _changed(knobs: Knobs, *, new: dict[str, Any]) -> Knobs:
    names = [field.name for field in fields(knobs)]
    unknown = [name for name in new if name not in names]
    try:
        changed = replace(knobs, **{name: value for name, value in new.items() if name in names})
    except ValidationError as error:
        first = min(error.errors(), key=lambda each: names.index(str(each["loc"][0])))
        fault = f"{first['loc'][0]}: {first['msg']}"
    else:
        if not unknown:
            return changed
        fault = f"{unknown[0]}: Extra inputs are not permitted"
    msg = f"{fault}; the names are: {', '.join(names)}"
    raise ValueError(msg)


def _sentence(text: str) -> Response:
    return JSONResponse({"error": text}, status_code=422)
