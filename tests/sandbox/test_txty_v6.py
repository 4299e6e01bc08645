import uuid
from typing import Any

import pytest
import requests

from tests.sandbox.running import Sandbox
from tests.sandbox.txty_client import TO, TxtyV6


@pytest.fixture
def txty(sandbox: Sandbox) -> TxtyV6:
    return TxtyV6(sandbox)


def code_of(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_the_answer_has_the_documented_shape(txty: TxtyV6) -> None:
    answer = txty.send(
        text="Hello there", custom_reference="job-17/3", settings_scheduled="2036-01-02T08:00:00Z"
    )

    assert answer.status_code == 200
    document = answer.json()
    assert uuid.UUID(document.pop("guid")).version == 4
    assert document == {
        "recipient": [{"msisdn": 4520304050, "dialcode": 45, "number": 20304050}],
        "message": [
            {
                "sender": "ACME",
                "price": 0.2,
                "characters": 11,
                "message_count": 1,
                "text": "Hello there",
                "reference": "job-17/3",
            }
        ],
        "settings": [
            {"premium": False, "flash": False, "silent": False, "scheduled_to": "2036-01-02T08:00:00Z"}
        ],
    }


def test_an_accepted_message_is_written_down(txty: TxtyV6) -> None:
    txty.send(text="Hej \u2603", custom_reference="r1")

    (line,) = txty.sandbox.accepted()
    line.pop("time")
    assert line == {
        "gateway": "txty_v6",
        "msisdn": "+4520304050",
        "text": "Hej \u2603",
        "sender": "ACME",
        "reference": "r1",
        "parts": 1,
    }


@pytest.mark.parametrize(("arrays", "shown"), [("null", None), ("empty", [])])
def test_arrays_may_be_null_or_empty(txty: TxtyV6, arrays: str, shown: object) -> None:
    txty.set(arrays=arrays)

    document = txty.send().json()

    assert (document["recipient"], document["message"], document["settings"]) == (shown, shown, shown)


@pytest.mark.parametrize(
    ("value", "shown"), [("true", True), ("1", True), ("True", True), ("false", False), ("0", False)]
)
def test_settings_are_told_in_words_or_digits(txty: TxtyV6, value: str, *, shown: bool) -> None:
    settings = {"settings_premium": value, "settings_flash": value, "settings_silent": value}
    (told,) = txty.send(**settings).json()["settings"]

    assert (told["premium"], told["flash"], told["silent"]) == (shown, shown, shown)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"msisdn": ""}, "MSISDN_EMPTY"),
        ({"msisdn": "45 20"}, "MSISDN_ALPHA"),
        ({"msisdn": "+4520304050"}, "MSISDN_ALPHA"),
        ({"msisdn": "1" * 16}, "MSISDN_LONG"),
        ({"msisdn": "0"}, "MSISDN_INVALID"),
        ({"msisdn": "0452030405"}, "MSISDN_INVALID"),  # a zero before what would be a number
        ({"msisdn": "45123"}, "MSISDN_INVALID"),
        ({"msisdn": "4599990001"}, "MSISDN_INVALID"),
        ({"msisdn": "4599990003"}, "CANNOT_AFFORD"),
        ({"sender": ""}, "SENDER_EMPTY"),
        ({"sender": "A B"}, "SENDER_INVALID"),
        ({"sender": "TwelveLetter"}, "SENDER_LONG"),
        ({"sender": "1" * 16}, "SENDER_LONG"),
        ({"text": ""}, "TEXT_EMPTY"),
        ({"text": "a" * 1531}, "TEXT_LONG"),
        ({"settings_scheduled": "tomorrow"}, "SCHEDULED_INVALID"),
        ({"settings_scheduled": "2036-01-02T08:00:00"}, "SCHEDULED_INVALID"),
        ({"settings_scheduled": "2036-13-02T08:00:00Z"}, "SCHEDULED_INVALID"),
        ({"settings_flash": "perhaps"}, "BAD_REQUEST"),
        ({"custom_reference": "r" * 65}, "REFERENCE_LONG"),
    ],
)
def test_every_parameter_is_checked(txty: TxtyV6, fields: dict[str, str], code: str) -> None:
    answer = txty.send(**fields)

    assert code_of(answer) == (400, code)
    assert answer.json()["message"]
    assert (txty.stats()["accepted"], txty.stats()["refused"]) == (0, 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"sender": "ElevenChars"},
        {"sender": "1" * 15},
        {"text": "a" * 1530},
        {"custom_reference": "r" * 64},
        {"settings_scheduled": "2036-01-02T08:00:00+01:00"},
        {"settings_scheduled": "2016-01-02T08:00:00.5Z"},
        {"msisdn": "393471234567"},
    ],
)
def test_the_limits_themselves_are_allowed(txty: TxtyV6, fields: dict[str, str]) -> None:
    assert txty.send(**fields).status_code == 200


