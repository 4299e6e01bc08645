"""The process: one bound socket, uvicorn on it, a reader beside it, a line when ready, a clean stop."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from types import FrameType

import click
import uvicorn

from worker.errors import ConfigError
from worker.ledger.deliveries import receipts_key
from worker.ledger.engine import open_ledger, reading
from worker.providers import accounts_of
from worker.receipts.addresses import Doors
from worker.receipts.connection import Connection
from worker.receipts.intake import Intake
from worker.receipts.reader import Reader
from worker.receipts.service import Service
from worker.receipts.stops import Stops
from worker.settings import Address, Settings
from worker.waiting import Flag

READY = "receipts listening on "
_GRACE_S = 5  # for calls under way when it is stopped


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; prints one line on stdout when connections are taken.

    Raises:
        ConfigError: the address cannot be bound, or a provider cannot be used.
        LedgerError: the ledger is away.
    """
    engine = open_ledger(settings.ledger)
    with reading(engine) as connection:
        doors = Doors.of(settings, key=receipts_key(connection))
    accounts = accounts_of(settings)
    reader = Reader(
        engine=engine,
        adapters={name: accounts[name].reader() for name in doors.tokens},
        logins={name: accounts[name].login for name in doors.tokens},
        keeps_numbers=not settings.optouts.hashed,
    )
    stops = Stops(engine=engine, accounts=accounts, settings=settings.optouts)
    stops.require_confirmation()
    config = uvicorn.Config(
        Service(doors, Intake(engine, on_kept=reader.wake), stops),
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",  # warnings of what cannot be read would let a stranger fill the log
        access_log=False,  # it would show tokens and numbers
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)  # uvicorn raises the signal once more when it has stopped
    stop = Flag()
    thread = threading.Thread(target=reader.run, args=(lambda: stop.is_set,), name="reader", daemon=True)
    with _bound(settings.receipts.listen) as listener:
        thread.start()
        click.echo(f"{READY}http://{settings.receipts.listen}")
        try:
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            stop.set()
            reader.wake()
            thread.join(_GRACE_S)


def _stop(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _bound(address: Address) -> socket.socket:
    family, kind, _, _, place = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0]
    # asyncio sets TCP_NODELAY only where the protocol is named; without it each answer takes 40 ms more.
    listener = socket.socket(family, kind, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise ConfigError(f"receipts.listen: {address} cannot be used ({error.strerror})") from None
    return listener
