import base64
import json
import re
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sandbox.asgi import ask
from worker.sandbox.app import GATEWAYS
from worker.sandbox.gateway import Gateway

BASIC = (b"Authorization", b"Basic " + base64.b64encode(b"acme:key"))
LOGIN = {"username": "acme", "password": "key", "user": "acme", "key": "key", "token": "key"}
# What one of the gateways knows; each gets all of it.
PATHS = re.findall(
    r"\S+",
    """/send /sendgroup /simplesend/4520304050/Hello/ACME /creditvalue /getlog/4520304050 /getlog/1/2/3
    /deletesms/r1 /addgroup/A /listgroups /updategroup/1/B /deletegroup/1 /addcontact/1/4520304050/A
    /listcontacts/1 /updatecontact/1/2/3 /deletecontact/1/2 /listgroupmembership/4520304050 /v6/sms
    /sms/api.json /sms/api.xml /view/outbox/api.json /view/yourprices/api.json /group/create/api.json
    /view/groups/api.json /view/group/api.xml /contact/create/api.json /view/contacts/api.json
    /user/newapikey/login.json /login /token /checksession /status /sms /sms/7 /sms/bulk /paramsms
    /smstogroups /smshistory /rcptHistory /groups /group /credits /deliveryReports /deliveryReport/all
    /deliveryReport/all/custom/a1 /deliveryReport/all/2026-01-02T08:00:00/x /keywords/a /account /account/sub
    /DTD/sms_post.dtd""",
)
FIELDS = re.findall(
    r"\S+",
    """to message from timestamp encoding dlr_url flash reference format to_group groupName groupId
    phoneNumber contactName fromDate toDate msisdn sender text settings_premium settings_flash settings_silent
    settings_scheduled custom_reference contact group silent wappush schedule callback price search
    message_type recipient recipients scheduled_delivery_time scheduled_delivery_timezone order_id
    returnCredits returnRemaining allowInvalidRecipients campaign_name max_fragments truncate
    pageNumber pageSize timezone getMoney typeAliases originator mobile_number email validity
    custom check_stop numbers""",
)
GOOD: tuple[dict[str, Any], ...] = (
    {},
    {"to": ["4520304050"], "message": "Hello", "from": "ACME"},
    {"msisdn": "4520304050", "text": "Hello", "sender": "ACME"},
    {"message_type": "N", "message": "Hello", "recipient": ["+4520304050"]},
    {"message_type": "N", "message": "Hi ${a}", "recipients": {"0": {"recipient": "+4520304050", "a": "b"}}},
    {"to": "4520304050", "message": "Hello", "originator": "ACME"},
)
SIGNS = 'aZ09+-,.:;{}[]()$%&="\\/\x00\x1b\n øя€😀\u2028\ud83d'  # the last is half of a surrogate pair

texts = st.lists(st.sampled_from(SIGNS), max_size=12).map("".join)
plain = st.sampled_from(
    ["", "0", "-1", "true", "4520304050", "+4520304050", "Hello", "ACME", "9" * 40, "²", "٣"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | plain,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | texts, inner, max_size=3)
    ),
    max_leaves=4,
)
odd = st.dictionaries(st.sampled_from(FIELDS), values, max_size=3)
fields = st.builds(lambda good, odd: good | odd, st.sampled_from(GOOD), odd)
bodies = fields | fields | st.binary(max_size=40) | texts
quoted = texts.map(lambda text: "/" + quote(text, safe="", errors="replace"))
paths = st.sampled_from(PATHS) | st.lists(st.sampled_from(PATHS) | quoted, max_size=3).map("".join)
methods = st.sampled_from(["GET", "POST", "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])


def headers_of(gateway: Gateway) -> tuple[tuple[bytes, bytes], ...]:
    """Log in where that is a call; the others take the credentials with each."""
    answer = ask(gateway, "GET", "/login", headers=(BASIC,))
    user_key, semicolon, session_key = answer.body.partition(b";")
    return (BASIC, (b"user_key", user_key), (b"Session_key", session_key)) if semicolon else (BASIC,)


@pytest.mark.parametrize("make", GATEWAYS, ids=lambda gateway: gateway.name)
@settings(deadline=None)
@given(method=methods, path=paths, query=fields, body=bodies, is_form=st.booleans())
def test_any_request_is_answered_and_a_refused_one_sends_nothing(  # noqa: PLR0913 - the parts of a request
    make: type[Gateway],
    method: str,
    path: str,
    query: dict[str, Any],
    body: object,
    *,
    is_form: bool,
) -> None:
    gateway = make()
    headers = headers_of(gateway)
    sent = _body(body, is_form=is_form)

    answer = ask(gateway, method, path, query=_form(LOGIN | query), headers=headers, body=sent)

    assert answer.status < 500 or answer.status == 501
    assert answer.status < 400 or not gateway.book.counts["accepted"]
    assert method not in {"HEAD", "OPTIONS"} or not gateway.book.counts["sends"]


def _body(body: object, *, is_form: bool) -> bytes:
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode(errors="replace")
    assert isinstance(body, dict)
    return _form(LOGIN | body) if is_form else json.dumps(body).encode()


def _form(given: dict[str, Any]) -> bytes:
    return urlencode({name: str(value) for name, value in given.items()}, errors="replace").encode()


@pytest.mark.parametrize("make", GATEWAYS, ids=lambda gateway: gateway.name)
@pytest.mark.parametrize("raw", [b"\xff\xfe=\xc3", b"%ff%fe=%zz", b"a" * 5000, b"&&==&"])
def test_a_query_of_any_bytes_is_answered(make: type[Gateway], raw: bytes) -> None:
    assert ask(make(), "GET", "/sms", query=raw, headers=(BASIC,)).status in {*range(200, 500), 501}


@pytest.mark.parametrize("make", GATEWAYS, ids=lambda gateway: gateway.name)
def test_who_asks_what_is_allowed_is_told(make: type[Gateway]) -> None:
    answer = ask(make(), "OPTIONS", "/sms")

    assert (answer.status, answer.headers["allow"]) == (204, ", ".join(make.methods))


@pytest.mark.parametrize("make", GATEWAYS, ids=lambda gateway: gateway.name)
def test_a_body_beyond_all_measure_is_refused(make: type[Gateway]) -> None:
    answer = ask(make(), "POST", "/sms", headers=(BASIC,), body=b" " * (17 << 20))

    assert 400 <= answer.status < 500
