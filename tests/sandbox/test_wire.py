import json
import re
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.sandbox.wire import decoded, fields, new_guid, quoted, seconds

T = TypeVar("T", str, bytes)
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
    assert decoded(f"{before}{json.dumps(value)}{after}".encode()) == value


@given(st.text() | st.text(alphabet='{}[]":, 1'))
def test_json_is_read_as_by_the_library(text: str) -> None:
    assert _read(decoded, text.encode()) == _read(json.loads, text)


@pytest.mark.parametrize(
    "text",
    [
        *('"\\ud83d"', '"\\ud83d\\ude00"', '{"a": 1, "b": 2, "a": 3}', "[" * 900 + "]" * 900),
        *("NaN", "-Infinity", "-NaN", "-0", "0.1", "1e400", "1.00000000000000011", "1" * 4300, "1" * 4301),
    ],
)
def test_what_readers_of_json_disagree_on_is_read_as_by_the_library(text: str) -> None:
    assert _read(decoded, text.encode()) == _read(json.loads, text)


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


def test_a_time_is_written_in_seconds_to_the_microsecond() -> None:
    assert seconds(1_784_000_000_012_345_678) == "1784000000.012345"


def _read(read: Callable[[T], object], text: T) -> str:
    try:
        return repr(read(text))
    except ValueError as error:
        return str(error)
