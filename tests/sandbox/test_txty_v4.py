import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET

import pytest
import requests

from tests.sandbox.running import Sandbox
from tests.sandbox.test_receipts import Receiver
from tests.sandbox.txty_client import TxtyV4, receiving

DOCUMENTED = "This text is on the way to you!"


@pytest.fixture
def txty(sandbox: Sandbox) -> TxtyV4:
    return TxtyV4(sandbox)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_the_documented_example_has_the_documented_answer(txty: TxtyV4) -> None:
    txty.set(has_dialcode=False)
    example = "msisdn=4512345678&sender=You&text=This+text+is+on+the+way+to+you%21"

    answer = txty.call("GET", f"sms/api.json?{example}&user=username&key=key")

    assert answer.status_code == 200
    document = answer.json()
    assert document["sms"].pop("smsid") > 0
    assert document == {
        "status": "success",
        "success": "SMS_SENT",
        "sms": {"cost": 0.2, "chars-count": 31, "msg-count": 1},
    }
    (line,) = txty.sandbox.accepted()
    assert (line["msisdn"], line["text"], line["sender"]) == ("+4512345678", DOCUMENTED, "You")


def test_the_documented_error_is_answered_without_a_recipient(txty: TxtyV4) -> None:
    answer = txty.send(msisdn="")

    assert answer.status_code == 200
    assert answer.json() == {"status": "error", "error": "EMPTY_RECIPIENT", "sms": {"msisdn": None}}
    assert (txty.stats()["accepted"], txty.stats()["refused"]) == (0, 1)


def test_the_vendors_php_class_is_served(txty: TxtyV4) -> None:
    form = "user=user&key=key&msisdn=4512345678&sender=TestClass&text=Test+class+text&flash=1&silent=0"
    head = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "Txty Class version 1.0"}

    document = txty.call("POST", "sms/api.json", data=form, headers=head).json()

    assert document["status"] == "success"
    assert (document["sms"]["dialcode"], document["sms"]["chars-count"]) == (45, 15)
    assert txty.outbox()[0]["flash"] is True


def test_the_vendors_own_path_may_stand_before_the_resource(txty: TxtyV4) -> None:
    form = {"user": "u", "key": "k", "msisdn": "4512345678", "sender": "A", "text": "b"}

    assert txty.call("POST", "api/4/sms/api.json", data=form).json()["status"] == "success"


@pytest.mark.parametrize(
    ("value", "is_flash"), [("true", True), ("1", True), ("false", False), ("0", False), ("", False)]
)
def test_a_switch_is_on_by_the_word_or_as_php_writes_it(txty: TxtyV4, value: str, *, is_flash: bool) -> None:
    txty.send(flash=value)

    assert txty.outbox()[0]["flash"] is is_flash


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"msisdn": "45123"}, "MSISDN_INVALID"),
        ({"msisdn": "45x"}, "MSISDN_ALPHA"),
        ({"msisdn": "4599990001"}, "MSISDN_INVALID"),
        ({"msisdn": "4599990003"}, "CANNOT_AFFORD"),
        ({"sender": ""}, "SENDER_EMPTY"),
        ({"sender": "A B"}, "SENDER_INVALID"),
        ({"sender": "TwelveLetter"}, "SENDER_LONG"),
        ({"sender": "1" * 16}, "SENDER_LONG"),
        ({"text": ""}, "TEXT_EMPTY"),
        ({"text": "a" * 1531}, "TEXT_LONG"),
        ({"schedule": "tomorrow"}, "SCHEDULED_INVALID"),
    ],
)
def test_undocumented_refusals_are_called_as_in_v6_or_otherwise(
    txty: TxtyV4, fields: dict[str, str], code: str
) -> None:
    first = txty.send(**fields).json()
    txty.set(refusals="plain")
    second = txty.send(**fields).json()

    assert (first["status"], first["error"]) == ("error", code)
    assert second["error"] == ("EMPTY_RECIPIENT" if code.startswith("MSISDN") else "REFUSED")
    assert txty.stats()["accepted"] == 0


