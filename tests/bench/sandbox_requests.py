"""A request of one recipient for each simulated gateway, as bytes."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Mapping
from http.client import HTTPConnection

_BASIC = "Basic " + base64.b64encode(b"acme:key").decode()
_NUMBER = "4520304050"


def _http(method: str, target: str, *, body: str = "", headers: Mapping[str, str] | None = None) -> bytes:
    lines = {"Host": "127.0.0.1", **(headers or {})}
    if body:
        lines["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n{body}".encode()


def _cpsms(_port: int) -> bytes:
    body = json.dumps({"to": [_NUMBER], "message": "Hello", "from": "ACME", "reference": "r1"})
    headers = {"Authorization": _BASIC, "Content-Type": "application/json"}
    return _http("POST", "/cpsms/v2/send", body=body, headers=headers)


def _txty_v4(_port: int) -> bytes:
    body = f"user=acme&key=key&msisdn={_NUMBER}&text=Hello&sender=ACME"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return _http("POST", "/txty-v4/sms/api.json", body=body, headers=headers)


def _txty_v6(_port: int) -> bytes:
    query = f"username=acme&token=key&msisdn={_NUMBER}&sender=ACME&text=Hello"
    return _http("GET", f"/txty-v6/v6/sms?{query}")


def _smsend(port: int) -> bytes:
    base = "/smsend/API/v1.0/REST"
    with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=5)) as client:
        client.request("GET", f"{base}/login", headers={"Authorization": _BASIC})
        user_key, _, session_key = client.getresponse().read().decode().partition(";")
    headers = {"user_key": user_key, "Session_key": session_key, "Content-Type": "application/json"}
    body = {"message_type": "N", "message": "Hello", "recipient": [f"+{_NUMBER}"], "sender": "ACME"}
    return _http("POST", f"{base}/sms", body=json.dumps(body), headers=headers)


def _textmarketer(_port: int) -> bytes:
    body = f"username=acme&password=key&message=Hello&to={_NUMBER}&originator=ACME"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return _http("POST", "/textmarketer/services/rest/sms", body=body, headers=headers)


REQUESTS: Mapping[str, Callable[[int], bytes]] = {
    "cpsms": _cpsms,
    "txty_v4": _txty_v4,
    "txty_v6": _txty_v6,
    "smsend": _smsend,
    "textmarketer": _textmarketer,
}
"""By name; each is told the port of the simulator, where it may have to log in first."""
