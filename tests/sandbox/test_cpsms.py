import time
from typing import Any

import pytest

from tests.sandbox.running import Sandbox


def test_an_accepted_message_is_written_down(sandbox: Sandbox) -> None:
    before_s = time.time()

    answer = sandbox.send("4520304050", message="Hello {you}", reference="r1")

    assert answer.status_code == 200
    assert answer.json() == {"success": [{"to": "4520304050", "cost": 1, "smsAmount": 1}]}
    (line,) = sandbox.accepted()
    assert before_s <= line.pop("time") <= time.time()
    assert line == {
        "gateway": "cpsms",
        "msisdn": "+4520304050",
        "text": "Hello {you}",
        "sender": "ACME",
        "reference": "r1",
        "parts": 1,
    }


def test_a_number_with_plus_is_answered_without(sandbox: Sandbox) -> None:
    answer = sandbox.send(["+4520304050", "46701234567"])

    assert [item["to"] for item in answer.json()["success"]] == ["4520304050", "46701234567"]
    assert [line["msisdn"] for line in sandbox.accepted()] == ["+4520304050", "+46701234567"]


def test_a_number_twice_in_one_request_is_accepted_twice(sandbox: Sandbox) -> None:
    sandbox.send(["4520304050", "4520304050"], reference="r1")

    assert sandbox.stats()["duplicates"] == {"reference": 1, "text": 1}


@pytest.mark.parametrize(
    ("fields", "text", "parts"),
    [
        ({"message": "Привет, Anna 😀"}, ", Anna ", 1),
        ({"message": "Привет, Anna 😀", "format": "UNICODE"}, "Привет, Anna 😀", 1),
        ({"message": "a" * 161}, "a" * 161, 2),
        ({"message": "a" * 71, "format": "UNICODE"}, "a" * 71, 2),
        ({"message": "a" * 71, "format": "GSM"}, "a" * 71, 1),
    ],
)
def test_format_decides_what_reaches_the_handset(
    sandbox: Sandbox, fields: dict[str, str], text: str, parts: int
) -> None:
    answer = sandbox.send(**fields)

    (line,) = sandbox.accepted()
    assert (line["text"], line["parts"]) == (text, parts)
    assert answer.json()["success"][0]["smsAmount"] == parts


def test_empty_options_count_as_absent(sandbox: Sandbox) -> None:
    answer = sandbox.send(timestamp="", dlr_url="", reference="", encoding="", flash="", format="")

    assert answer.status_code == 200
    assert sandbox.accepted()[0]["reference"] == ""


def test_a_body_in_latin_1_is_read_when_it_says_so(sandbox: Sandbox) -> None:
    body = '{"to":"4520304050","message":"Smørrebrød","from":"ACME","encoding":"ISO-8859-1"}'

    sandbox.cpsms("POST", "send", data=body.encode("latin-1"))

    assert sandbox.accepted()[0]["text"] == "Smørrebrød"


def test_a_partly_accepted_request_names_the_others(sandbox: Sandbox) -> None:
    answer = sandbox.send(["4520304050", "45123", "45x"])

    assert answer.status_code == 207
    assert answer.json()["success"] == [{"to": "4520304050", "cost": 1, "smsAmount": 1}]
    assert answer.json()["error"] == [
        {"code": 400, "message": "number length does not fit the country", "to": "45123"},
        {"code": 400, "message": "the number is not valid", "to": "45x"},
    ]
    assert (sandbox.stats()["accepted"], sandbox.stats()["refused"]) == (1, 2)


def test_a_single_bad_number_is_one_error(sandbox: Sandbox) -> None:
    answer = sandbox.send("45123")

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == 400


@pytest.mark.parametrize("number", ["4520304050", "447700900123", "393471234567", "13125550123", "6834002"])
def test_numbers_of_several_countries_are_accepted(sandbox: Sandbox, number: str) -> None:
    assert sandbox.send(number).status_code == 200


