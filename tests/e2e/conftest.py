import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.place import Place
from tests.e2e.warm import Warm, warm_command
from tests.sandbox.running import Sandbox, running_sandbox


@contextmanager
def made_place(gateway: str) -> Iterator[Place]:
    """Give a new folder with settings, its name short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="bs-e2e-") as parent:
        folder = Path(parent).resolve() / "here"
        folder.mkdir()
        place = Place(folder, gateway=gateway)
        place.configure()
        try:
            yield place
        finally:
            place.end()


@pytest.fixture(scope="module")
def shared_gateway() -> Iterator[Sandbox]:
    """Give a simulator for the tests of one file that only look at what one of them did."""
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def gateway(sandbox_process: Sandbox) -> Iterator[Sandbox]:
    """Give the simulator of this test process, emptied; what a test says of it ends with the test."""
    sandbox_process.reset()
    sandbox = Sandbox(sandbox_process.url, process=sandbox_process.process)
    with sandbox.session:
        yield sandbox


@pytest.fixture
def place(gateway: Sandbox) -> Iterator[Place]:
    """Give a folder with settings for the simulator to one test."""
    with made_place(gateway.url) as place:
        yield place


@pytest.fixture
def lone_place() -> Iterator[Place]:
    """Give a folder whose gateway nobody answers for."""
    with made_place("http://127.0.0.1:9") as place:
        yield place


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """Give the command without its start-up time."""
    with warm_command() as warm:
        yield warm


@pytest.fixture
def free_port() -> int:
    """Give a port of 127.0.0.1 on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
