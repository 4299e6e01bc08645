import asyncio
import queue
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.sandbox.running import Sandbox
from worker.sandbox.receipts import Receipt, Receipts, is_loopback


class Receiver(ThreadingHTTPServer):
    """A receiver of reports that remembers the requests it got, and refuses the first `refusals`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.refusals = 0
        self.seen: queue.Queue[str] = queue.Queue()
        self.url = f"http://127.0.0.1:{self.server_port}/dlr/secret"


class _Answer(BaseHTTPRequestHandler):
    server: Receiver

    def do_GET(self) -> None:
        self.server.seen.put(f"{self.command} {self.path}")
        self.server.refusals -= 1
        self.send_response(204 if self.server.refusals < 0 else 404)
        self.end_headers()

    do_POST = do_GET  # noqa: N815 - the name is the server's

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("knobs", "seen"),
    [
        ({}, "GET /dlr/secret?status=1&receiver=4520304050"),
        ({"dlr_method": "POST"}, "POST /dlr/secret?status=1&receiver=4520304050"),
        ({"dlr_outcome": "failed"}, "GET /dlr/secret?status=2&receiver=4520304050"),
        ({"dlr_outcome": "abandoned"}, "GET /dlr/secret?status=8&receiver=4520304050"),
        ({"dlr_outcome": "abandoned", "dlr_codes": "2016"}, "GET /dlr/secret?status=4&receiver=4520304050"),
    ],
)
def test_a_report_is_pushed_to_a_receiver_on_this_machine(
    sandbox: Sandbox, receiver: Receiver, knobs: dict[str, str], seen: str
) -> None:
    sandbox.set_faults(dlr_delay_ms=0, **knobs)

    sandbox.send(dlr_url=receiver.url)

    assert receiver.seen.get(timeout=5) == seen


def test_the_values_are_joined_to_a_query_that_is_there(sandbox: Sandbox, receiver: Receiver) -> None:
    sandbox.set_faults(dlr_delay_ms=0)

    sandbox.send(dlr_url=f"{receiver.url}?batch=7")

    assert receiver.seen.get(timeout=5) == "GET /dlr/secret?batch=7&status=1&receiver=4520304050"


def test_a_report_to_another_machine_is_ignored_and_counted(sandbox: Sandbox) -> None:
    sandbox.set_faults(dlr_delay_ms=0)

    assert sandbox.send(dlr_url="http://192.0.2.1/dlr").status_code == 200
    assert sandbox.stats()["receipts"] == {"pushed": 0, "failed": 0, "ignored": 1}


def test_what_is_off_when_it_is_due_is_not_pushed(receiver: Receiver) -> None:
    counts = {"pushed": 0, "failed": 0, "ignored": 0}

    async def push_two() -> str:
        receipts = Receipts(counts)
        for path, is_off in (("cancelled", True), ("sent", False)):
            url = f"{receiver.url}/{path}"
            receipts.push(Receipt(due_s=0, method="GET", url=url, is_off=partial(bool, is_off)))
        seen = await asyncio.to_thread(receiver.seen.get, timeout=5)
        receipts.stop()
        return seen

    assert asyncio.run(push_two()) == "GET /dlr/secret/sent"
    assert receiver.seen.empty()


@pytest.mark.parametrize(
    ("url", "is_here"),
    [
        ("http://127.0.0.1:8026/a", True),
        ("http://localhost/a", True),
        ("http://[::1]:8026/a", True),
        ("http://127.0.0.1@192.0.2.1/a", False),
        ("http://localhost.example.org/a", False),
        ("http://0.0.0.0/a", False),
        ("https://127.0.0.1/a", False),
        ("http://127.0.0.1:99999/a", False),
        ("http://[::1/a", False),
        ("nonsense", False),
    ],
)
def test_only_this_machine_is_ever_called(url: str, *, is_here: bool) -> None:
    assert is_loopback(url) == is_here