def test_numbers_with_a_chosen_ending_are_refused(sandbox: Sandbox) -> None:
    sandbox.set_faults(refuse_numbers=["0400"])

    assert sandbox.send(["4520300400", "4520304050"]).json()["error"][0]["to"] == "4520300400"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"message": ""}, 400),
        ({"message": "😀"}, 400),
        ({"to": ""}, 400),
        ({"to": []}, 400),
        ({"message": "a" * 1530}, 200),
        ({"message": "a" * 1531}, 400),
        ({"message": "a" * 671, "format": "UNICODE"}, 400),
        ({"from": "12CharactersX"}, 406),
        ({"from": "1" * 15}, 200),
        ({"from": "1" * 16}, 406),
        ({"from": "Tømrer"}, 406),
        ({"reference": "r" * 32}, 200),
        ({"reference": "r" * 33}, 400),
        ({"timestamp": "tomorrow"}, 400),
        ({"timestamp": "9" * 400}, 400),
        ({"to": [f"45{number}" for number in range(20_000_000, 20_000_501)]}, 400),
    ],
)
def test_the_limits_of_a_request(sandbox: Sandbox, fields: dict[str, Any], status: int) -> None:
    answer = sandbox.send(**fields)

    assert answer.status_code == status
    if status != 200:
        assert answer.json()["error"]["code"] == status
        assert sandbox.stats()["accepted"] == 0


def test_the_sender_of_the_account_is_taken_where_none_is_given(sandbox: Sandbox) -> None:
    sandbox.send(**{"from": ""})

    assert sandbox.accepted()[0]["sender"] == "CPSMS"


def test_an_account_without_a_sender_must_name_one(sandbox: Sandbox) -> None:
    sandbox.set_faults(default_sender="")

    assert sandbox.send(**{"from": ""}).status_code == 400


@pytest.mark.parametrize(("generation", "status"), [("2016", 200), ("2017", 406)])
def test_a_numeric_sender_was_longer_once(sandbox: Sandbox, generation: str, status: int) -> None:
    sandbox.set_faults(generation=generation)

    assert sandbox.send(**{"from": "1" * 20}).status_code == status


def test_an_address_that_is_not_on_the_list_is_a_403(sandbox: Sandbox) -> None:
    sandbox.set_faults(refuse_ip=True)

    assert (sandbox.send().status_code, sandbox.stats()["accepted"]) == (403, 0)


def test_the_credit_may_be_asked_for_by_post(sandbox: Sandbox) -> None:
    assert sandbox.cpsms("POST", "creditvalue").status_code == 200


def test_an_empty_group_is_a_conflict(sandbox: Sandbox) -> None:
    group = sandbox.cpsms("POST", "addgroup/First").json()["success"]["groupId"]

    fields = {"to_group": group, "message": "Hello", "from": "ACME"}
    assert sandbox.cpsms("POST", "sendgroup", json=fields).status_code == 409


def test_a_log_of_nothing_may_be_a_conflict(sandbox: Sandbox) -> None:
    sandbox.set_faults(getlog_nothing=409)

    assert sandbox.cpsms("GET", "getlog").status_code == 409


@pytest.mark.parametrize("word", ["\u00e6", "a", "/w=="])
def test_a_login_that_cannot_be_read_is_not_let_in(sandbox: Sandbox, word: str) -> None:
    headers = {"Authorization": f"Basic {word}".encode("latin-1")}

    answer = sandbox.session.get(f"{sandbox.url}/cpsms/v2/creditvalue", headers=headers, timeout=5)

    assert answer.status_code == 401


@pytest.mark.parametrize("auth", [("bad", "key"), ("", "key"), None])
def test_the_user_name_bad_and_none_are_not_let_in(sandbox: Sandbox, auth: tuple[str, str] | None) -> None:
    answer = sandbox.cpsms("GET", "creditvalue", auth=auth)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == 401


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "sendd"), ("GET", "send"), ("GET", ""), ("PATCH", "send")]
)
def test_an_unknown_method_is_a_404(sandbox: Sandbox, method: str, path: str) -> None:
    answer = sandbox.cpsms(method, path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, 404)


@pytest.mark.parametrize("body", ["no JSON", "[]", "7", '{"to":'])
def test_a_body_that_is_no_json_object_is_a_400(sandbox: Sandbox, body: str) -> None:
    assert sandbox.cpsms("POST", "send", data=body).status_code == 400


@pytest.mark.parametrize(
    ("knobs", "status", "reply"),
    [
        (
            {"generation": "2016"},
            207,
            {
                "success": [{"to": "4520304050", "cost": 1}],
                "error": [{"errorCode": 400, "errMsg": "the number is not valid", "to": "45x"}],
            },
        ),
        (
            {"generation": "draft"},
            207,
            {
                "success": [[{"to": "4520304050", "price": "1", "countryCode": "45"}]],
                "error": [{"errorCode": 400, "errMsg": "the number is not valid", "to": "45x"}],
            },
        ),
        (
            {"multi_status": False},
            200,
            {
                "success": [{"to": "4520304050", "cost": 1, "smsAmount": 1}],
                "error": [{"code": 400, "message": "the number is not valid", "to": "45x"}],
            },
        ),
    ],
)
def test_the_shape_of_a_reply_can_be_chosen(
    sandbox: Sandbox, knobs: dict[str, Any], status: int, reply: dict[str, Any]
) -> None:
    sandbox.set_faults(**knobs)

    answer = sandbox.send(["4520304050", "45x"])

    assert (answer.status_code, answer.json()) == (status, reply)


