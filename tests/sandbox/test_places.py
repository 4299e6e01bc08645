import socket

import pytest
import requests

from tests.sandbox.running import Sandbox


@pytest.mark.parametrize(
    "path", ["/", "/nosuch", "/cpsms", "/cpsms/v2x/send", "//cpsms/v2/send", "/_sandboxes"]
)
def test_an_unknown_place_names_the_known_ones(sandbox: Sandbox, path: str) -> None:
    answer = requests.get(f"{sandbox.url}{path}", timeout=5)

    assert answer.status_code == 404
    assert "/cpsms/v2, " in answer.json()["error"]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_what_only_asks_about_a_call_does_not_send(sandbox: Sandbox, method: str) -> None:
    answer = sandbox.cpsms(method, "simplesend/4520304050/Hello/ACME")

    assert answer.status_code == {"HEAD": 405, "OPTIONS": 204}[method]
    assert answer.headers["Allow"] == "GET, POST, PUT, DELETE"
    assert answer.content == b""
    assert (sandbox.stats()["requests"], sandbox.stats()["sends"]) == (1, 0)


@pytest.mark.parametrize("path", ["/", "/_sandbox/stats"])
def test_a_place_may_be_probed_by_head(sandbox: Sandbox, path: str) -> None:
    answer = requests.head(f"{sandbox.url}{path}", timeout=5)

    assert answer.status_code in {200, 404}
    assert answer.content == b""


@pytest.mark.parametrize(
    "target", [b"/cpsms/v2/s\xc3\xb8", b"/cpsms/v2/getlog?to=\xff", b"/\xff", b"nonsense"]
)
def test_bytes_that_are_no_address_are_no_fault_of_the_server(sandbox: Sandbox, target: bytes) -> None:
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=5) as client:
        client.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        status = int(client.makefile("rb").readline().split()[1])

    assert 400 <= status < 500


@pytest.mark.parametrize(("sent", "is_taken"), [("user_key", True), ("User_Key", True), ("user-key", False)])
def test_an_underscore_in_the_name_of_a_header_is_no_dash(
    sandbox: Sandbox, sent: str, *, is_taken: bool
) -> None:
    base = f"{sandbox.url}/smsend/API/v1.0/REST"
    login = sandbox.session.get(f"{base}/login", auth=("acme", "key"), timeout=5)
    user_key, _, session_key = login.text.partition(";")

    headers = {sent: user_key, "Session_key": session_key}
    answer = sandbox.session.get(f"{base}/status", headers=headers, timeout=5)

    assert (answer.status_code == 200) == is_taken