@pytest.mark.parametrize("login", [{"user": "bad"}, {"user": ""}, {"key": ""}])
def test_a_wrong_login_is_echoed(txty: TxtyV4, login: dict[str, str]) -> None:
    document = txty.send(**login).json()

    assert (document["status"], document["error"]) == ("error", "USER_NOT_FOUND")
    assert set(document["login"]) == {"user", "key"}


def test_errors_can_have_a_status_of_their_own(txty: TxtyV4) -> None:
    txty.set(error_status=400)

    assert txty.send(msisdn="").status_code == 400


def test_no_fault_after_accepting_follows_a_refusal(txty: TxtyV4) -> None:
    txty.set(reset_after=1)

    assert txty.send(msisdn="").json()["error"] == "EMPTY_RECIPIENT"
    with pytest.raises(requests.ConnectionError):
        txty.send()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "sms"),
        ("POST", "sms/api.csv"),
        ("PUT", "sms/api.json"),
        ("GET", ""),
        ("GET", "view/nothing/api.json?user=a&key=b"),
    ],
)
def test_what_is_not_there_is_a_404(txty: TxtyV4, method: str, path: str) -> None:
    answer = txty.call(method, path)

    assert (answer.status_code, answer.json()["error"]) == (404, "NOT_FOUND")


def test_the_suffix_chooses_xml(txty: TxtyV4) -> None:
    fields = {"user": "a", "key": "b", "msisdn": "4512345678", "sender": "A", "text": "<&>\x01\u2603"}
    sent = ET.fromstring(txty.call("POST", "sms/api.xml", data=fields).content)  # noqa: S314 - our own simulator's
    shown = ET.fromstring(txty.call("POST", "view/outbox/api.xml", data=fields).content)  # noqa: S314 - as above
    refused = ET.fromstring(txty.call("POST", "sms/api.xml", data=fields | {"msisdn": ""}).content)  # noqa: S314 - as above

    assert (sent.findtext("status"), sent.findtext("sms/cost")) == ("success", "0.2")
    assert (shown.findtext("outbox/item/text"), shown.findtext("outbox/item/flash")) == ("<&>\u2603", "false")
    assert (refused.findtext("error"), refused.findtext("sms/msisdn")) == ("EMPTY_RECIPIENT", "")


# --- keys


def test_a_key_is_given_for_a_password(txty: TxtyV4) -> None:
    document = txty.call(
        "GET", "user/newapikey/login.json?user=username&pass=password&description=YourAPP"
    ).json()

    assert (document["status"], document["success"]) == ("success", "ADDED_KEY")
    assert len(document["newapikey"]["key"]) == 10
    assert txty.call("GET", "user/deleteapikey/login.json?user=username&key=key&apikey=key").json() == {
        "status": "success",
        "success": "DELETE_APIKEY",
    }


def test_a_second_factor_is_asked_for(txty: TxtyV4) -> None:
    txty.set(two_factor=True)
    path = "user/newapikey/login.json?user=username&pass=password&description=YourAPP"

    assert txty.call("GET", path).json() == {"status": "success", "success": "ADDED_TF"}
    assert txty.call("GET", f"{path}&tfkey=1234").json()["success"] == "ADDED_KEY"
    assert txty.call("GET", f"{path}&tfkey=0000").json() == {
        "status": "error",
        "error": "USER_NOT_FOUND",
        "login": {"user": "username", "pass": "password"},
    }


# --- the account


def test_prices_and_credit_are_shown(txty: TxtyV4) -> None:
    txty.set(credit=95.96)
    txty.send()

    shown = txty.do("view/yourprices")

    assert (shown["status"], shown["success"]) == ("success", "VIEW_YOURPRICES")
    prices = shown["yourprices"]
    assert prices["prices"][0] == {"country": "Denmark", "dialcode": 45, "price": {"sms": 0.2, "hlr": 0.08}}
    assert prices["prices"][-1] == {
        "country": "Other countries",
        "dialcode": 0,
        "price": {"sms": 0.6, "hlr": 0.08},
    }
    assert prices["credit"]["balance"] == 95.76
    assert abs(prices["credit"]["timestamp"] - time.time()) < 10


