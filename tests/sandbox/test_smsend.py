import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sandbox.asgi import ask
from tests.sandbox.running import Sandbox
from tests.sandbox.smsend_client import CREDENTIALS, TO, Smsend
from worker.sandbox.smsend.gateway import Smsend as Simulator
from worker.waiting import within

OTHER = "+393471234568"
IN_AN_HOUR = datetime.now(UTC) + timedelta(hours=1)
IN_ROME = IN_AN_HOUR.astimezone(ZoneInfo("Europe/Rome"))
MOMENTS = {"in an hour": IN_AN_HOUR, "in Rome": IN_ROME, "in two days": IN_AN_HOUR + timedelta(days=2)}


@pytest.fixture
def smsend(sandbox: Sandbox) -> Smsend:
    return Smsend(sandbox)


# --- keys


def test_login_answers_two_keys_in_plain_text(smsend: Smsend) -> None:
    answer = smsend.bare("GET", "login", params=CREDENTIALS)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert [bool(key) for key in answer.text.split(";")] == [True, True]


def test_token_is_taken_in_its_own_header_and_is_always_the_same(smsend: Smsend) -> None:
    tokens = [smsend.bare("GET", "token", auth=("acme", "key")).text for _ in range(2)]
    user_key, token = tokens[0].split(";")
    answer = smsend.bare("GET", "status", headers={"user_key": user_key, "Access_token": token})

    assert tokens[0] == tokens[1]
    assert answer.status_code == 200


@pytest.mark.parametrize("status", [401, 404])
@pytest.mark.parametrize(
    "how",
    [{"params": {"username": "bad", "password": "key"}}, {"auth": ("bad", "key")}],
    ids=["query", "basic"],
)
def test_login_with_wrong_credentials_is_refused(smsend: Smsend, status: int, how: dict[str, Any]) -> None:
    smsend.set(login_error=status)

    assert smsend.bare("GET", "login", **how).status_code == status


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic \u00e6".encode("latin-1")}])
def test_login_without_credentials_that_can_be_read_is_a_bad_request(
    smsend: Smsend, headers: dict[str, bytes]
) -> None:
    assert smsend.bare("GET", "login", headers=headers).status_code == 400


@pytest.mark.parametrize(
    "names",
    [("user-key", "Session-key"), ("user_key", "Session-key"), ("user_key", "Access_token"), ("x", "y")],
)
def test_keys_in_headers_of_other_names_are_refused(smsend: Smsend, names: tuple[str, str]) -> None:
    headers = dict(zip(names, smsend.keys.values(), strict=True))

    assert smsend.bare("GET", "status", headers=headers).status_code == 401


def test_unknown_user_key_is_not_found(smsend: Smsend) -> None:
    answer = smsend.bare("POST", "sms", headers=smsend.keys | {"user_key": "nobody"}, json={})

    assert answer.status_code == 404


def test_user_key_of_another_is_refused(smsend: Smsend) -> None:
    other = smsend.bare("GET", "login", auth=("other", "key")).text.partition(";")[0]

    assert smsend.bare("GET", "status", headers=smsend.keys | {"user_key": other}).status_code == 401


def test_session_ends_without_calls_and_looking_at_it_is_no_call(smsend: Smsend) -> None:
    assert smsend.call("GET", "checksession").text == "true"
    smsend.set(session_s=0)

    assert smsend.call("GET", "checksession").text == "false"
    assert smsend.send().status_code == 401
    assert smsend.bare("GET", "checksession").status_code == 404


# --- sms


def test_accepted_message_is_answered_and_written_down(smsend: Smsend) -> None:
    answer = smsend.send(TO, OTHER, order_id="order.1_a-b", returnRemaining=True)

    assert answer.status_code == 201
    assert answer.json() == {
        "result": "OK",
        "order_id": "order.1_a-b",
        "total_sent": 2,
        "remaining_credits": 9843,
        "internal_order_id": "order.1_a-b-int",
    }
    lines = smsend.sandbox.accepted()
    assert [(line["msisdn"], line["text"], line["sender"], line["reference"]) for line in lines] == [
        (TO, "Hello", "ACME", "order.1_a-b"),
        (OTHER, "Hello", "ACME", "order.1_a-b"),
    ]


