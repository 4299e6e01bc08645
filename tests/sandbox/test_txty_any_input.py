from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sandbox.running import Sandbox
from tests.sandbox.txty_client import TO, TxtyV4, TxtyV6

signs = 'aZ09+- {}"\\/%&=<>\x00\x1b\n\u00f8\u044f\u20ac\U0001f600\u2028'
texts = st.lists(st.sampled_from(signs), max_size=20).map("".join)
names = (
    "msisdn",
    "sender",
    "text",
    "schedule",
    "group",
    "contact",
    "callback",
    "price",
    "wappush",
    "flash",
    "settings_scheduled",
    "settings_flash",
    "custom_reference",
)
values = texts | st.sampled_from(["0", "1", "true", "9" * 30, "2036-01-02T08:00:00Z", "http://[", "100", TO])
odd_fields = st.dictionaries(st.sampled_from(names), values, max_size=3)
resources = st.sampled_from(
    [
        "view/outbox",
        "view/yourprices",
        "view/contacts",
        "view/groups",
        "contact/create",
        "contact/edit",
        "contact/addgroup",
        "group/create",
        "group/delete",
        "hlr",
        "user/newapikey",
    ]
)


@settings(deadline=None)  # a process answers
@given(odd_fields)
def test_any_field_of_v6_is_answered_and_the_answer_equals_what_was_accepted(
    sandbox_process: Sandbox, odd: dict[str, object]
) -> None:
    sandbox_process.reset()
    txty = TxtyV6(sandbox_process)

    answer = txty.send(**odd)

    assert answer.status_code in {200, 400}
    assert txty.stats()["accepted"] == ("guid" in answer.json())


@settings(deadline=None)  # a process answers
@given(odd_fields)
def test_any_field_of_v4_is_answered_and_the_answer_equals_what_was_accepted(
    sandbox_process: Sandbox, odd: dict[str, object]
) -> None:
    sandbox_process.reset()
    txty = TxtyV4(sandbox_process)

    answer = txty.send(**odd)

    assert answer.status_code == 200
    assert txty.stats()["accepted"] == (answer.json()["status"] == "success")


@settings(deadline=None)  # a process answers
@given(resources, odd_fields, st.sampled_from(["json", "xml"]))
def test_any_call_of_v4_is_answered(
    sandbox_process: Sandbox, resource: str, odd: dict[str, object], suffix: str
) -> None:
    txty = TxtyV4(sandbox_process)
    login = {"user": "acme", "key": "key", "fullname": "A", "name": "B", "contact": "100", "group": "100"}

    answer = txty.call("POST", f"{resource}/api.{suffix}", data=login | odd)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "body", [b"\xff\xfe=\x00", b"&&==&", b"a" * 5000, b"%zz=%", b"user=a&key=b&msisdn=%ff"]
)
def test_any_form_is_answered(sandbox: Sandbox, body: bytes) -> None:
    assert TxtyV4(sandbox).call(data=body).json()["status"] == "error"
    assert TxtyV6(sandbox).call(path=f"v6/sms?{quote(body, safe='&=%')}").status_code in {400, 401}