def test_an_offset_with_a_plus_that_was_not_encoded_is_understood(txty: TxtyV6) -> None:
    login = "username=acme&token=key"
    answer = txty.call(
        path=f"v6/sms?{login}&msisdn={TO}&sender=A&text=b&settings_scheduled=2036-01-02T08:00:00+01:00"
    )

    assert answer.json()["settings"][0]["scheduled_to"] == "2036-01-02T08:00:00+01:00"


def test_a_time_that_has_passed_can_be_refused(txty: TxtyV6) -> None:
    txty.set(refuse_past=True)

    assert code_of(txty.send(settings_scheduled="2016-01-02T08:00:00Z")) == (400, "SCHEDULED_INVALID")


@pytest.mark.parametrize(
    ("knobs", "given", "status"),
    [
        ({}, {"params": {"username": "acme", "token": "key"}}, 200),
        ({}, {"auth": ("acme", "key")}, 200),
        ({}, {}, 401),
        ({}, {"params": {"username": "acme"}}, 401),
        ({}, {"params": {"username": "bad", "token": "key"}}, 401),
        ({}, {"auth": ("bad", "key")}, 401),
        ({}, {"headers": {"Authorization": "Basic \u00e6"}}, 401),
        ({"login": "query"}, {"auth": ("acme", "key")}, 401),
        ({"login": "basic"}, {"params": {"username": "acme", "token": "key"}}, 401),
        ({"login": "basic"}, {"auth": ("acme", "key")}, 200),
    ],
)
def test_a_login_stands_in_the_query_or_in_the_head(
    txty: TxtyV6, knobs: dict[str, str], given: dict[str, Any], status: int
) -> None:
    txty.set(**knobs)
    message = {"msisdn": TO, "sender": "ACME", "text": "Hello"}

    answer = txty.call(**given | {"params": given.get("params", {}) | message})

    assert answer.status_code == status
    assert answer.content == b"" or status == 200


def test_a_401_can_have_a_body(txty: TxtyV6) -> None:
    txty.set(unauthorized_body="error")

    assert code_of(txty.send(username="bad")) == (401, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "v6/sms"), ("GET", "v6/balance"), ("GET", ""), ("DELETE", "v6/sms")]
)
def test_there_is_no_other_method(txty: TxtyV6, method: str, path: str) -> None:
    assert code_of(txty.call(method, path)) == (501, "METHOD_NOT_IMPLEMENTED")


@pytest.mark.parametrize("status", [400, 402])
def test_credit_is_used_up_by_parts(txty: TxtyV6, status: int) -> None:
    txty.set(credit=0.5, afford_status=status)

    assert txty.send(text="a" * 161).json()["message"][0]["price"] == 0.4
    assert code_of(txty.send()) == (status, "CANNOT_AFFORD")


@pytest.mark.parametrize(
    ("fault", "code"), [("error_500_before", (500, "INTERNAL_ERROR")), ("refuse_429", (429, "BAD_REQUEST"))]
)
def test_faults_come_in_the_words_of_the_gateway(txty: TxtyV6, fault: str, code: tuple[int, str]) -> None:
    txty.set(**{fault: 1})

    assert code_of(txty.send()) == code
    assert txty.stats()["accepted"] == 0


def test_the_status_of_an_error_can_be_that_of_a_success_and_no_fault_follows_it(txty: TxtyV6) -> None:
    txty.set(error_status=200, reset_after=1)

    assert code_of(txty.send(text="")) == (200, "TEXT_EMPTY")
    with pytest.raises(requests.ConnectionError):
        txty.send()


def test_an_ending_can_hide_an_acceptance(txty: TxtyV6) -> None:
    assert code_of(txty.send(msisdn="4599990020")) == (500, "INTERNAL_ERROR")
    assert (txty.stats()["accepted"], txty.stats()["refused"]) == (1, 0)


def test_a_rate_is_kept(txty: TxtyV6) -> None:
    txty.set(rate="1/h")

    answers = [txty.send() for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]
    assert int(answers[1].headers["Retry-After"]) > 3500
    assert txty.stats()["violations"] == 1
