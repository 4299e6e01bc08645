import time
from collections.abc import Mapping
from typing import Any

import pytest

from tests.sandbox.running import Sandbox
from tests.sandbox.textmarketer_client import TO, Textmarketer, codes, fields, tree

LATER = "2099-01-15T08:00:00+00:00"


@pytest.fixture
def gateway(sandbox: Sandbox) -> Textmarketer:
    return Textmarketer(sandbox)


# --- sms


def test_an_accepted_message_is_answered_in_latin_1_with_a_doctype_and_written_down(
    gateway: Textmarketer,
) -> None:
    answer = gateway.send(custom="r1", message="Hello {you} \u00e0\u20ac")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=ISO-8859-1")
    assert answer.content.startswith(
        b'<?xml version="1.0" encoding="ISO-8859-1"?>\n<!DOCTYPE response PUBLIC\n'
    )
    assert f'"{gateway.url}/DTD/sms_post.dtd">' in answer.text
    assert fields(answer) == {
        "message_id": "7000001",
        "scheduled_id": "0",
        "credits_used": "1",
        "status": "SENT",
    }
    (line,) = gateway.sandbox.accepted()
    del line["time"]
    assert line == {
        "gateway": "textmarketer",
        "msisdn": f"+{TO}",
        "text": "Hello {you} \u00e0\u20ac",
        "sender": "ACME",
        "reference": "r1",
        "parts": 1,
    }


def test_several_numbers_have_one_id_and_a_sum_of_credits(gateway: Textmarketer) -> None:
    answer = gateway.send(f"{TO}, +4520304050,07700900124,", message="a" * 307)

    assert fields(answer)["credits_used"] == "9"
    numbers = [line["msisdn"] for line in gateway.sandbox.accepted()]
    assert numbers == [f"+{TO}", "+4520304050", "+447700900124"]
    assert {row["message_id"] for row in gateway.rows()} == {fields(answer)["message_id"]}


LOGIN = {"username": "acme", "password": "key"}
SMS = {"mobile_number": TO, "message": "H\u00e9 & co=1+1", "originator": "ACME", "custom": "", "email": ""}


@pytest.mark.parametrize(
    "given",
    [
        {"data": SMS, "auth": ("acme", "key")},
        {"data": LOGIN | SMS},
        {"params": LOGIN, "data": SMS},
        {"params": LOGIN | SMS},
        {"files": {name: (None, value) for name, value in (LOGIN | SMS).items()}},
    ],
    ids=["Basic", "form", "login in the query", "query", "multipart"],
)
def test_login_and_parameters_are_taken_from_everywhere(gateway: Textmarketer, given: dict[str, Any]) -> None:
    answer = gateway.call("POST", "sms", **({"auth": None} | given))

    assert answer.status_code == 200, answer.text
    assert gateway.sandbox.accepted()[0]["text"] == "H\u00e9 & co=1+1"


@pytest.mark.parametrize(
    "given",
    [
        {"auth": ("bad", "key")},
        {"auth": None},
        {"auth": None, "params": {"username": "a"}},
        {"auth": None, "headers": {"Authorization": "Basic \u00e6".encode("latin-1")}},
    ],
)
@pytest.mark.parametrize("status", [400, 403])
def test_a_wrong_login_is_refused(gateway: Textmarketer, given: dict[str, Any], status: int) -> None:
    gateway.set(login_status=status)

    for method, path in (("POST", "sms"), ("GET", "credits"), ("GET", "deliveryReport/all")):
        answer = gateway.call(method, path, **given)
        assert (answer.status_code, codes(answer)) == (status, ["1"])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"message": ""}, ["7"]),
        ({"message": "a" * 612}, []),
        ({"message": "a" * 613}, ["5"]),
        ({"message": "\u20ac" * 304}, []),
        ({"message": "\u20ac" * 305}, ["5"]),
        ({"message": "snow \u2603"}, ["8"]),
        ({"originator": ""}, ["4"]),
        ({"originator": "TwelveLetter"}, ["3"]),
        ({"originator": "Hello World"}, []),
        ({"originator": "T\u00f8mrer"}, ["3"]),
        ({"originator": "1" * 16}, []),
        ({"originator": "1" * 17}, ["3"]),
        ({"to": ""}, ["9"]),
        ({"to": "12345"}, ["9"]),
        ({"to": "1" * 16}, ["9"]),
        ({"to": "44x"}, ["10"]),
        ({"to": "", "mobile_number": f"{TO},{TO}"}, ["10"]),
        ({"validity": "1"}, []),
        ({"validity": "0"}, ["32"]),
        ({"validity": "73"}, ["32"]),
        ({"validity": "soon"}, ["32"]),
        ({"custom": "a" * 20}, []),
        ({"custom": "a" * 21}, ["33"]),
        ({"custom": "a-b"}, ["33"]),
        ({"email": "me"}, ["30"]),
        ({"email": "me@example.org"}, ["31"]),
        ({"email": "me@example.org", "originator": "447777123123"}, []),
        ({"schedule": "tomorrow"}, ["34"]),
        ({"schedule": "2027-13-01T00:00:00"}, ["34"]),
        ({"message": "", "originator": "", "to": "", "validity": "x"}, ["7", "4", "9", "32"]),
        ({"to": ",".join(str(number) for number in range(447700900000, 447700900501))}, ["9"]),
    ],
)
def test_the_limits_of_a_message(
    gateway: Textmarketer, changes: Mapping[str, str], expected: list[str]
) -> None:
    answer = gateway.send(**{"to": TO, **changes})

    assert (answer.status_code, codes(answer)) == (400 if expected else 200, expected)
    assert gateway.stats()["accepted"] == (not expected)


