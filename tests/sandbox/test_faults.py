import socket
import struct
import threading
import time

import pytest
import requests

from tests.sandbox.running import Sandbox


@pytest.mark.parametrize(("fault", "accepted"), [("hang_before", 0), ("hang_after", 1)])
def test_a_hang_gives_no_answer(sandbox: Sandbox, fault: str, accepted: int) -> None:
    sandbox.set_faults(**{fault: 1})

    with pytest.raises(requests.ReadTimeout):
        sandbox.cpsms("POST", "send", json={"to": "4520304050", "message": "a", "from": "b"}, timeout=0.2)

    assert sandbox.stats()["accepted"] == accepted


@pytest.mark.parametrize(("fault", "accepted"), [("reset_before", 0), ("reset_after", 1)])
def test_a_reset_ends_the_connection_with_rst(sandbox: Sandbox, fault: str, accepted: int) -> None:
    sandbox.set_faults(**{fault: 1})
    body = b'{"to":"4520304050","message":"Hello","from":"ACME"}'
    head = b"POST /cpsms/v2/send HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YTpi\r\n"

    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=5) as client:
        client.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        with pytest.raises(ConnectionResetError):
            client.recv(1024)

    assert sandbox.stats()["accepted"] == accepted


@pytest.mark.parametrize(("fault", "accepted"), [("error_500_before", 0), ("error_500_after", 1)])
def test_a_500_comes_in_the_words_of_the_gateway(sandbox: Sandbox, fault: str, accepted: int) -> None:
    sandbox.set_faults(**{fault: 1})

    answer = sandbox.send()

    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == 500
    assert sandbox.stats()["accepted"] == accepted


@pytest.mark.parametrize(("knobs", "header"), [({}, None), ({"retry_after_s": 2}, "2")])
def test_a_429_names_the_wait_only_when_told_to(
    sandbox: Sandbox, knobs: dict[str, int], header: str | None
) -> None:
    sandbox.set_faults(refuse_429=1, **knobs)

    answer = sandbox.send()

    assert (answer.status_code, answer.headers.get("Retry-After")) == (429, header)
    assert sandbox.stats()["accepted"] == 0


def test_a_malformed_answer_follows_an_acceptance(sandbox: Sandbox) -> None:
    sandbox.set_faults(malformed=1)

    answer = sandbox.send()

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert sandbox.stats()["accepted"] == 1


def test_a_fault_with_a_count_befalls_that_many_requests(sandbox: Sandbox) -> None:
    sandbox.set_faults(refuse_429=2)

    assert [sandbox.send().status_code for _ in range(4)] == [429, 429, 200, 200]


def test_a_fault_after_accepting_waits_for_a_request_that_is_accepted(sandbox: Sandbox) -> None:
    sandbox.set_faults(error_500_after=1)

    assert [sandbox.send(to).status_code for to in ("1", "4520304050")] == [400, 500]


def test_a_fault_with_a_probability_befalls_some_requests(sandbox: Sandbox) -> None:
    sandbox.set_faults(refuse_429=0.5)

    assert {sandbox.send().status_code for _ in range(60)} == {200, 429}  # fails once in 2**59


@pytest.mark.parametrize(("reads", "status"), [(False, 200), (True, 429)])
def test_calls_that_only_read_are_spared_unless_told_otherwise(
    sandbox: Sandbox, *, reads: bool, status: int
) -> None:
    sandbox.set_faults(refuse_429=True, reads=reads)

    assert sandbox.cpsms("GET", "creditvalue").status_code == status


def test_latency_delays_every_answer(sandbox: Sandbox) -> None:
    sandbox.set_faults(latency_ms=100)
    started_s = time.monotonic()

    sandbox.send()

    assert time.monotonic() - started_s >= 0.1


def test_a_client_that_leaves_early_is_accepted_all_the_same(sandbox: Sandbox) -> None:
    sandbox.set_faults(latency_ms=200)
    with pytest.raises(requests.ReadTimeout):
        sandbox.cpsms("POST", "send", json={"to": "4520304050", "message": "a", "from": "b"}, timeout=0.05)

    deadline = time.monotonic() + 5
    while not sandbox.stats()["accepted"] and time.monotonic() < deadline:
        pass
    assert sandbox.stats()["accepted"] == 1


def test_half_a_request_is_no_request(sandbox: Sandbox) -> None:
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=5) as client:
        client.sendall(b"POST /cpsms/v2/send HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    sandbox.send()
    assert sandbox.stats()["requests"] == 1


@pytest.mark.parametrize(
    ("unit", "message", "recipients", "statuses"),
    [
        ("requests", "a" * 300, 2, [200, 200, 200, 200, 429]),
        ("messages", "a" * 300, 2, [200, 200, 429]),
        ("parts", "a" * 300, 2, [200, 429]),
    ],
)
def test_a_rate_refuses_what_is_above_it_in_the_unit_that_is_counted(
    sandbox: Sandbox, unit: str, message: str, recipients: int, statuses: list[int]
) -> None:
    sandbox.set_faults(rate="4/min", unit=unit)
    numbers = [f"452030405{number}" for number in range(recipients)]

    answers = [sandbox.send(numbers, message=message) for _ in statuses]

    assert [answer.status_code for answer in answers] == statuses
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert sandbox.stats()["violations"] == 1
    assert sandbox.stats()["accepted"] == recipients * (len(statuses) - 1)


@pytest.mark.parametrize(
    ("faults", "auth"),
    [({}, "acme"), ({"refuse_429": 1}, "acme"), ({"error_500_before": 1}, "acme"), ({}, "bad")],
)
def test_messages_have_arrived_whatever_becomes_of_them(
    sandbox: Sandbox, faults: dict[str, int], auth: str
) -> None:
    sandbox.set_faults(**faults)
    fields = {"to": ["4520304050", "45x"], "message": "Hello", "from": "ACME"}

    sandbox.cpsms("POST", "send", json=fields, auth=(auth, "key"))
    sandbox.cpsms("POST", "send", data="no JSON")
    sandbox.cpsms("GET", "creditvalue")

    assert sandbox.stats()["arrived"] == 2


def test_requests_at_the_same_time_are_counted(sandbox: Sandbox) -> None:
    sandbox.set_faults(latency_ms=300)
    url = f"{sandbox.url}/cpsms/v2/send"
    body = {"to": "4520304050", "message": "a", "from": "b"}
    clients = [
        threading.Thread(target=requests.post, args=(url,), kwargs={"json": body, "timeout": 5})
        for _ in "abc"
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()

    assert sandbox.stats()["at_once_most"] == 3
