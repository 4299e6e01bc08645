import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.sandbox.running import running_sandbox
from worker.sandbox.server import bound

SEND = (
    b"POST /cpsms/v2/send HTTP/1.1\r\nHost: here\r\nAuthorization: Basic YTpi\r\nContent-Length: 53\r\n\r\n"
    b'{"to":"4520304050","message":"Hello","from":"ACME"}  '
)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_within_a_second_with_exit_code_0(number: signal.Signals) -> None:
    with running_sandbox() as sandbox:
        sandbox.send()
        sandbox.process.send_signal(number)

        assert sandbox.process.wait(timeout=1) == 0


def test_a_hanging_request_does_not_delay_the_stop() -> None:
    with running_sandbox() as sandbox, socket.create_connection(("127.0.0.1", sandbox.port)) as client:
        sandbox.set_faults(hang_after=True)
        client.sendall(SEND)
        deadline = time.monotonic() + 5
        while not sandbox.stats()["accepted"] and time.monotonic() < deadline:
            pass
        sandbox.process.terminate()

        assert sandbox.process.wait(timeout=1) == 0


def test_a_taken_port_is_said_in_one_sentence_with_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "worker.sandbox", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        f"Cannot listen on 127.0.0.1:{port} (Address already in use); choose another with --host or --port.\n"
    )


def test_the_port_can_be_taken_again_at_once() -> None:
    with running_sandbox() as first:
        first.send()
    with running_sandbox("--port", str(first.port)) as second:
        assert second.port == first.port


def test_the_listener_names_its_protocol_so_that_asyncio_answers_without_delay() -> None:
    with bound("127.0.0.1", port=0) as listener:
        assert listener.proto == socket.IPPROTO_TCP