def test_the_older_codes_can_be_chosen(gateway: Textmarketer) -> None:
    gateway.set(high_codes=False)

    assert codes(gateway.send(validity="99", custom="-")) == ["11", "12"]


@pytest.mark.parametrize(
    ("knobs", "number", "code"),
    [
        ({"refuse_numbers": ["123"]}, TO, "9"),
        ({"international": False}, "4520304050", "0"),
        ({}, "447799990001", "9"),
        ({}, "447799990002", "13"),
        ({}, "447799990003", "6"),
    ],
)
def test_one_bad_number_refuses_the_request_or_is_left_out(
    gateway: Textmarketer, knobs: dict[str, Any], number: str, code: str
) -> None:
    gateway.set(**knobs)
    refused = gateway.send(f"447700900124,{number}")
    gateway.set(bad_number="skip")
    skipped = gateway.send(f"447700900124,{number}")

    assert (refused.status_code, codes(refused)) == (400, [code])
    assert skipped.status_code == (400 if code == "6" else 200)
    assert gateway.stats()["accepted"] == (code != "6")
    assert codes(gateway.send(number)) == [code]


def test_the_stop_group_is_checked_when_that_is_asked_for(gateway: Textmarketer) -> None:
    gateway.call("POST", "group/STOP", data={"numbers": TO})

    assert gateway.send().status_code == 200
    assert codes(gateway.send(check_stop="true")) == ["13"]
    assert codes(gateway.send(checkSTOP="1")) == ["13"]
    assert gateway.send(check_stop="false").status_code == 200


def test_credits_are_used_by_parts_and_run_out(gateway: Textmarketer) -> None:
    gateway.set(credit=5)

    assert gateway.send(message="a" * 161).status_code == 200
    assert gateway.credits() == 3
    assert codes(gateway.send(f"{TO},447700900124", message="a" * 161)) == ["6"]
    gateway.send(message="a" * 307)
    assert codes(gateway.send()) == ["2"]


def test_an_accepted_message_that_the_answer_leaves_out_is_a_fault(gateway: Textmarketer) -> None:
    answer = gateway.send("447799990020")

    assert (answer.status_code, gateway.stats()["accepted"]) == (500, 1)


# --- schedule


@pytest.mark.parametrize(
    "schedule",
    [
        LATER,
        "2099-01-15T08:00:00Z",
        "2099-01-15T08:00:00UTC",
        "2099-01-15 08:00",
        "2099-01-15T08:00:00 00:00",
    ],
)
def test_a_scheduled_message_can_be_deleted_once(gateway: Textmarketer, schedule: str) -> None:
    gateway.set(credit=10)
    answer = fields(gateway.send(f"{TO},447700900124", schedule=schedule))
    deleted = [gateway.call("DELETE", f"sms/{answer['scheduled_id']}") for _ in range(2)]

    assert answer == {"message_id": "0", "scheduled_id": "101", "credits_used": "2", "status": "SCHEDULED"}
    assert fields(deleted[0]) == {"scheduled_id": "101", "status": "DELETED"}
    assert codes(deleted[1]) == ["36"]
    assert (gateway.credits(), gateway.stats()["cancelled"], gateway.rows()) == (10, 2, [])


