import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    ],
    ids=lambda source: str(source)[:20],
)
def test_a_bad_template_is_refused_with_its_line(source: str, line: int) -> None:
    with pytest.raises(InputError) as refused:
        Template(source)

    assert (refused.value.code, refused.value.line) == ("template_syntax", line)


def test_an_enormous_template_is_refused() -> None:
    with pytest.raises(InputError, match="20000 characters"):
        Template("x" * 20_001)


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
        "{{ name }}{{ 9 ** 99999999 }}",
        "{{ '%999999999d' % name }}",
        "{{ name }}{% include 'other' %}",
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
