"""Calls to the simulated Text Marketer, and its answers read."""

from typing import Any
from xml.etree import ElementTree as ET

import requests

from tests.sandbox.running import Sandbox

TO = "447700900123"


class Textmarketer:
    """A client that calls as the user `acme`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.url = f"{sandbox.url}/textmarketer/services/rest"

    def call(self, method: str, path: str, **given: Any) -> requests.Response:  # noqa: ANN401 - as of requests
        """Call with Basic authentication, unless another is given."""
        given = {"auth": ("acme", "key"), "timeout": 5, **given}
        return self.sandbox.session.request(method, f"{self.url}/{path}", **given)

    def send(self, to: str = TO, **fields: str) -> requests.Response:
        """Send a plain message; the fields replace or add to it."""
        plain = {"to": to, "message": "Hello", "originator": "ACME"}
        return self.call("POST", "sms", data=plain | fields)

    def set(self, **knobs: object) -> None:
        """Set faults."""
        url = f"{self.sandbox.url}/_sandbox/faults"
        self.sandbox.session.post(url, json={"textmarketer": knobs}, timeout=5).raise_for_status()

    def stats(self) -> dict[str, Any]:
        """Return the counts."""
        url = f"{self.sandbox.url}/_sandbox/stats"
        stats: dict[str, Any] = self.sandbox.session.get(url, timeout=5).json()["textmarketer"]
        return stats

    def credits(self) -> int:
        """Return what the account has left."""
        return int(fields(self.call("GET", "credits"))["credits"])

    def rows(self, path: str = "all") -> list[dict[str, str]]:
        """Return the rows of delivery reports, none where there is no such report."""
        answer = self.call("GET", f"deliveryReport/{path}")
        return [] if answer.status_code == 404 else [each.attrib for each in tree(answer).iter("reportrow")]


def tree(answer: requests.Response) -> ET.Element:
    """Read the XML of an answer."""
    return ET.fromstring(answer.content)  # noqa: S314 - it is our own simulator's


def fields(answer: requests.Response) -> dict[str, str]:
    """Return the texts of the elements below `response`."""
    return {each.tag: each.text or "" for each in tree(answer)}


def codes(answer: requests.Response) -> list[str]:
    """Return the codes of the errors."""
    return [each.attrib["code"] for each in tree(answer).iterfind("errors/error")]
