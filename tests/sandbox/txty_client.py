"""Calls to the simulated Txty gateways, and a receiver of their callbacks."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from tests.sandbox.running import Sandbox
from tests.sandbox.test_receipts import Receiver

TO = "4520304050"


class TxtyV6:
    """A client of v6 that calls as the user `acme`."""

    name = "txty_v6"

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def call(self, method: str = "GET", path: str = "v6/sms", **given: Any) -> requests.Response:  # noqa: ANN401 - as of requests
        """Call with whatever is given."""
        url = f"{self.sandbox.url}/txty-v6/{path}"
        return self.sandbox.session.request(method, url, timeout=5, **given)

    def send(self, **fields: object) -> requests.Response:
        """Send a plain message; the fields replace or add to it."""
        plain = {"username": "acme", "token": "key", "msisdn": TO, "sender": "ACME", "text": "Hello"}
        return self.call(params=plain | fields)

    def set(self, **knobs: object) -> None:
        """Set faults."""
        url = f"{self.sandbox.url}/_sandbox/faults"
        answer = self.sandbox.session.post(url, json={self.name: knobs}, timeout=5)
        assert answer.ok, answer.text

    def stats(self) -> dict[str, Any]:
        """Return the counts."""
        url = f"{self.sandbox.url}/_sandbox/stats"
        stats: dict[str, Any] = self.sandbox.session.get(url, timeout=5).json()[self.name]
        return stats


class TxtyV4(TxtyV6):
    """A client of v4 that posts forms as the user `acme`."""

    name = "txty_v4"

    def call(self, method: str = "POST", path: str = "sms/api.json", **given: Any) -> requests.Response:  # noqa: ANN401 - as of requests
        """Call with whatever is given."""
        url = f"{self.sandbox.url}/txty-v4/{path}"
        return self.sandbox.session.request(method, url, timeout=5, **given)

    def do(self, resource: str, **fields: object) -> Any:  # noqa: ANN401 - of json
        """Call a resource and read its answer."""
        login = {"user": "acme", "key": "key"}
        return self.call("POST", f"{resource}/api.json", data=login | fields).json()

    def send(self, **fields: object) -> requests.Response:
        """Send a plain message; the fields replace or add to it."""
        plain = {"user": "acme", "key": "key", "msisdn": TO, "sender": "ACME", "text": "Hello"}
        return self.call(data=plain | fields)

    def outbox(self, **fields: object) -> list[dict[str, Any]]:
        """Return its rows."""
        rows: list[dict[str, Any]] = self.do("view/outbox", **fields)["outbox"]
        return rows


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Serve a receiver; stop it at the end."""
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()
