"""Requests of one recipient for each simulated gateway, as bytes: no two to the same number.

What a simulator remembers of one request must not save it the work on the next.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPConnection

_BASIC = "Basic " + base64.b64encode(b"acme:key").decode()
_FIRST = 4520304050
_DIFFERENT = 10_000
_Send = Callable[[str], bytes]  # by the number


def _http(method: str, target: str, *, body: str = "", headers: Mapping[str, str] | None = None) -> bytes:
    lines = {"Host": "127.0.0.1", **(headers or {})}
    if body:
        lines["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n{body}".encode()


def _cpsms(_port: int) -> _Send:
    headers = {"Authorization": _BASIC, "Content-Type": "application/json"}

    def send(number: str) -> bytes:
        asked = {"to": [number], "message": f"Hello {number}", "from": "ACME", "reference": f"r{number}"}
        return _http("POST", "/cpsms/v2/send", body=json.dumps(asked), headers=headers)

    return send


def _txty_v4(_port: int) -> _Send:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    def send(number: str) -> bytes:
        body = f"user=acme&key=key&msisdn={number}&text=Hello+{number}&sender=ACME"
        return _http("POST", "/txty-v4/sms/api.json", body=body, headers=headers)

    return send


def _txty_v6(_port: int) -> _Send:
    def send(number: str) -> bytes:
        query = f"username=acme&token=key&msisdn={number}&sender=ACME&text=Hello+{number}"
        return _http("GET", f"/txty-v6/v6/sms?{query}")

    return send


def _smsend(port: int) -> _Send:
    base = "/smsend/API/v1.0/REST"
    with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=5)) as client:
        client.request("GET", f"{base}/login", headers={"Authorization": _BASIC})
        user_key, _, session_key = client.getresponse().read().decode().partition(";")
    headers = {"user_key": user_key, "Session_key": session_key, "Content-Type": "application/json"}

    def send(number: str) -> bytes:
        asked = {"message_type": "N", "message": f"Hello {number}", "recipient": [f"+{number}"]}
        return _http("POST", f"{base}/sms", body=json.dumps(asked | {"sender": "ACME"}), headers=headers)

    return send


def _textmarketer(_port: int) -> _Send:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    def send(number: str) -> bytes:
        body = f"username=acme&password=key&message=Hello+{number}&to={number}&originator=ACME"
        return _http("POST", "/textmarketer/services/rest/sms", body=body, headers=headers)

    return send


_SENDS: Mapping[str, Callable[[int], _Send]] = {
    "cpsms": _cpsms,
    "txty_v4": _txty_v4,
    "txty_v6": _txty_v6,
    "smsend": _smsend,
    "textmarketer": _textmarketer,
}


def requests_of(gateway: str, *, port: int) -> Sequence[bytes]:
    """Return requests to the simulator at that port, where it may have to log in first."""
    send = _SENDS[gateway](port)
    return [send(str(_FIRST + n)) for n in range(_DIFFERENT)]