def test_what_clients_send_besides_is_taken(smsend: Smsend) -> None:
    answer = smsend.send(
        sender=None,
        scheduled_delivery_time=None,
        order_id=None,
        returnCredits="true",
        returnRemaining="false",
        allowInvalidRecipients="False",
        truncate="true",
        max_fragments="7",
        encoding="gsm",
        senders="unknown",
        message="x" * 161,
    )

    assert answer.status_code == 201
    assert answer.json()["total_sent"] == 2
    assert len(answer.json()["order_id"]) == 36
    assert "remaining_credits" not in answer.json()


@pytest.mark.parametrize("number", [TO, "00393471234567", "393471234567", "+39349123456789"])
def test_number_in_an_international_form_is_accepted(smsend: Smsend, number: str) -> None:
    assert smsend.send(number).status_code == 201


@pytest.mark.parametrize(
    "fields",
    [
        {"message_type": None},
        {"message_type": "XX"},
        {"message": ""},
        {"message": None},
        {"message": 7},
        {"message": "x" * 1001},
        {"message": "\u044f" * 451, "encoding": "ucs2"},
        {"message": "x" * 161, "message_type": "LL", "sender": ""},
        {"message_type": "LL"},
        {"recipient": None},
        {"recipient": []},
        {"recipient": TO},
        {"recipient": [TO, "12345"]},
        {"recipient": [TO, "abc"]},
        {"recipient": [TO, None]},
        {"sender": "TwelveLetter"},
        {"sender": "1" * 17},
        {"order_id": "x" * 33},
        {"order_id": "a b"},
        {"returnCredits": "perhaps"},
        {"encoding": "utf-8"},
        {"scheduled_delivery_time": "tomorrow"},
        {"scheduled_delivery_time": "20269999000000"},
        {"scheduled_delivery_timezone": "Mars/Base"},
        {"max_fragments": 0},
        {"max_fragments": 1, "truncate": False, "message": "x" * 161},
    ],
    ids=str,
)
def test_bad_field_refuses_the_whole_request(smsend: Smsend, fields: dict[str, object]) -> None:
    answer = smsend.send(**fields)

    assert answer.status_code == 400
    assert answer.json()["error_message"] == answer.json()["result"]
    assert smsend.stats()["accepted"] == 0


@pytest.mark.parametrize("body", ["", "[]", "{", "null"])
def test_body_that_is_no_object_is_refused(smsend: Smsend, body: str) -> None:
    assert smsend.call("POST", "sms", data=body).status_code == 400


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ("both", {"result", "error_code", "error_message"}),
        ("result", {"result"}),
        ("error_message", {"error_code", "error_message"}),
        ("message", {"message"}),
    ],
)
def test_errors_have_the_chosen_shape(smsend: Smsend, shape: str, names: set[str]) -> None:
    smsend.set(error_body=shape)

    assert set(smsend.send(message="").json()) == names


def test_errors_may_be_plain_text(smsend: Smsend) -> None:
    smsend.set(error_body="text")

    assert smsend.send(message="").text == "message is missing"


def test_bad_recipients_may_be_left_out(smsend: Smsend) -> None:
    answer = smsend.send(TO, "12345", allowInvalidRecipients=True)

    assert (answer.status_code, answer.json()["total_sent"]) == (201, 1)
    assert smsend.send("12345", allowInvalidRecipients=True).status_code == 400


def test_list_is_limited(smsend: Smsend) -> None:
    smsend.set(max_recipients=1)

    assert smsend.send(TO, OTHER).status_code == 400


def test_long_text_is_cut_where_that_is_wanted(smsend: Smsend) -> None:
    assert smsend.send(message="x" * 400, max_fragments=2, truncate=True).status_code == 201

    assert smsend.texts() == ["x" * 306]


def test_link_is_put_into_its_place(smsend: Smsend) -> None:
    smsend.send(message="see %SHORT_LINK%", short_link_url="https://example.org/long")
    smsend.send(message="see %SHORT_LINK%")

    texts = smsend.texts()
    assert "%" not in texts[0]
    assert texts[1] == "see %SHORT_LINK%"


