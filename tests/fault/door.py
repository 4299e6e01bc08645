"""A TLS endpoint in front of the simulator that can accept TCP and never answer the handshake."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CERTIFICATE = Path(__file__).parents[1] / "contract" / "loopback.pem"


class Door:
    """The endpoint; ``hangs`` decides about connections that come from then on."""

    def __init__(self, *, gateway_port: int) -> None:
        self.hangs = False
        self.n_hung = 0
        self.port = 0
        self._gateway_port = gateway_port
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(CERTIFICATE)
        self._loop = asyncio.new_event_loop()
        self._open = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        assert self._open.wait(10)

    def end(self) -> None:
        """Close everything."""
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(10)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._done = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        server = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._open.set()
        await self._done.wait()
        server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.wait([asyncio.gather(*self._tasks, return_exceptions=True)], timeout=5)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        task = self._loop.create_task(self._answer(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.hangs:
            self.n_hung += 1
            await self._done.wait()
        with suppress(OSError):  # one side has gone
            await writer.start_tls(self._tls)
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._gateway_port)
            await asyncio.gather(_carry(reader, there_writer), _carry(there_reader, writer))
        await _close(writer)


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while octets := await source.read(65536):
            sink.write(octets)
            await sink.drain()
    await _close(sink)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


@contextmanager
def tls_door(*, gateway_port: int) -> Iterator[Door]:
    """Give the endpoint for as long as the block lasts."""
    door = Door(gateway_port=gateway_port)
    door.start()
    try:
        yield door
    finally:
        door.end()