def test_a_whole_refusal_can_be_a_list(sandbox: Sandbox) -> None:
    sandbox.set_faults(error_list=True)

    assert sandbox.send(message="").json()["error"] == [
        {"code": 400, "message": "the parameter message is missing"}
    ]


def test_without_credit_nothing_is_accepted(sandbox: Sandbox) -> None:
    sandbox.set_faults(out_of_credit=True)

    assert sandbox.send().status_code == 402
    assert sandbox.stats()["accepted"] == 0
    assert sandbox.cpsms("GET", "creditvalue").json() == {"credit": "0,00"}


def test_credit_is_used_up_by_parts(sandbox: Sandbox) -> None:
    sandbox.set_faults(credit=2)

    assert [sandbox.send(message="a" * 161).status_code for _ in range(2)] == [200, 402]


def test_credit_that_ends_within_a_request_accepts_as_many_as_it_pays_for(sandbox: Sandbox) -> None:
    sandbox.set_faults(credit=2, credit_stops="within")

    answer = sandbox.send(["4520304050", "4520304051", "4520304052", "45x"])

    assert answer.status_code == 207
    assert [item["to"] for item in answer.json()["success"]] == ["4520304050", "4520304051"]
    assert answer.json()["error"] == [
        {"code": 400, "message": "the number is not valid", "to": "45x"},
        {"code": 402, "message": "not enough points", "to": "4520304052"},
    ]
    assert (sandbox.stats()["accepted"], sandbox.stats()["refused"]) == (2, 2)
    assert sandbox.cpsms("GET", "creditvalue").json() == {"credit": "0,00"}


def test_credit_that_ends_before_the_first_recipient_refuses_the_whole_request(sandbox: Sandbox) -> None:
    sandbox.set_faults(credit=1, credit_stops="within")

    statuses = [sandbox.send(["4520304050", "4520304051"]).status_code for _ in range(2)]

    assert statuses == [207, 402]
    assert sandbox.stats()["accepted"] == 1


def test_without_being_told_credit_pays_for_all_recipients_or_for_none(sandbox: Sandbox) -> None:
    sandbox.set_faults(credit=2)

    assert sandbox.send(["4520304050", "4520304051", "4520304052"]).status_code == 402
    assert sandbox.stats()["accepted"] == 0


@pytest.mark.parametrize(
    ("form", "shown"), [("danish", "9.843,40"), ("plain", "9843.40"), ("integer", "9843")]
)
def test_the_credit_is_shown_in_the_chosen_form(sandbox: Sandbox, form: str, shown: str) -> None:
    sandbox.set_faults(credit_format=form)

    assert sandbox.cpsms("GET", "creditvalue").json() == {"credit": shown}


def test_simplesend_takes_its_text_from_the_path(sandbox: Sandbox) -> None:
    answer = sandbox.cpsms("GET", "simplesend/4520304050/50%2F50%20sm%C3%B8r/ACME")

    assert answer.status_code == 200
    assert sandbox.accepted()[0]["text"] == "50/50 smør"


def test_sendgroup_sends_to_the_contacts_of_a_group(sandbox: Sandbox) -> None:
    group = sandbox.cpsms("POST", "addgroup", json={"groupName": "All"}).json()["success"]["groupId"]
    for number in ("4520304050", "4520304051"):
        contact = {"groupId": group, "phoneNumber": number, "contactName": "A"}
        sandbox.cpsms("POST", "addcontact", json=contact)

    fields = {"to_group": int(group), "message": "Hello", "from": "ACME"}
    answer = sandbox.cpsms("POST", "sendgroup", json=fields)

    assert answer.status_code == 200
    assert [line["msisdn"] for line in sandbox.accepted()] == ["+4520304050", "+4520304051"]


def test_groups_and_contacts_can_be_changed_and_listed(sandbox: Sandbox) -> None:
    sandbox.set_faults(generation="2016")
    group = sandbox.cpsms("POST", "addgroup/First").json()["groupId"]
    sandbox.cpsms("PUT", "updategroup", json={"groupId": group, "groupName": "Second"})
    sandbox.cpsms("POST", f"addcontact/{group}/4520304050/Anna")
    sandbox.cpsms("PUT", f"updatecontact/{group}/4520304050/Bo")

    named = {"groupId": int(group), "groupName": "Second"}
    assert sandbox.cpsms("GET", "listgroups").json() == [named]
    assert sandbox.cpsms("GET", "listgroupmembership/4520304050").json() == {"success": [named]}
    assert sandbox.cpsms("GET", f"listcontacts/{group}").json() == [
        {"phoneNumber": "4520304050", "contactName": "Bo"}
    ]