def test_order_id_can_be_used_once(smsend: Smsend) -> None:
    answers = [smsend.send(order_id="o1").status_code for _ in range(2)]
    smsend.set(duplicate_order="accept")

    assert answers == [201, 400]
    assert smsend.send(order_id="o1").status_code == 201
    assert [row["destination"] for row in smsend.states("o1")] == [TO, TO]


def test_credit_runs_out(smsend: Smsend) -> None:
    smsend.set(credit=3)

    assert [smsend.send(TO, OTHER).status_code for _ in range(2)] == [201, 400]
    assert smsend.left() == 1


# --- paramsms and groups


@pytest.mark.parametrize(
    "recipients",
    [
        {"0": {"recipient": TO, "name": "Ada"}, "x": {"recipient": OTHER, "name": 7}},
        [{"recipient": TO, "name": "Ada"}, {"recipient": OTHER, "name": 7}],
    ],
    ids=["map", "list"],
)
def test_each_recipient_gets_his_own_text(smsend: Smsend, recipients: object) -> None:
    answer = smsend.send_each(recipients)

    assert (answer.status_code, answer.json()["total_sent"]) == (201, 2)
    assert smsend.texts() == ["Hi Ada", "Hi 7"]


def test_parametric_message_may_answer_200_and_want_a_map(smsend: Smsend) -> None:
    smsend.set(param_status=200, param_list=False)

    assert smsend.send_each({"0": {"recipient": TO, "name": "Ada"}}).status_code == 200
    assert smsend.send_each([{"recipient": TO, "name": "Ada"}]).status_code == 400


@pytest.mark.parametrize(
    "row",
    [
        {"recipient": TO},
        {"recipient": TO, "name": None},
        {"name": "Ada"},
        {"recipient": TO, "name": "x" * 998},
        TO,
    ],
    ids=lambda row: str(row)[:50],
)
def test_one_bad_row_refuses_all(smsend: Smsend, row: object) -> None:
    answer = smsend.send_each({"0": {"recipient": OTHER, "name": "Bo"}, "1": row})

    assert answer.status_code == 400
    assert smsend.stats()["accepted"] == 0


def test_placeholder_in_a_value_is_no_placeholder_unless_that_is_chosen(smsend: Smsend) -> None:
    row = {"recipient": TO, "name": "${recipient}"}
    smsend.send_each({"0": row})
    smsend.set(expands_values=True)
    smsend.send_each({"0": row})

    assert smsend.texts() == ["Hi ${recipient}", f"Hi {TO}"]


def test_placeholder_of_a_plain_message_is_text(smsend: Smsend) -> None:
    smsend.send(message="Hi ${name}")

    assert smsend.texts() == ["Hi ${name}"]


def test_group_gets_the_message_and_an_unknown_one_is_refused(smsend: Smsend) -> None:
    smsend.group("Milan", TO, OTHER)
    fields = {"message_type": "N", "message": "Hello", "sender": "ACME"}

    answer = smsend.call("POST", "smstogroups", json=fields | {"recipient": ["Milan"]})
    refused = smsend.call("POST", "smstogroups", json=fields | {"recipient": ["Rome"]})

    assert (answer.status_code, answer.json()["total_sent"]) == (200, 2)
    assert [line["msisdn"] for line in smsend.sandbox.accepted()] == [TO, OTHER]
    assert (refused.status_code, refused.json()["result"]) == (400, "Groups could not be found")


def test_groups_are_listed_changed_and_deleted(smsend: Smsend) -> None:
    for name in "abcdef":
        smsend.group(name)
    place = smsend.call("PUT", "group/1", json={"name": "z", "description": "-"})
    deleted = smsend.call("DELETE", "group/2", params={"deletecontacts": "true"})

    first = smsend.call("GET", "groups").json()
    second = smsend.call("GET", "groups?pageNumber=2&pageSize=3").json()
    assert (place.status_code, place.headers["location"]) == (200, "/API/v1.0/REST/group/1")
    assert (deleted.status_code, deleted.text) == (200, "")
    assert [group["name"] for group in first["groups"]] == ["z", "c", "d", "e", "f"]
    assert [group["name"] for group in second["groups"]] == ["e", "f"]


