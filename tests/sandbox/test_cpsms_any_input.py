from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.sandbox.running import Sandbox

signs = 'aZ09+- {}"\\/\x00\x1b\nøя€😀\u2028\ud83d'  # the last is half of a surrogate pair
# st.text() would first build its table of all characters, which takes longer than a test may take to start.
texts = st.lists(st.sampled_from(signs), max_size=20).map("".join)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=4,
)
names = (
    "to",
    "message",
    "from",
    "timestamp",
    "encoding",
    "dlr_url",
    "flash",
    "reference",
    "format",
    "to_group",
)
good = {"to": ["4520304050"], "message": "Hello", "from": "ACME"}
odd_fields = st.dictionaries(st.sampled_from(names), values, max_size=3)


@settings(deadline=None)  # a process answers
@given(odd_fields)
@example({"to": "\ud83d"})
@example({"message": "\ud83d", "format": "UNICODE", "reference": "\ud83d"})
def test_any_field_is_answered_and_the_answer_equals_what_was_accepted(
    sandbox_process: Sandbox, odd: dict[str, object]
) -> None:
    sandbox_process.reset()

    answer = sandbox_process.cpsms("POST", "send", json=good | odd)

    assert answer.status_code in {200, 207, 400, 406, 409}
    assert sandbox_process.stats()["accepted"] == len(answer.json().get("success", []))


@settings(deadline=None)  # a process answers
@given(
    st.binary(max_size=40) | st.lists(st.sampled_from('[]{}",:1ae'), max_size=20).map("".join).map(str.encode)
)
def test_any_body_is_answered(sandbox_process: Sandbox, body: bytes) -> None:
    sandbox_process.reset()

    assert sandbox_process.cpsms("POST", "send", data=body).status_code == 400
