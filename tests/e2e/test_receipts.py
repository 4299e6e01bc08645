"""`bulksend receipts`: what gateways push, from the simulator to the counts of a campaign."""

import json
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from urllib.parse import urlsplit

import pytest
import requests

from tests.e2e.place import DEADLINE_S, Place, Started
from tests.e2e.warm import Warm
from tests.sandbox.running import Sandbox
from worker.waiting import within

ORDER = ("send", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme", "--yes")


@pytest.fixture
def reached(place: Place, free_port: int) -> Place:
    """Give a place that its gateway can reach."""
    settings = place.folder / "bulksend.toml"
    place.write("bulksend.toml", settings.read_text() + receipts_at(free_port))
    return place


def receipts_at(port: int) -> str:
    return f'\n[receipts]\nlisten = "127.0.0.1:{port}"\npublic_url = "http://127.0.0.1:{port}/dlr"\n'


@contextmanager
def receiving(place: Place) -> Iterator[Started]:
    with place.started("receipts") as role:
        assert role.says("Running receipts"), role.said
        yield role


def address_of(place: Place, warm: Warm) -> str:
    (found,) = json.loads(warm.run(place, "receipts", "--addresses", "--json").out)
    assert (found["provider"], found["gateway"]) == ("acme", "cpsms")
    return str(found["address"])


def becomes(place: Place, counts: dict[str, int]) -> bool:
    return within(DEADLINE_S, lambda: place.counts() == counts, every_s=0.1)


@pytest.mark.parametrize(
    ("said", "state"), [("delivered", "delivered"), ("failed", "undelivered"), ("abandoned", "expired")]
)
def test_what_the_gateway_pushes_is_counted_and_shown(
    reached: Place, gateway: Sandbox, warm: Warm, said: str, state: str
) -> None:
    gateway.set_faults(dlr_delay_ms=0, dlr_outcome=said)
    reached.write_numbers("members.csv", 5)

    with receiving(reached) as role:
        reached.run(*ORDER, "--wait", code=None)
        is_told = becomes(reached, {state: 5})
        role.signal(signal.SIGTERM)
        code = role.wait()

    shown = warm.run(reached, "campaign", "show", "1", "--json").json
    message = warm.run(reached, "message", "show", "1", "--json").json
    assert is_told, role.said
    assert code == 0
    assert shown["counts"][state] == 5
    assert [report["state"] for report in message["reports"]] == [state]
    assert message["billed_parts"] == 1  # the answer is written though the report was quicker
    assert "20000001" not in role.said
    assert warm.run(reached, "doctor").code == 0


def test_a_request_whose_answer_was_lost_is_settled_by_its_reports(reached: Place, gateway: Sandbox) -> None:
    gateway.set_faults(error_500_after=True, dlr_delay_ms=2000)
    reached.write_numbers("members.csv", 3)

    with receiving(reached) as role:
        reached.run(*ORDER, "--wait", code=None)
        is_told = becomes(reached, {"delivered": 3})

    assert is_told, role.said


def test_what_a_killed_service_has_kept_is_read_by_the_next(reached: Place, gateway: Sandbox) -> None:
    gateway.set_faults(dlr_outcome="none")
    reached.write_numbers("members.csv", 1)
    reached.run(*ORDER, "--wait")
    with closing(sqlite3.connect(reached.folder / "bulksend.db")) as ledger, ledger:
        ledger.execute(
            "INSERT INTO pushed_reports (provider, reference, received_at, method, query, content_type, body,"
            " due_at) SELECT 'acme', reference, 0, 'GET', 'status=1&receiver=4520000000', '', x'', 0"
            " FROM submissions"
        )

    with receiving(reached) as role:
        is_told = becomes(reached, {"delivered": 1})

    assert is_told, role.said


def test_nobody_else_is_told_anything_and_nothing_of_a_call_is_logged(reached: Place, warm: Warm) -> None:
    address = address_of(reached, warm)
    token = address.rpartition("/")[2]
    wrong = address[:-1] + ("0" if address[-1] != "0" else "1")

    with receiving(reached) as role, requests.Session() as session:
        session.trust_env = False
        answers = [
            session.request(method, url, timeout=5).status_code
            for method, url in [
                ("GET", f"{address}?status=1&receiver=4520304050"),
                ("POST", f"{address}/{'a' * 20}?status=1&receiver=4520304050"),
                ("GET", f"{wrong}?status=1&receiver=4520304050"),
                ("GET", f"{address}/nothing"),
                ("PUT", address),
                ("PUT", wrong),
                ("GET", f"{address}?{'a' * 5000}"),
            ]
        ]
        too_long = session.post(address, data=b"a" * 20_000, timeout=5).status_code
        with socket.create_connection(("127.0.0.1", urlsplit(address).port), 5) as stranger:
            stranger.sendall(b"\0\r\n\r\n")
            assert stranger.recv(100).startswith(b"HTTP/1.1 400")

    assert answers == [200, 200, 404, 404, 405, 404, 414]
    assert too_long == 413
    for word in (token, "20304050", "receiver", "HTTP"):
        assert word not in role.said


def test_who_sends_nothing_is_not_waited_for_and_keeps_nobody_out(reached: Place, warm: Warm) -> None:
    address = address_of(reached, warm)
    port = urlsplit(address).port

    with receiving(reached), ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 6)) for _ in range(600)]
        status = stack.enter_context(requests.Session()).get(f"{address}?status=1", timeout=5).status_code
        last = idle[-1].recv(1)  # it has waited for 5 s at most, or more than 6

    assert (status, last) == (200, b"")


def test_without_a_public_address_it_says_what_to_write(place: Place, warm: Warm) -> None:
    done = warm.run(place, "receipts")

    assert done.code == 2
    assert "receipts.public_url is missing" in done.err


def test_the_addresses_are_shown_to_a_person_and_stay(reached: Place, warm: Warm) -> None:
    address = address_of(reached, warm)

    done = warm.run(reached, "receipts", "--addresses")

    assert done.out == f"acme  {address}\n"
    assert len(address.rpartition("/")[2]) == 32


def test_up_takes_reports_too(reached: Place, gateway: Sandbox) -> None:
    gateway.set_faults(dlr_delay_ms=0)
    reached.write_numbers("members.csv", 2)

    with reached.started("up", "--no-flower") as station:
        assert station.says("Running")
        reached.run(*ORDER)
        is_told = becomes(reached, {"delivered": 2})
        station.signal(signal.SIGTERM)
        code = station.wait()

    assert is_told, station.said
    assert code == 0
