import jinja2
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from jinja2 import meta

from worker.errors import InputError
from worker.text.template import Template, variable_name


def test_a_template_is_filled_in() -> None:
    assert Template("Hi {{ first_name }}!").render({"first_name": "Zoë"}) == "Hi Zoë!"


def test_nothing_is_escaped() -> None:
    assert Template("{{ name }}").render({"name": "O'Neil & <Sons>"}) == "O'Neil & <Sons>"


def test_variables_are_known_before_any_row() -> None:
    template = Template("{% if vip %}Dear {{ first_name | upper }}{% endif %}")

    assert template.variables == {"vip", "first_name"}
    assert not template.is_constant


@pytest.mark.parametrize("source", ["Hello", "", "{{ 3 * 4 }}", "{% for i in range(3) %}{{ i }}{% endfor %}"])
def test_a_template_without_variables_is_constant(source: str) -> None:
    assert Template(source).is_constant


def test_a_variable_may_be_written_as_the_header_is() -> None:
    template = Template("{{ FirstName }}")

    assert template.variables == {"firstname"}
    assert template.render({"firstname": "Ann"}) == "Ann"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip))
def test_a_value_is_never_read_as_a_template(value: str) -> None:
    hostile = "{{ 7 * 7 }}{% raw %}" + value

    assert Template("{{ name }}").render({"name": hostile}) == hostile


@pytest.mark.parametrize("values", [{}, {"first_name": ""}, {"first_name": " \n\N{NO-BREAK SPACE}"}])
def test_a_missing_or_empty_value_is_refused_by_name(values: dict[str, str]) -> None:
    with pytest.raises(InputError) as refused:
        Template("Hi {{ first_name }}").render(values)

    assert (refused.value.code, refused.value.column) == ("missing_value", "first_name")


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("{{", 1),
        ("Hi\n{% endfor %}", 2),
        ("{{ name | no_such_filter }}", 1),
        ("{{ [name, 'x'] | random }}", 1),  # a preview would show another text than is sent
        ("{{" + "(" * 3000, 1),
        ("{{ " + "9" * 5000 + " }}", 1),
        ("{% for x in y %}" * 30 + "{% endfor %}" * 30, 1),
        ("Hi\n{% include 'other' %}", 2),
        ("{{ 9 ** 99999999 }}", 1),
        ("{{ name | shorten(parts=0) }}", 1),
        ("{{ name | shorten(parts=name) }}", 1),
        ("{{ name | shorten(parts=2) }}{{ name | shorten(parts=3) }}", 1),
    ],
    ids=lambda source: str(source)[:40],
)
def test_a_bad_template_is_refused_with_its_line(source: str, line: int) -> None:
    with pytest.raises(InputError) as refused:
        Template(source)

    assert (refused.value.code, refused.value.line) == ("template_syntax", line)


def test_an_enormous_template_is_refused() -> None:
    with pytest.raises(InputError, match="10000 characters"):
        Template("x" * 10_001)


@pytest.mark.parametrize(
    "source",
    [
        "{{ name }}{{ 1 / 0 }}",
        "{{ name.salary }}",
        "{{ name.upper }}",  # without its brackets: would print a Python object
        "{{ name.split() }}",
        "{{ name }}{{ none }}",
        "{{ name.__class__.__mro__ }}",
        "{{ name }}{% for i in range(999999999) %}{% endfor %}",
        "{{ name * 999999999 }}",
        "{{ '%999999999d' % name }}",
        "{{ name | date }}",
        "{{ name | number }}",
        "{{ name | int }}",
        "{{ name | shorten }}",
        "{{ name[0:1] * 3 }}",
        "{{ name }}{{ 1e999 }}",
        "{{ name | int + name }}",
    ],
)
def test_an_error_while_rendering_is_refused_without_the_row(source: str) -> None:
    template = Template(source)

    with pytest.raises(InputError) as refused:
        template.render({"name": "Confidential"})

    assert refused.value.code == "template_error"
    assert "Confidential" not in str(refused.value)
    assert refused.value.__context__ is None


ROW = {"when": "31/12", "amount": "ten", "other": "ten", "day": "2027-01-31"}


@pytest.mark.parametrize(
    ("source", "filter_", "column"),
    [
        ("{{ when | date }} {{ day | date }}", "date", "when"),
        ("{{ day | date }} {{ amount | money('DKK') }}", "money", "amount"),
        ("{{ amount | trim | number }}", "number", "amount"),
        ("{{ amount | number }}{{ other | number }}", "number", None),
        ("{{ (amount ~ other) | number }}", "number", None),
        ("{% set sum = amount %}{{ sum | number }}", "number", None),
        ("{{ amount | shorten }}", "shorten", "amount"),
        ("{{ when | time }}", "time", "when"),
    ],
)
def test_what_a_filter_cannot_read_names_the_filter_and_the_column_where_that_is_certain(
    source: str, filter_: str, column: str | None
) -> None:
    with pytest.raises(InputError, match=f"for this row: the filter {filter_}") as refused:
        Template(source).render(ROW)

    assert refused.value.column == column
    assert (f"of the column {column!r}" in str(refused.value)) is (column is not None)


