"""What a stranger can do to the service for delivery reports: keep nobody out, and fill no memory."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from typing import ClassVar

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from worker.receipts.connection import Connection
from worker.waiting import within

GET = b"GET /token?status=1 HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /token HTTP/1.1\r\nHost: x\r\n"
LONG_S = 10.0  # to wait in vain


class Quick(Connection):
    """Has little patience."""

    whole_s: ClassVar[float] = 0.3


class Narrow(Connection):
    """Has little room."""

    most: ClassVar[int] = 8
    whole_s: ClassVar[float] = 60.0


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a stranger at once, else take the whole body."""
    request = Request(scope, receive)
    if scope["path"] == "/token":
        await request.body()
    await PlainTextResponse("OK", 200 if scope["path"] == "/token" else 404)(scope, receive, send)


@contextmanager
def served(kind: type[Connection]) -> Iterator[int]:
    """Run a service and give its port."""
    config = uvicorn.Config(
        answer, http=kind, ws="none", lifespan="off", log_config=None, access_log=False, timeout_keep_alive=1
    )
    server = uvicorn.Server(config)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        assert within(LONG_S, lambda: server.started)
        yield int(listener.getsockname()[1])
        server.should_exit = True
        thread.join(LONG_S)


@pytest.fixture
def quick() -> Iterator[int]:
    with served(Quick) as port:
        yield port


@pytest.fixture
def narrow() -> Iterator[int]:
    with served(Narrow) as port:
        yield port


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=LONG_S) as connection:
        yield connection


def said(connection: socket.socket) -> bytes:
    """Return what the service says next; nothing where it hangs up."""
    try:
        return connection.recv(65_536)
    except ConnectionError:
        return b""


def hangs_up(connection: socket.socket, drip: bytes) -> bool:
    """Send some more and say whether the service ends it then."""
    connection.settimeout(0.05)
    try:
        connection.sendall(drip)
        return connection.recv(65_536) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    ("before", "drip"),
    [
        (b"", b""),
        (b"", b"\r\n"),
        (b"GET /token", b""),
        (b"GET /token?x=", b"1"),
        (b"GET /token HTTP/1.1\r\nx: ", b"1"),
        (POST + b"Content-Length: 16000\r\n\r\n", b"1"),
        (POST.replace(b"/token", b"/wrong") + b"Content-Length: 16000\r\n\r\n", b"1"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nx: ", b"1"),
        (GET, b""),
        (GET, b"\r\n"),
        (GET + GET[:-2], b"1"),
    ],
)
def test_a_request_that_does_not_come_is_not_waited_for(quick: int, before: bytes, drip: bytes) -> None:
    with connected(quick) as connection:
        connection.sendall(before)

        assert within(4, lambda: hangs_up(connection, drip), every_s=0)


@pytest.mark.parametrize(
    ("before", "much"),
    [
        (b"GET /token?", b"a" * 1000),
        (b"GET /token HTTP/1.1\r\nx: ", b"a" * 1000),
        (b"GET /token HTTP/1.1\r\n", b"a: b\r\n"),
        (POST + b"Content-Length: 1000000\r\n\r\n", b"a" * 1000),
        (POST.replace(b"/token", b"/wrong") + b"Content-Length: 1000000\r\n\r\n", b"a" * 1000),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n"),
    ],
)
def test_more_than_a_report_can_be_is_cut_off(narrow: int, before: bytes, much: bytes) -> None:
    with connected(narrow) as connection:
        with suppress(ConnectionError):
            connection.sendall(before + much * (1_000_000 // len(much) - 1))
        answers = list(iter(lambda: said(connection), b""))  # until it hangs up

    assert len(answers) <= 1


def test_requests_one_behind_the_other_are_not_kept(narrow: int) -> None:
    with connected(narrow) as connection:
        connection.sendall(100 * GET)
        answers = b"".join(iter(lambda: said(connection), b""))

    assert answers.count(b"HTTP/1.1 200") <= 1


def test_requests_one_after_the_other_are_answered(narrow: int) -> None:
    with closing(HTTPConnection("127.0.0.1", narrow, timeout=LONG_S)) as connection:
        connection.connect()
        socket_before = connection.sock
        answers = []
        for _ in range(3):
            connection.request("GET", "/token?status=1")
            answers.append(connection.getresponse().read())

        assert answers == [b"OK"] * 3
        assert connection.sock is socket_before


def test_many_who_say_nothing_keep_nobody_out(narrow: int) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(connected(narrow)) for _ in range(40)]
        with connected(narrow) as connection:
            connection.sendall(GET)
            answer = said(connection)
        first = said(idle[0])

    assert answer.startswith(b"HTTP/1.1 200")
    assert first == b""
