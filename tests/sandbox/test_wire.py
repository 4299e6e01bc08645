import json
import re
import time
from collections.abc import Callable
from urllib.parse import unquote_plus

from hypothesis import given
from hypothesis import strategies as st

from worker.sandbox.wire import decoded, fields, new_guid, now, quoted

FORMS = st.one_of(st.text(), st.text(alphabet="ab=&+%20 \xe6"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(FORMS)
def test_the_fields_of_a_form_are_those_of_the_plain_way(form: str) -> None:
    parted = [field.partition("=") for field in form.split("&")]

    assert fields(form) == [(unquote_plus(name), sign, unquote_plus(value)) for name, sign, value in parted]


@given(VALUES, st.sampled_from(["", " ", "\n\t"]), st.sampled_from(["", " ", "\r\n"]))
def test_json_is_read_with_and_without_blanks_around_it(value: object, before: str, after: str) -> None:
    assert decoded(f"{before}{json.dumps(value)}{after}") == value


@given(st.text() | st.text(alphabet='{}[]":, 1'))
def test_json_is_read_as_by_the_library(text: str) -> None:
    assert _read(decoded, text) == _read(json.loads, text)


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_a_string_is_written_in_ascii_and_read_back(text: str) -> None:
    written = quoted(text)

    assert written.isascii()
    assert json.loads(written) == text


def test_no_two_guids_are_the_same_and_all_have_the_form_of_version_4() -> None:
    guids = [new_guid() for _ in range(1000)]

    assert len(set(guids)) == len(guids)
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", each)
        for each in guids
    )


def test_now_is_the_time_of_the_clock() -> None:
    before_s = time.time()

    assert before_s - 1e-5 <= float(now()) <= time.time()


def _read(read: Callable[[str], object], text: str) -> str:
    try:
        return repr(read(text))
    except json.JSONDecodeError as error:
        return str(error)