def test_credit_is_used_up_by_parts(txty: TxtyV4) -> None:
    txty.set(credit=0.5)

    assert txty.send(text="a" * 161).json()["sms"]["cost"] == 0.4
    assert txty.send().json()["error"] == "CANNOT_AFFORD"


def test_the_user_and_an_empty_inbox_are_shown(txty: TxtyV4) -> None:
    assert txty.do("view/user")["user"]["username"] == "acme"
    assert txty.do("view/inbox") == {"status": "success", "success": "VIEW_INBOX", "inbox": []}


def test_a_network_is_looked_up(txty: TxtyV4) -> None:
    assert txty.do("hlr", msisdn="4512345678")["hlr"]["stat"] == "DELIVRD"
    assert txty.do("hlr") == {"status": "error", "error": "EMPTY_RECIPIENT", "hlr": {"msisdn": None}}
    assert txty.stats()["accepted"] == 0


# --- outbox


def test_the_outbox_has_the_documented_rows(txty: TxtyV4) -> None:
    txty.set(dlr_delay_ms=0)
    txty.send(wappush="http://a.example")

    (row,) = txty.outbox()

    assert abs(row.pop("sent") - time.time()) < 10
    assert abs(row.pop("received") - time.time()) < 10
    assert row == {
        "smsid": 918001,
        "controluser": 0,
        "username": "acme",
        "msisdn": 4520304050,
        "dialcode": 45,
        "number": 20304050,
        "sender": "ACME",
        "scheduled": 0,
        "price": 0.2,
        "failed": False,
        "error": 0,
        "premium": 0,
        "flash": False,
        "wappush": "http://a.example",
        "text": "Hello",
        "networkcode": None,
        "msg-count": 1,
        "premium-out": 0,
        "latency": 0,
        "errortext": None,
    }


@pytest.mark.parametrize(
    ("knobs", "shown"),
    [
        ({"dlr_outcome": "failed"}, (True, 22, "Message terminated.")),
        ({"dlr_outcome": "failed", "failed_status": 13}, (True, 13, "Message terminated.")),
        ({"dlr_outcome": "abandoned"}, (True, 99, "Message terminated.")),
        ({"dlr_outcome": "buffered"}, (False, 0, None)),
        ({"dlr_outcome": "none"}, (False, 0, None)),
    ],
)
def test_the_outbox_says_what_became_of_a_message(
    txty: TxtyV4, knobs: dict[str, Any], shown: tuple[bool, int, str | None]
) -> None:
    txty.set(dlr_delay_ms=0, **knobs)
    txty.send()

    (row,) = txty.outbox()

    assert (row["failed"], row["error"], row["errortext"]) == shown
    assert row["received"] == 0


@pytest.mark.parametrize(
    ("knobs", "search", "found"),
    [
        ({}, "", ["Bye", "Hello"]),
        ({}, "4520304050", ["Hello"]),
        ({}, "hell", ["Hello"]),
        ({}, "acme", ["Bye", "Hello"]),
        ({}, "918002", ["Bye"]),
        ({"search_in": "number"}, "hell", []),
        ({"search_in": "number"}, "467", ["Bye"]),
        ({"search_in": "text"}, "4520304050", []),
        ({"outbox_rows": 1}, "", ["Bye"]),
    ],
)
def test_the_outbox_is_searched_newest_first(
    txty: TxtyV4, knobs: dict[str, Any], search: str, found: list[str]
) -> None:
    txty.set(**knobs)
    txty.send(text="Hello")
    txty.send(text="Bye", msisdn="46701234567")

    assert [row["text"] for row in txty.outbox(search=search)] == found


