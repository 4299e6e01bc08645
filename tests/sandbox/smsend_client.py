"""Calls to the simulated smSend, as its documents describe them."""

from typing import Any

import requests

from tests.sandbox.running import Sandbox

TO = "+393471234567"
CREDENTIALS = {"username": "acme", "password": "key"}


class Smsend:
    """A client that is logged in as the user `acme`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.url = f"{sandbox.url}/smsend/API/v1.0/REST"
        self.keys = self.login()

    def login(self) -> dict[str, str]:
        """Log in and return the headers of the later calls."""
        user_key, session_key = self.bare("GET", "login", params=CREDENTIALS).text.split(";")
        return {"user_key": user_key, "Session_key": session_key}

    def bare(self, method: str, path: str, **given: Any) -> requests.Response:  # noqa: ANN401 - as of requests
        """Call without the keys."""
        return self.sandbox.session.request(method, f"{self.url}/{path}", **{"timeout": 5, **given})

    def call(self, method: str, path: str, **given: Any) -> requests.Response:  # noqa: ANN401 - as of requests
        """Call with the keys."""
        return self.bare(method, path, headers=self.keys, **given)

    def send(self, *to: object, **fields: object) -> requests.Response:
        """Send a plain message; the fields replace or add to it."""
        plain = {"message_type": "N", "message": "Hello", "recipient": list(to or (TO,)), "sender": "ACME"}
        return self.call("POST", "sms", json=plain | fields)

    def send_each(self, recipients: object, **fields: object) -> requests.Response:
        """Send a message with parameters."""
        plain = {"message_type": "N", "message": "Hi ${name}", "recipients": recipients, "sender": "ACME"}
        return self.call("POST", "paramsms", json=plain | fields)

    def states(self, order_id: str) -> list[dict[str, str]]:
        """Return what became of an order."""
        rows: list[dict[str, str]] = self.call("GET", f"sms/{order_id}").json()["recipients"]
        return rows

    def left(self, kind: str = "N") -> int:
        """Return what the account has left of a message type."""
        stocks = self.call("GET", "status", params={"typeAliases": "true"}).json()["sms"]
        return int(next(stock["quantity"] for stock in stocks if stock["type"] == kind))

    def group(self, name: str, *numbers: str) -> None:
        """Create a group with contacts in it."""
        answer = self.call("POST", "group", json={"name": name, "description": "-"})
        ident = answer.headers["location"].rpartition("/")[2]
        for number in numbers:
            contact = {"email": "a@example.org", "phoneNumber": number, "groupIds": [ident]}
            assert self.call("POST", "contact", json=contact).status_code == 201

    def set(self, **knobs: object) -> None:
        """Set knobs."""
        url = f"{self.sandbox.url}/_sandbox/faults"
        self.sandbox.session.post(url, json={"smsend": knobs}, timeout=5).raise_for_status()

    def stats(self) -> dict[str, Any]:
        """Return the counts."""
        url = f"{self.sandbox.url}/_sandbox/stats"
        stats: dict[str, Any] = self.sandbox.session.get(url, timeout=5).json()["smsend"]
        return stats

    def texts(self) -> list[str]:
        """Return the texts that were accepted."""
        return [line["text"] for line in self.sandbox.accepted()]
