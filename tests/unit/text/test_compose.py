import pytest

from worker.errors import InputError
from worker.text.compose import Composed, compose
from worker.text.segments import Encoding
from worker.text.template import Template


def test_a_row_becomes_a_text_with_its_parts() -> None:
    composed = compose(Template("Hi {{ name }}"), {"name": "Zoë"}, max_parts=1)

    assert composed == Composed(text="Hi Zoë", encoding=Encoding.UCS_2, units=6, n_parts=1)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("", "text_empty"),
        (" \n ", "text_empty"),
        ("{% if name == 'x' %}{% endif %}", "text_empty"),
        ("a\tb", "text_control_character"),
        ("a\0b", "text_control_character"),
        ("a\x1bb", "text_control_character"),
        ("a\x7fb", "text_control_character"),
        ("a\x85b", "text_control_character"),
        ("a\ud83db", "text_control_character"),
        ("a" * 307, "text_too_long"),
    ],
)
def test_a_text_that_cannot_be_sent_is_refused(source: str, code: str) -> None:
    with pytest.raises(InputError) as refused:
        compose(Template(source), {"name": "x"}, max_parts=2)

    assert refused.value.code == code


@pytest.mark.parametrize(
    "text", ["two\nlines", "two\rlines", "page\fbreak", "emoji \N{ZERO WIDTH JOINER} 🎉"]
)
def test_line_and_page_breaks_and_joiners_can_be_sent(text: str) -> None:
    assert compose(Template("{{ note }}"), {"note": text}, max_parts=1).text == text


def test_a_text_that_is_too_long_says_by_how_much() -> None:
    with pytest.raises(InputError, match="needs 3 parts, and at most 2"):
        compose(Template("a" * 307), {}, max_parts=2)


def test_the_width_of_the_reference_counts() -> None:
    template = Template("a" * 306)

    assert compose(template, {}, max_parts=9).n_parts == 2
    assert compose(template, {}, max_parts=9, udh_bits=16).n_parts == 3