@pytest.mark.parametrize(
    "source",
    ["{{ 'x' | date }}", "{% for i in range(900) %}{% for j in range(900) %}{% endfor %}{% endfor %}"],
)
def test_a_text_without_variables_speaks_of_no_row(source: str) -> None:
    with pytest.raises(InputError) as refused:
        Template(source).render({})

    assert "row" not in str(refused.value)


@pytest.mark.parametrize(
    "source",
    [
        "{{ first_name | default('you') }}",
        "{{ First_Name | d('you') }}",
        "{{ first_name | trim | title | default('you') }}",
        "{% if first_name %}{{ first_name }}{% else %}you{% endif %}",
        "{{ first_name if first_name else 'you' }}",
        "{% if not first_name %}you{% endif %}",
        "{% if first_name and first_name == 'Ann' %}{% else %}you{% endif %}",
        "{% if 1 and first_name %}{{ first_name }}{% else %}you{% endif %}",
        "{% if first_name and 1 %}{{ first_name }}{% elif not first_name %}you{% endif %}",
    ],
)
@pytest.mark.parametrize("values", [{}, {"first_name": ""}, {"first_name": " "}])
def test_a_blank_is_allowed_where_the_template_provides_for_it(source: str, values: dict[str, str]) -> None:
    template = Template(source)

    assert template.variables == {"first_name"}
    assert not template.needed
    assert template.render(values) == "you"


@pytest.mark.parametrize(
    "source",
    [
        "{{ name | default('you') }}{{ name }}",
        "{% if name %}{% else %}{{ name }}{% endif %}",
        "{% if not name %}{{ name }}{% endif %}",
        "{% if name or 1 %}{{ name }}{% endif %}",
        "{% if name == 'Ann' %}a{% else %}b{% endif %}",
        "{{ 'you' | default(name) }}",
        "{{ name | title }}",
        "{% if 1 %}{{ name }}{% elif name %}{% endif %}",
    ],
)
def test_one_use_that_does_not_provide_for_a_blank_needs_the_value(source: str) -> None:
    template = Template(source)

    assert template.needed == {"name"}
    with pytest.raises(InputError, match="'name' is empty"):
        template.render({"name": " "})


def test_a_value_that_no_message_holds_is_refused_by_name() -> None:
    with pytest.raises(InputError) as refused:
        Template("{{ note | upper }}").render({"note": "x" * 20_001})

    assert (refused.value.code, refused.value.column) == ("value_too_long", "note")


NAMES = [
    "name",
    "Name",
    "first_name",
    "self",
    "loop",
    "super",
    "caller",
    "varargs",
    "æble",
    "fi\N{LATIN SMALL LIGATURE FL}",
]
DATA = st.text(st.sampled_from("aé %\r\n\t{}%$s#€🎉'\"\\"), max_size=8).filter(
    lambda text: not any(mark in text for mark in ("{{", "{%", "{#", "##")) and text[-1:] != "{"
)
PLACES = st.tuples(st.sampled_from(["{{%s}}", "{{ %s }}", "{{- %s }}", "{{ %s -}}"]), st.sampled_from(NAMES))
SIMPLE = st.lists(st.one_of(DATA, PLACES.map(lambda place: place[0] % place[1])), max_size=5).map("".join)
ROWS = st.dictionaries(
    st.sampled_from([variable_name(name) for name in NAMES]),
    st.one_of(st.just(" "), st.text(st.sampled_from("Aé {}%s🎉"), max_size=5), st.just("x" * 9_000)),
)


@given(SIMPLE, ROWS)
def test_a_template_of_names_alone_gives_what_jinja_gives(source: str, row: dict[str, str]) -> None:
    template = Template(source)
    with_care = Template("{{ '' }}" + source)  # no template of names alone

    assert _outcome(template, row) == _outcome(with_care, row)
    assert with_care.variables == template.variables


@given(SIMPLE, ROWS.filter(lambda row: all(map(str.strip, row.values()))))
def test_a_template_of_names_alone_gives_what_bare_jinja_gives(source: str, row: dict[str, str]) -> None:
    tree = jinja2.Environment(autoescape=False)  # noqa: S701 -- texts, no pages
    written = {name: row[variable_name(name)] for name in NAMES if variable_name(name) in row}
    asked = meta.find_undeclared_variables(tree.parse(source))
    assume(asked <= written.keys() and "self" not in source)  # which Jinja2 does not take from a row
    expected = tree.from_string(source).render({name: written[name] for name in asked})
    assume(len(expected) <= 20_000)

    assert Template(source).render(row) == expected


def _outcome(template: Template, row: dict[str, str]) -> tuple[str, str | None]:
    try:
        return template.render(row), None
    except InputError as error:
        return error.code, str(error)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("First name", "first_name"),
        ("  FIRST--name  ", "first_name"),
        ("first_name", "first_name"),
        ("Beløb (kr.)", "beløb_kr"),
        ("Straße", "strasse"),
        ("e\N{COMBINING ACUTE ACCENT}", "é"),
        ("नाम", "नाम"),
        ("", ""),
        ("-_-", ""),
    ],
)
def test_a_header_gives_a_variable_name(header: str, name: str) -> None:
    assert variable_name(header) == name


@given(st.text())
def test_a_variable_name_names_itself(header: str) -> None:
    assert variable_name(variable_name(header)) == variable_name(header)
