"""The application: the gateways under their prefixes, and the control under `/_sandbox`.

It finds the gateway itself, since a router with its middleware would take longer than the gateway.
"""

import functools
from collections.abc import Awaitable

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from worker.sandbox.control import Control
from worker.sandbox.cpsms.gateway import Cpsms
from worker.sandbox.frame import Frame
from worker.sandbox.gateway import Gateway
from worker.sandbox.smsend.gateway import Smsend
from worker.sandbox.textmarketer.gateway import Textmarketer
from worker.sandbox.txty_v4.gateway import TxtyV4
from worker.sandbox.txty_v6.gateway import TxtyV6

GATEWAYS: tuple[type[Gateway], ...] = (Cpsms, Smsend, Textmarketer, TxtyV6, TxtyV4)
CONTROL = "/_sandbox"


def make_app() -> ASGIApp:
    """Make the application with every gateway in good order and nothing accepted."""
    gateways = {gateway.name: gateway() for gateway in GATEWAYS}
    control = Starlette(routes=[Mount(CONTROL, routes=Control(gateways).routes())])
    frames = {each.prefix.encode(): Frame(each) for each in gateways.values()}
    return _Places({**frames, CONTROL.encode(): control})


class _Places:
    def __init__(self, apps: dict[bytes, ASGIApp]) -> None:
        self._apps = apps
        self._at = functools.lru_cache(maxsize=256)(self._find)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._at(scope["raw_path"])(scope, receive, send)

    def _find(self, path: bytes) -> ASGIApp:
        for prefix, app in self._apps.items():
            if path.startswith(prefix) and path[len(prefix) :][:1] in b"/":  # of a slash, or the end
                return app
        places = ", ".join(prefix.decode() for prefix in self._apps)
        return JSONResponse({"error": f"there is nothing here; the places are {places}"}, status_code=404)