def test_a_message_that_was_given_a_time_is_not_sent_before(txty: TxtyV4) -> None:
    leaves_s = int(time.time()) + 3600
    txty.send(schedule=leaves_s)
    left = txty.outbox()
    txty.set(scheduled_sent="asked")
    asked = txty.outbox()

    assert [(row["scheduled"], row["sent"], row["received"]) for row in left] == [(leaves_s, 0, 0)]
    assert abs(asked[0]["sent"] - time.time()) < 10


def test_times_can_count_from_danish_local_time(txty: TxtyV4) -> None:
    txty.set(clock="copenhagen")
    txty.send()

    (row,) = txty.outbox()

    assert round((row["sent"] - time.time()) / 3600) in {1, 2}


def test_a_time_that_has_passed_means_now_or_is_refused(txty: TxtyV4) -> None:
    assert txty.send(schedule=1000).json()["status"] == "success"
    txty.set(refuse_past=True)
    assert txty.send(schedule=1000).json()["error"] == "SCHEDULED_INVALID"


def test_an_ending_can_keep_a_message_out_of_the_outbox_or_its_acceptance_out_of_the_answer(
    txty: TxtyV4,
) -> None:
    assert txty.send(msisdn="4599990021").json()["status"] == "success"
    assert txty.send(msisdn="4599990020").status_code == 500

    assert [row["msisdn"] for row in txty.outbox()] == [4599990020]
    assert txty.stats()["accepted"] == 2


# --- callbacks


def test_a_callback_has_the_documented_parameters(txty: TxtyV4, receiver: Receiver) -> None:
    txty.set(dlr_delay_ms=0)
    smsid = txty.send(callback=f"{receiver.url}?a=b").json()["sms"]["smsid"]

    method, _, path = receiver.seen.get(timeout=5).partition(" ")

    given = dict(parse_qsl(urlsplit(path).query))
    assert method == "GET"
    assert all(abs(int(given.pop(name)) - time.time()) < 10 for name in ("timestamp", "delivered"))
    assert given == {
        "a": "b",
        "msisdn": "4520304050",
        "dialcode": "45",
        "number": "20304050",
        "status": "150",
        "smsid": str(smsid),
    }


def test_the_accounts_callback_is_called_as_well(txty: TxtyV4, receiver: Receiver) -> None:
    txty.set(dlr_delay_ms=0, dlr_outcome="failed", account_callback=f"{receiver.url}/account")
    txty.send(callback=receiver.url)

    seen = [receiver.seen.get(timeout=5) for _ in range(2)]

    assert {urlsplit(line).path.rpartition("/")[2] for line in seen} == {"secret", "account"}
    assert all("status=22&" in line and "delivered=0&" in line for line in seen)


def test_a_callback_is_repeated_until_it_is_taken_and_not_for_ever(txty: TxtyV4) -> None:
    txty.set(dlr_delay_ms=0, dlr_retry_ms=0, dlr_attempts=3)
    txty.send(callback="http://127.0.0.1:9/")

    deadline = time.monotonic() + 5
    while txty.stats()["receipts"]["failed"] < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert txty.stats()["receipts"] == {"pushed": 0, "failed": 3, "ignored": 0}


def test_callbacks_are_never_tried_more_than_25_times(txty: TxtyV4) -> None:
    faults = txty.sandbox.session.get(f"{txty.sandbox.url}/_sandbox/faults", timeout=5).json()["txty_v4"]

    assert (faults["dlr_attempts"], faults["dlr_retry_ms"]) == (25, 3_600_000)
    with pytest.raises(AssertionError, match="dlr_attempts"):
        txty.set(dlr_attempts=26)


def test_a_callback_to_another_machine_is_ignored_and_counted(txty: TxtyV4) -> None:
    assert txty.send(callback="http://192.0.2.1/dlr").json()["status"] == "success"
    assert txty.stats()["receipts"] == {"pushed": 0, "failed": 0, "ignored": 1}