def test_only_an_empty_group_can_be_deleted(sandbox: Sandbox) -> None:
    group = sandbox.cpsms("POST", "addgroup/First").json()["success"]["groupId"]
    sandbox.cpsms("POST", f"addcontact/{group}/4520304050/Anna")

    statuses = [
        sandbox.cpsms("DELETE", path).status_code
        for path in (f"deletegroup/{group}", f"deletecontact/{group}/4520304050", f"deletegroup/{group}")
    ]

    assert statuses == [409, 200, 200]


def test_the_log_shows_what_was_sent_by_reference(sandbox: Sandbox) -> None:
    sandbox.set_faults(dlr_delay_ms=0)
    sandbox.send("4520304050", reference="r1")

    (row,) = sandbox.cpsms("GET", "getlog").json()

    assert time.time() - row.pop("timeSent") < 10
    assert row == {
        "to": "4520304050",
        "from": "ACME",
        "smsAmount": 1,
        "pointPrice": 1,
        "userReference": "r1",
        "dlrStatus": 1,
        "dlrStatusText": "Received",
    }


def test_the_log_says_when_there_is_no_report_yet_and_no_reference(sandbox: Sandbox) -> None:
    sandbox.set_faults(dlr_delay_ms=60_000)
    sandbox.send()

    (row,) = sandbox.cpsms("GET", "getlog").json()

    assert (row["dlrStatus"], row["dlrStatusText"], row["userReference"]) == (0, "", None)


@pytest.mark.parametrize(
    ("path", "numbers"),
    [
        ("getlog", ["4520304050", "4520304051"]),
        ("getlog/4520304051", ["4520304051"]),
        ("getlog/1/2", []),
        ("getlog/1/99999999999", ["4520304050", "4520304051"]),
        ("getlog/1/99999999999/4520304050", ["4520304050"]),
        ("getlog?to=4520304050&fromDate=1&toDate=99999999999", ["4520304050"]),
    ],
)
def test_the_log_is_filtered(sandbox: Sandbox, path: str, numbers: list[str]) -> None:
    sandbox.send(["4520304050", "4520304051"])

    assert [row["to"] for row in sandbox.cpsms("GET", path).json()] == numbers


@pytest.mark.parametrize("status", [409, 429])
def test_the_log_is_refused_within_the_interval(sandbox: Sandbox, status: int) -> None:
    sandbox.set_faults(getlog_error=status)

    assert [sandbox.cpsms("GET", "getlog").status_code for _ in range(2)] == [200, status]


def test_the_log_can_be_read_again_after_the_interval(sandbox: Sandbox) -> None:
    sandbox.set_faults(getlog_interval_s=0)

    assert [sandbox.cpsms("GET", "getlog").status_code for _ in range(2)] == [200, 200]


def test_a_message_scheduled_far_enough_ahead_can_be_deleted_once(sandbox: Sandbox) -> None:
    sandbox.send(["4520304050", "4520304051"], reference="r1", timestamp=int(time.time()) + 3600)

    statuses = [sandbox.cpsms("DELETE", "deletesms/r1").status_code for _ in range(2)]

    assert statuses == [200, 409]
    assert sandbox.stats()["cancelled"] == 2


def test_a_message_that_leaves_within_ten_minutes_is_not_deleted(sandbox: Sandbox) -> None:
    sandbox.send(reference="r1", timestamp=int(time.time()) + 590)

    assert sandbox.cpsms("DELETE", "deletesms", json={"reference": "r1"}).status_code == 409
    assert sandbox.stats()["cancelled"] == 0


def test_a_scheduled_message_is_not_in_the_log(sandbox: Sandbox) -> None:
    sandbox.send(reference="r1", timestamp=int(time.time()) + 3600)

    assert sandbox.cpsms("GET", "getlog").json() == []


def test_deleting_what_was_sent_leaves_it_in_the_log(sandbox: Sandbox) -> None:
    sandbox.set_faults(delete_nothing=200)
    sandbox.send(reference="r1")

    assert sandbox.cpsms("DELETE", "deletesms/r1").status_code == 200
    assert len(sandbox.cpsms("GET", "getlog").json()) == 1
