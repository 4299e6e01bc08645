from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.sandbox.running import Sandbox
from tests.sandbox.textmarketer_client import TO, Textmarketer, codes, fields

signs = 'aZ09+-, {}&=%;"\\/\x00\x1b\n\u00f8\u044f\u20ac\U0001f600\u2028\uffff\u0664'
# st.text() would first build its table of all characters, which takes longer than a test may take to start.
texts = st.lists(st.sampled_from(signs), max_size=20).map("".join)
names = (
    "to",
    "mobile_number",
    "message",
    "originator",
    "validity",
    "custom",
    "schedule",
    "email",
    "check_stop",
)
times = st.sampled_from(
    ["2027-02-30T00:00:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:00", "x" * 5000]
)
good = {"to": TO, "message": "Hello", "originator": "ACME"}
odd_fields = st.dictionaries(st.sampled_from(names), texts | times, max_size=3)


@settings(deadline=None)  # a process answers
@given(odd=odd_fields, is_multipart=st.booleans())
@example(odd={"validity": "9" * 5000}, is_multipart=False)
@example(odd={"to": "4" * 5000}, is_multipart=True)
def test_any_field_is_answered_and_the_answer_tells_what_was_accepted(
    sandbox_process: Sandbox, *, odd: dict[str, str], is_multipart: bool
) -> None:
    sandbox_process.reset()
    gateway = Textmarketer(sandbox_process)
    given_fields = good | odd

    if is_multipart:
        answer = gateway.call(
            "POST", "sms", files={name: (None, value) for name, value in given_fields.items()}
        )
    else:
        answer = gateway.call("POST", "sms", data=given_fields)

    assert answer.status_code in {200, 400}
    n_accepted = int(fields(answer)["credits_used"]) if answer.status_code == 200 else 0
    assert (gateway.stats()["parts"], bool(codes(answer))) == (n_accepted, answer.status_code == 400)


@settings(deadline=None)  # a process answers
@given(
    st.binary(max_size=40),
    st.sampled_from(
        ["multipart/form-data; boundary=x", "multipart/form-data", "application/x-www-form-urlencoded", ""]
    ),
)
def test_any_body_is_answered(sandbox_process: Sandbox, body: bytes, content_type: str) -> None:
    sandbox_process.reset()
    gateway = Textmarketer(sandbox_process)

    answer = gateway.call("POST", "sms", data=body, headers={"Content-Type": content_type})

    assert answer.status_code == 400
    assert codes(answer)


@settings(deadline=None)  # a process answers
@given(
    st.sampled_from(["deliveryReport", "group", "keywords", "account", "sms", "DTD"]),
    st.lists(texts, max_size=4),
)
def test_any_address_is_answered(sandbox_process: Sandbox, name: str, segments: list[str]) -> None:
    sandbox_process.reset()
    gateway = Textmarketer(sandbox_process)

    answer = gateway.call("GET", "/".join([name, *segments]))

    assert answer.status_code in {200, 400, 404, 405}