def test_a_time_that_is_past_sends_at_once(gateway: Textmarketer) -> None:
    answer = fields(gateway.send(schedule="2020-01-15T08:00:00+01:00"))

    assert (answer["status"], answer["scheduled_id"]) == ("SENT", "0")


@pytest.mark.parametrize(("path", "code"), [("sms/x", "35"), ("sms", "35"), ("sms/7", "36")])
def test_what_is_not_scheduled_cannot_be_deleted(gateway: Textmarketer, path: str, code: str) -> None:
    assert codes(gateway.call("DELETE", path)) == [code]


def test_a_scheduled_message_of_another_cannot_be_deleted(gateway: Textmarketer) -> None:
    ident = fields(gateway.send(schedule=LATER))["scheduled_id"]

    assert codes(gateway.call("DELETE", f"sms/{ident}", auth=("other", "key"))) == ["36"]


# --- delivery reports


@pytest.mark.parametrize(
    ("knobs", "number", "status"),
    [
        ({"dlr_delay_ms": 0}, TO, "DELIVERED"),
        ({}, TO, "PENDING"),
        ({"dlr_delay_ms": 0, "dlr_outcome": "failed"}, TO, "FAILED"),
        ({"dlr_delay_ms": 0, "dlr_outcome": "failed", "failed_status": "REJECTED"}, TO, "REJECTED"),
        ({"dlr_delay_ms": 0, "dlr_outcome": "none"}, TO, "PENDING"),
        ({"dlr_delay_ms": 0, "non_uk": True}, "4520304050", "NON-UK"),
        ({"dlr_delay_ms": 0, "non_uk": True}, TO, "DELIVERED"),
        ({"dlr_delay_ms": 0}, "447799990013", "PENDING"),
    ],
)
def test_a_row_says_what_became_of_a_message(
    gateway: Textmarketer, knobs: dict[str, Any], number: str, status: str
) -> None:
    gateway.set(**knobs)
    gateway.send(number, custom="tag1")

    (row,) = gateway.rows("all/custom/tag1")
    assert row.pop("last_updated")
    assert row == {"mobile_number": number, "message_id": "7000001", "status": status, "custom": "tag1"}


def test_a_tag_finds_its_own_rows_and_every_row_has_the_attribute(gateway: Textmarketer) -> None:
    for to, custom in ((TO, "tag1"), ("447700900124", "tag2"), ("447700900125", "")):
        gateway.send(to, custom=custom)

    assert [row["mobile_number"] for row in gateway.rows("all/custom/tag2")] == ["447700900124"]
    assert [row["custom"] for row in gateway.rows()] == ["tag1", "tag2", ""]
    assert gateway.rows("all/custom/tag") == []


def test_reports_are_listed_and_found_by_the_name_of_their_day(gateway: Textmarketer) -> None:
    gateway.send()
    listed = tree(gateway.call("GET", "deliveryReports"))

    (report,) = listed.iterfind("reports/report")
    assert listed.findtext("userdirectory") == "acme"
    assert report.attrib["name"] == f"GatewayAPI_{time.strftime('%d-%m-%y', time.gmtime())}"
    assert report.attrib["extension"] == "csv"
    assert len(gateway.rows(report.attrib["name"])) == 1
    assert gateway.call("GET", "deliveryReport/GatewayAPI_01-01-09").status_code == 404


def test_an_account_sees_only_its_own(gateway: Textmarketer) -> None:
    gateway.send()

    answer = gateway.call("GET", "deliveryReports", auth=("other", "key"))
    assert tree(answer).find("reports").attrib == {"quantity": "0"}  # type: ignore[union-attr]  # it is there
    assert gateway.call("GET", "deliveryReport/all", auth=("other", "key")).status_code == 404


