import pytest

from worker.errors import InputError
from worker.text.compose import Composed, Rules, compose
from worker.text.replacing import Replacement
from worker.text.segments import Encoding
from worker.text.template import Template


def test_a_row_becomes_a_text_with_its_parts() -> None:
    composed = compose(Template("Hi {{ name }}"), {"name": "Zoë"}, Rules(max_parts=1))

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
        compose(Template(source), {"name": "x"}, Rules(max_parts=2))

    assert refused.value.code == code


@pytest.mark.parametrize(
    "text", ["two\nlines", "two\rlines", "page\fbreak", "emoji \N{ZERO WIDTH JOINER} 🎉"]
)
def test_line_and_page_breaks_and_joiners_can_be_sent(text: str) -> None:
    assert compose(Template("{{ note }}"), {"note": text}, Rules(max_parts=1)).text == text


def test_a_text_that_is_too_long_says_by_how_much() -> None:
    with pytest.raises(InputError, match="needs 3 parts, and at most 2"):
        compose(Template("a" * 307), {}, Rules(max_parts=2))


def test_the_width_of_the_reference_counts() -> None:
    template = Template("a" * 306)

    assert compose(template, {}, Rules(max_parts=9)).n_parts == 2
    assert compose(template, {}, Rules(max_parts=9, udh_bits=16)).n_parts == 3


def test_typographic_signs_are_replaced_only_where_this_is_asked_for() -> None:
    template, values = Template("{{ name }}\N{RIGHT SINGLE QUOTATION MARK}s"), {"name": "Ann"}

    as_written = compose(template, values, Rules(max_parts=1))
    plain = compose(template, values, Rules(max_parts=1, is_smart=True))

    assert (as_written.text, as_written.encoding) == ("Ann\N{RIGHT SINGLE QUOTATION MARK}s", Encoding.UCS_2)
    assert (plain.text, plain.encoding) == ("Ann's", Encoding.GSM_7)
    assert plain.replacements == (
        Replacement(character="\N{RIGHT SINGLE QUOTATION MARK}", replacement="'", count=1),
    )


def test_nothing_is_replaced_where_sixteen_bits_are_asked_for() -> None:
    text = "Ann\N{RIGHT SINGLE QUOTATION MARK}s"

    composed = compose(Template(text), {}, Rules(max_parts=1, encoding=Encoding.UCS_2, is_smart=True))

    assert (composed.text, composed.replacements) == (text, ())


def test_the_encoding_can_be_asked_for() -> None:
    assert compose(Template("a" * 71), {}, Rules(max_parts=2, encoding=Encoding.UCS_2)).n_parts == 2
    with pytest.raises(InputError, match="the GSM alphabet does not have"):
        compose(Template("ç"), {}, Rules(max_parts=2, encoding=Encoding.GSM_7))


@pytest.mark.parametrize(
    ("word", "n_units"),
    [("word ", 306), ("слово ", 134), ("👨\N{ZERO WIDTH JOINER}👩\N{ZERO WIDTH JOINER}👧 ", 134)],
)
def test_a_value_gives_way_until_the_whole_text_has_the_parts_that_it_shall(word: str, n_units: int) -> None:
    template = Template("Hi {{ name }}: {{ note | shorten(parts=2) }} Bye {{ name }}!")

    composed = compose(template, {"name": "Ann", "note": word * 99}, Rules(max_parts=10))

    assert composed.n_parts == 2
    assert n_units - len(word) * 2 - 3 < composed.units <= n_units
    assert composed.text.startswith("Hi Ann: " + word)
    assert composed.text.endswith("... Bye Ann!")


def test_a_value_that_need_not_give_way_stays_whole() -> None:
    template = Template("{{ note | shorten(parts=1) }}")

    assert compose(template, {"note": "a" * 160}, Rules(max_parts=10)).text == "a" * 160


def test_a_text_that_is_too_long_without_the_value_is_refused() -> None:
    template = Template("{{ note | shorten(parts=1) }}" + "a" * 161)

    with pytest.raises(InputError, match="needs 2 parts, and at most 1") as refused:
        compose(template, {"note": "b" * 50}, Rules(max_parts=10))

    assert refused.value.code == "text_too_long"
