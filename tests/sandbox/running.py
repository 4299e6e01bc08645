"""The simulator as a process of its own, for every test that needs a gateway."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from json import loads
from typing import Any

import requests

READY = "sandbox listening on "


class Sandbox:
    """A running simulator: its address, the control of one gateway in it, and calls to CPSMS."""

    def __init__(self, url: str, *, process: subprocess.Popen[str]) -> None:
        self.url = url
        self.name = "cpsms"  # the gateway that faults, knobs and counts are of
        self.process = process
        self.session = requests.Session()
        self.session.trust_env = False

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self.url.rpartition(":")[2])

    def cpsms(  # noqa: PLR0913 - the same names as in requests
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, object] | None = None,
        data: str | bytes | None = None,
        auth: tuple[str, str] | None = ("acme", "key"),
        timeout: float = 5,
    ) -> requests.Response:
        """Call CPSMS as the user `acme`."""
        url = f"{self.url}/cpsms/v2/{path}"
        return self.session.request(method, url, json=json, data=data, auth=auth, timeout=timeout)

    def send(self, to: str | list[str] = "4520304050", **fields: object) -> requests.Response:
        """Send a message through CPSMS; the fields replace or add to a plain one."""
        return self.cpsms("POST", "send", json={"to": to, "message": "Hello", "from": "ACME", **fields})

    def set_faults(self, **faults: object) -> None:
        """Set faults and knobs of the gateway."""
        answer = self.session.post(f"{self.url}/_sandbox/faults", json={self.name: faults}, timeout=5)
        answer.raise_for_status()

    def stats(self) -> dict[str, Any]:
        """Return the counts of the gateway."""
        stats: dict[str, Any] = self.session.get(f"{self.url}/_sandbox/stats", timeout=5).json()[self.name]
        return stats

    def accepted(self) -> list[dict[str, Any]]:
        """Return what was accepted, oldest first."""
        lines = self.session.get(f"{self.url}/_sandbox/accepted", timeout=30).iter_lines()
        return [loads(line) for line in lines]

    def reset(self) -> None:
        """Forget everything."""
        self.session.post(f"{self.url}/_sandbox/reset", timeout=5).raise_for_status()


@contextmanager
def running_sandbox(*options: str) -> Iterator[Sandbox]:
    """Start the simulator on a free port; stop it at the end."""
    command = [sys.executable, "-m", "worker.sandbox", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            assert ready.startswith(READY), ready
            sandbox = Sandbox(ready.removeprefix(READY).strip(), process=process)
            with sandbox.session:
                yield sandbox
        finally:
            process.terminate()