@pytest.mark.parametrize(
    ("times", "n"),
    [
        ("2020-01-01T00:00:00+00:00/2099-01-01T00:00:00+00:00", 1),
        ("2020-01-01T00:00:00GMT/2099-01-01T00:00:00GMT", 1),
        ("2020-01-01T00%3A00%3A00%2B01%3A00/2099-01-01T00%3A00%3A00%2B01%3A00", 1),
        ("2020-01-01T00:00:00+00:00/2021-01-01T00:00:00+00:00", 0),
        ("2098-01-01T00:00:00+00:00/2099-01-01T00:00:00+00:00", 0),
    ],
)
def test_reports_can_be_restricted_to_a_span_of_time(gateway: Textmarketer, times: str, n: int) -> None:
    gateway.send(custom="tag1")

    assert [len(gateway.rows(f"{path}/{times}")) for path in ("all", "all/custom/tag1")] == [n, n]


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        ("all/custom/a-b", 400, ["0"]),
        (f"all/custom/{'a' * 21}", 400, ["1"]),
        ("all/yesterday/2026-01-01T00:00:00+00:00", 400, ["2"]),
        ("all/2026-01-01T00:00:00+00:00/today", 400, ["2"]),
        ("all/2026-01-01T00:00:00+00:00", 404, ["404"]),
        ("all/custom", 404, ["404"]),
        ("nobody", 404, ["404"]),
    ],
)
def test_a_report_that_cannot_be_asked_for(
    gateway: Textmarketer, path: str, status: int, expected: list[str]
) -> None:
    answer = gateway.call("GET", f"deliveryReport/{path}")

    assert (answer.status_code, codes(answer)) == (status, expected)


def test_rows_can_come_late_and_a_report_without_any_can_be_empty(gateway: Textmarketer) -> None:
    gateway.set(report_delay_ms=60_000, no_rows=200)
    gateway.send()

    answer = gateway.call("GET", "deliveryReport/all")
    assert (answer.status_code, list(tree(answer))) == (200, [])
    assert gateway.send("447799990021").status_code == 200


def test_a_message_that_chooses_so_is_never_known_again(gateway: Textmarketer) -> None:
    gateway.send("447799990021,447799990010")

    assert [row["mobile_number"] for row in gateway.rows()] == ["447799990010"]


# --- the ways of the gateway


def test_only_reading_is_limited_and_says_so_in_words(gateway: Textmarketer) -> None:
    gateway.set(read_limit=2, plain_errors=True)

    answers = [gateway.call("GET", "credits") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 503]
    assert answers[2].text == "Your 3 requests exceed the maximum of 2 requests within 15 minute(s)."
    assert gateway.send().status_code == 200
    assert gateway.call("GET", "credits", auth=("other", "key")).status_code == 200
    assert gateway.stats()["violations"] == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "sms", 405),
        ("PUT", "sms", 405),
        ("POST", "sms/7", 404),
        ("POST", "deliveryReports", 405),
        ("DELETE", "credits", 405),
        ("GET", "Credits", 404),
        ("GET", "", 404),
        ("GET", "nothing", 404),
        ("GET", "credits/", 404),
        ("POST", "sms/", 404),
    ],
)
def test_what_is_not_there(gateway: Textmarketer, method: str, path: str, status: int) -> None:
    answer = gateway.call(method, path)

    assert (answer.status_code, codes(answer)) == (status, [str(status)])


def test_a_slash_at_the_end_can_be_allowed(gateway: Textmarketer) -> None:
    gateway.set(trailing_slash=True)

    assert gateway.call("GET", "credits/").status_code == 200
    assert gateway.call("POST", "sms/", data=SMS).status_code == 200


@pytest.mark.parametrize(
    "name", ["sms_post", "sms_delete", "credits_get", "deliveryReports_get", "deliveryReport_get", "errors"]
)
def test_dtds_are_served_without_a_login(gateway: Textmarketer, name: str) -> None:
    answers = [gateway.call("GET", f"DTD/{each}.dtd", auth=None) for each in (name, name.lower())]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].text.startswith("<!ELEMENT response ANY>\n")
    assert gateway.call("GET", "DTD/other.dtd").status_code == 404


def test_the_doctype_can_be_chosen(gateway: Textmarketer) -> None:
    gateway.set(dtd="http://dtd.example/1.6", owner="textmarketer.biz")
    named = gateway.send().text
    gateway.set(dtd="")

    assert (
        '"-//textmarketer.biz//DTD Web Services REST 1.6//EN"\n"http://dtd.example/1.6/sms_post.dtd">'
        in named
    )
    assert "DOCTYPE" not in gateway.send().text


def test_common_faults_befall_sends(gateway: Textmarketer) -> None:
    gateway.set(error_500_after=1, refuse_429=1, retry_after_s=7)
    throttled, failed = gateway.send(), gateway.send()

    assert (throttled.status_code, throttled.headers["retry-after"]) == (429, "7")
    assert (failed.status_code, codes(failed)) == (500, ["500"])
    assert gateway.stats()["accepted"] == 1