def test_contact_joins_and_leaves_a_group(smsend: Smsend) -> None:
    smsend.group("Milan")
    contact = smsend.call("POST", "contact", json={"email": "", "phoneNumber": TO}).headers["location"]
    ident = contact.rpartition("/")[2]
    joined = smsend.call("POST", f"group/1/contact/{ident}")
    fields = {"message_type": "N", "message": "Hello", "recipient": ["Milan"]}
    sent = smsend.call("POST", "smstogroups", json=fields)
    smsend.call("DELETE", f"group/1/contact/{ident}")

    assert joined.status_code == 200
    assert sent.json()["total_sent"] == 1
    assert smsend.call("POST", "smstogroups", json=fields).status_code == 400
    assert smsend.call("GET", f"contact/{ident}").json()["phoneNumber"] == TO
    assert smsend.call("POST", "contact", json={"email": ""}).status_code == 400


# --- what became of it


@pytest.mark.parametrize(
    ("knobs", "kind", "state"),
    [
        ({}, "N", "DLVRD"),
        ({"dlr_outcome": "failed"}, "GP", "ERROR"),
        ({"dlr_outcome": "abandoned"}, "PRM", "TIMEOUT"),
        ({"dlr_outcome": "buffered"}, "N", "WAIT4DLVR"),
        ({"dlr_outcome": "none"}, "N", "WAIT4DLVR"),
        ({}, "L", "SENT"),
    ],
)
def test_state_is_told_as_it_is_documented(
    smsend: Smsend, knobs: dict[str, str], kind: str, state: str
) -> None:
    smsend.set(dlr_delay_ms=0, **knobs)
    smsend.send(order_id="o1", message_type=kind)

    answer = smsend.call("GET", "sms/o1").json()

    (row,) = answer["recipients"]
    assert (answer["result"], row["destination"], row["status"]) == ("OK", TO, state)
    assert len(row["delivery_date"]) == (14 if state in {"DLVRD", "ERROR", "TIMEOUT"} else 0)


def test_order_of_nobody_or_of_another_is_not_found(smsend: Smsend) -> None:
    smsend.send(order_id="o1")
    user_key, key = smsend.bare("GET", "login", auth=("other", "key")).text.split(";")
    stranger = {"user_key": user_key, "Session_key": key}

    assert smsend.call("GET", "sms/o2").status_code == 404
    assert smsend.bare("GET", "sms/o1", headers=stranger).status_code == 404


def test_order_may_be_known_later(smsend: Smsend) -> None:
    smsend.set(order_delay_s=0.3)
    smsend.send(order_id="o1")

    assert smsend.call("GET", "sms/o1").status_code == 404
    assert within(5, lambda: smsend.call("GET", "sms/o1").status_code == 200)


@pytest.mark.parametrize(
    ("moment", "written", "zone"),
    [
        ("in an hour", "%Y%m%d%H%M%S", "UTC"),
        ("in Rome", "%Y%m%d%H%M%S", None),
        ("in Rome", "%d%m%y%H%M", "Europe/Rome"),
        ("in Rome", "%Y-%m-%d %H:%M", None),
        ("in Rome", "%Y-%m-%d %H:%M.0", ""),
        ("in an hour", "%Y-%m-%dT%H:%M:%S.%f", "UTC"),
        ("in an hour", "%b %d, %Y %I:%M:%S %p", "UTC"),
        ("in two days", "%d%m%y", None),
        ("in two days", "%Y%m%d", None),
    ],
)
def test_scheduled_message_can_be_cancelled_once(
    smsend: Smsend, moment: str, written: str, zone: str | None
) -> None:
    when = MOMENTS[moment].strftime(written)
    smsend.set(credit=5)
    fields = {"scheduled_delivery_time": when, "scheduled_delivery_timezone": zone}
    assert smsend.send(order_id="o1", **fields).status_code == 201
    state = smsend.states("o1")[0]["status"]

    answers = [smsend.call("DELETE", "sms/o1").status_code for _ in range(2)]

    assert (state, answers) == ("SCHEDULED", [200, 404])
    assert (smsend.stats()["cancelled"], smsend.left()) == (1, 5)
    assert smsend.call("GET", "sms/o1").status_code == 404


