"""The process: one bound socket, uvicorn on it, a line when ready, a clean stop."""

import gc
import logging
import signal
import socket
import sys
from types import FrameType

import click
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from worker.sandbox.frame import TRANSPORT


def serve(app: ASGIApp, *, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; prints one line on stdout when connections are taken.

    Raises:
        OSError: the address cannot be bound.
    """
    config = uvicorn.Config(
        app,
        http=_Protocol,
        interface="asgi3",  # it cannot be told from a plain function that returns a coroutine
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=0,  # a hanging request is a wanted fault and must not delay the stop
    )
    server = _Server(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)  # uvicorn raises the signal once more when it has stopped
    with bound(host, port=port) as listener:
        gc.collect()
        gc.freeze()  # modules and models live as long as the process; looking through them would stop it
        click.echo(f"sandbox listening on http://{host}:{listener.getsockname()[1]}")
        server.run(sockets=[listener])


def _stop(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def bound(host: str, *, port: int) -> socket.socket:
    """Return a listening TCP socket; port 0 takes a free one.

    Raises:
        OSError: the address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is named; without it each answer takes 40 ms more.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


class _Protocol(HttpToolsProtocol):
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: {"connection": self.transport}}


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logging.getLogger("uvicorn.error").disabled = True  # what the stop cuts off is no error
        await super().shutdown(sockets)
