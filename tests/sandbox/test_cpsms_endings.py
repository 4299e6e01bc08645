import time

import pytest

from tests.sandbox.running import Sandbox
from tests.sandbox.test_receipts import Receiver, receiver

__all__ = ["receiver"]  # the fixture


@pytest.mark.parametrize(("number", "code"), [("4599990001", 400), ("4599990002", 400), ("4599990003", 402)])
def test_a_number_that_chooses_to_be_refused_is_refused_alone(
    sandbox: Sandbox, number: str, code: int
) -> None:
    answer = sandbox.send(["4520304050", number])

    assert answer.status_code == 207
    assert [item["to"] for item in answer.json()["success"]] == ["4520304050"]
    assert [(item["to"], item["code"]) for item in answer.json()["error"]] == [(number, code)]


@pytest.mark.parametrize(("number", "status"), [("4599990001", 400), ("4599990003", 402)])
def test_a_single_number_that_is_refused_gives_the_request_its_code(
    sandbox: Sandbox, number: str, status: int
) -> None:
    answer = sandbox.send(number)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, status)
    assert sandbox.stats()["accepted"] == 0


def test_a_number_can_be_accepted_without_being_named(sandbox: Sandbox) -> None:
    answer = sandbox.send(["4599990020", "4520304050"])

    assert [item["to"] for item in answer.json()["success"]] == ["4520304050"]
    assert sandbox.stats()["accepted"] == 2


def test_a_number_can_be_accepted_and_forgotten(sandbox: Sandbox) -> None:
    sandbox.send(["4599990021", "4520304050"])

    assert [row["to"] for row in sandbox.cpsms("GET", "getlog").json()] == ["4520304050"]
    assert sandbox.stats()["accepted"] == 2


@pytest.mark.parametrize(
    ("number", "statuses"),
    [
        ("4599990010", [1]),
        ("4599990011", [2]),
        ("4599990012", [8]),
        ("4599990013", [4]),
        ("4599990015", [4, 1]),
        ("4599990017", [1, 1]),
        ("4599990018", [1, 4]),
        ("4599990019", [2, 1]),
    ],
)
def test_the_reports_are_those_of_the_ending(
    sandbox: Sandbox, receiver: Receiver, number: str, statuses: list[int]
) -> None:
    sandbox.set_faults(dlr_delay_ms=50)

    sandbox.send(number, dlr_url=receiver.url)

    seen = [receiver.seen.get(timeout=5) for _ in statuses]
    assert seen == [f"GET /dlr/secret?status={status}&receiver={number}" for status in statuses]


def test_the_log_tells_the_outcome_of_the_ending(sandbox: Sandbox) -> None:
    sandbox.set_faults(dlr_delay_ms=0)
    numbers = [f"45999900{digits}" for digits in (10, 11, 12, 13, 14, 16, 18)]
    sandbox.send(numbers)

    log = sandbox.cpsms("GET", "getlog").json()

    assert [row["dlrStatus"] for row in log] == [1, 2, 8, 4, 0, 0, 1]


def test_a_report_is_pushed_again_until_it_is_taken(sandbox: Sandbox, receiver: Receiver) -> None:
    sandbox.set_faults(dlr_delay_ms=0, dlr_attempts=5, dlr_retry_ms=20)
    receiver.refusals = 2

    sandbox.send(dlr_url=receiver.url)

    assert len({receiver.seen.get(timeout=5) for _ in range(3)}) == 1
    _wait_for(sandbox, "pushed", 1)
    assert sandbox.stats()["receipts"] == {"pushed": 1, "failed": 2, "ignored": 0}


def _wait_for(sandbox: Sandbox, count: str, times: int) -> None:
    deadline_s = time.monotonic() + 5
    while sandbox.stats()["receipts"][count] < times and time.monotonic() < deadline_s:
        pass


def test_a_report_is_given_up_after_its_attempts(sandbox: Sandbox, receiver: Receiver) -> None:
    sandbox.set_faults(dlr_delay_ms=0, dlr_attempts=2, dlr_retry_ms=0)
    receiver.refusals = 2
    sandbox.send("4520304051", dlr_url=receiver.url)
    given_up = [receiver.seen.get(timeout=5) for _ in range(2)]
    _wait_for(sandbox, "failed", 2)

    sandbox.send("4520304052", dlr_url=receiver.url)

    assert all(request.endswith("4520304051") for request in given_up)
    assert receiver.seen.get(timeout=5).endswith("4520304052")


def test_a_cancelled_message_never_stands_in_the_log(sandbox: Sandbox) -> None:
    sandbox.send(timestamp=int(time.time()) + 3600, reference="r1")
    sandbox.send("4520304051", reference="r1")

    assert sandbox.cpsms("DELETE", "deletesms/r1").status_code == 200
    assert [row["to"] for row in sandbox.cpsms("GET", "getlog").json()] == ["4520304051"]


def test_each_account_has_its_own_credit_and_gets_back_what_it_cancels(sandbox: Sandbox) -> None:
    sandbox.set_faults(credit=2, credits={"rich": 100}, credit_format="integer")
    later_s = int(time.time()) + 3600
    sandbox.send(["4520304050", "4520304051"], timestamp=later_s, reference="r1")

    credit = [
        sandbox.cpsms("GET", "creditvalue", auth=(user, "key")).json()["credit"] for user in ("acme", "rich")
    ]
    assert credit == ["0", "100"]
    assert sandbox.send().status_code == 402
    sandbox.cpsms("DELETE", "deletesms/r1")
    assert sandbox.cpsms("GET", "creditvalue").json() == {"credit": "2"}


def test_one_account_cannot_cancel_what_another_scheduled(sandbox: Sandbox) -> None:
    sandbox.send(reference="r1", timestamp=int(time.time()) + 3600)

    assert sandbox.cpsms("DELETE", "deletesms/r1", auth=("other", "key")).status_code == 409