def test_sent_message_cannot_be_cancelled(smsend: Smsend) -> None:
    smsend.send(order_id="o1")

    assert smsend.call("DELETE", "sms/o1").status_code == 404
    assert smsend.call("DELETE", "sms/bulk").status_code == 200


def test_history_shows_orders_and_the_messages_of_a_recipient(smsend: Smsend) -> None:
    smsend.set(dlr_delay_ms=0)
    for order_id in ("o1", "o2", "o3"):
        smsend.send(TO, OTHER, order_id=order_id)
    span = {"from": time.strftime("%Y%m%d000000", time.gmtime(time.time() - 86_400)), "pageSize": 2}

    page = smsend.call("GET", "smshistory", params=span).json()
    rest = smsend.call("GET", "smshistory", params=span | {"pageNumber": 2, "timezone": "UTC"}).json()
    of_one = smsend.call("GET", "rcptHistory", params=span | {"recipient": TO, "to": "now"}).json()

    assert [row["order_id"] for row in page["smshistory"] + rest["smshistory"]] == ["o3", "o2", "o1"]
    assert (page["smshistory"][0]["num_recipients"], page["smshistory"][0]["message_type"]) == (2, "N")
    assert [(row["order_id"], row["status"], row["sender"]) for row in of_one["rcpthistory"]] == [
        ("o3", 4, "ACME"),
        ("o2", 4, "ACME"),
    ]


@pytest.mark.parametrize("span", [{}, {"from": "yesterday"}, {"from": "20260101000000", "timezone": "Mars"}])
def test_history_of_no_span_is_refused(smsend: Smsend, span: dict[str, str]) -> None:
    assert smsend.call("GET", "smshistory", params=span).status_code == 400


def test_status_shows_money_where_it_is_asked_for(smsend: Smsend) -> None:
    bare = smsend.call("GET", "status").json()
    full = smsend.call("GET", "status?getMoney=true&typeAliases=true").json()

    assert bare["money"] is None
    assert [stock["type"] for stock in bare["sms"]] == ["N", "L", "LL", "EE", "AD"]
    assert full["money"] > 0
    assert {"type": "GP", "quantity": 9843} in full["sms"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "nothing"), ("POST", "login"), ("GET", "sms"), ("PUT", "sms/o1")]
)
def test_unknown_call_is_not_found(smsend: Smsend, method: str, path: str) -> None:
    assert smsend.call(method, path).status_code == 404


# --- anything

NAMES = [
    "message_type",
    "message",
    "recipient",
    "recipients",
    "sender",
    "scheduled_delivery_time",
    "order_id",
    "returnCredits",
    "encoding",
    "scheduled_delivery_timezone",
    "returnRemaining",
    "allowInvalidRecipients",
    "max_fragments",
    "truncate",
    "id_landing",
    "short_link_url",
    "name",
    "description",
    "email",
    "phoneNumber",
    "groupIds",
]
SIGNS = st.sampled_from('aZ09+-,.:{}$%&"\\/\x00\n \u00f8\u044f\u20ac\U0001f600\u0663\u00b2\ud83d')
WORDS = st.lists(SIGNS, max_size=12).map("".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.just(TO),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["recipient", "name"]), inner)
    ),
    max_leaves=4,
)
GOOD = {
    "message_type": "N",
    "message": "Hi ${name}",
    "recipient": [TO],
    "recipients": {"0": {"recipient": TO, "name": "Ada"}},
}


@settings(deadline=None)
@given(
    st.sampled_from(["sms", "paramsms", "smstogroups", "group", "contact"]),
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3),
)
def test_any_field_is_answered_and_the_answer_equals_what_was_accepted(
    path: str, odd: dict[str, object]
) -> None:
    simulator = Simulator()
    user_key, key = ask(simulator, "GET", "/login", query=b"username=acme&password=key").body.split(b";")
    headers = ((b"user_key", user_key), (b"Session_key", key))

    answer = ask(simulator, "POST", f"/{path}", headers=headers, body=json.dumps(GOOD | odd).encode())

    assert answer.status in {200, 201, 400}
    sent = json.loads(answer.body).get("total_sent", 0) if answer.body else 0
    assert sent in {simulator.book.counts["accepted"], simulator.book.counts["parts"]}
