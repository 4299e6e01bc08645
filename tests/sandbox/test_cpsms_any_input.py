from hypothesis import given
from hypothesis import strategies as st

from tests.sandbox.running import Sandbox

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
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


@given(odd_fields)
def test_any_field_is_answered_and_the_answer_equals_what_was_accepted(
    sandbox_process: Sandbox, odd: dict[str, object]
) -> None:
    sandbox_process.reset()

    answer = sandbox_process.cpsms("POST", "send", json=good | odd)

    assert answer.status_code in {200, 207, 400, 406, 409}
    assert sandbox_process.stats()["accepted"] == len(answer.json().get("success", []))


@given(st.binary(max_size=40) | st.text('[]{}",:1ae', max_size=20).map(str.encode))
def test_any_body_is_answered(sandbox_process: Sandbox, body: bytes) -> None:
    sandbox_process.reset()

    assert sandbox_process.cpsms("POST", "send", data=body).status_code == 400
