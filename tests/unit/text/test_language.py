"""Hostile templates: each is refused, or rendered, soon and in little memory; and what texts need works."""

import resource
import time

import pytest

from worker.errors import InputError
from worker.text.template import Template

LOOP = "{% for a in range(999) %}{% for b in range(999) %}"
ENDS = "{% endfor %}{% endfor %}"
LONGEST = "x" * 20_000

HOSTILE = {
    "doubled by tildes": "{% set a = name ~ name %}" + "{% set a = a ~ a %}" * 500 + "{{ a }}",
    "doubled by plus": "{% set a = name + name %}" + "{% set a = a + a %}" * 500 + "{{ a }}",
    "doubled in a block": "{% set a %}{{ name }}{{ name }}{% endset %}{{ a }}",
    "doubled by replacing": "{{ name" + " | replace('x', 'xx')" * 400 + " }}",
    "doubled in lists": "{% set a = [name, name] %}{% set a = [a, a] %}{{ a }}",
    "numbers doubled": "{{ name }}{% set a = 999999999999 %}" + "{% set a = a + a %}" * 400 + "{{ a }}",
    "repeated text": "{{ name * 999999999 }}",
    "repeated list": "{{ [name] * 999999999 }}",
    "power": "{{ 9 ** 99999999 }}",
    "power of powers": "{{ 9 ** (9 ** 9) }}",
    "percent": "{{ '%999999999d' % 1 }}{{ name }}",
    "percent in a test": "{% if '%999999999d' is odd %}{% endif %}{{ name.a }}",
    "percent in the test for even": "{% if '%999999999d' is even %}{% endif %}{{ name.a }}",
    "percent in another test": "{{ '%999999999d' is divisibleby 5 }}",
    "format": "{{ '{:>999999999}'.format(name) }}",
    "format by item": "{{ '{:>999999999}'['format'](name) }}",
    "format_map": "{{ '{a:>999999999}'.format_map({'a': name}) }}",
    "format filter": "{{ '%999999999d' | format(1) }}",
    "center": "{{ name | center(999999999) }}",
    "center method": "{{ name.center(999999999) }}",
    "ljust": "{{ name.ljust(999999999) }}",
    "zfill": "{{ name.zfill(999999999) }}",
    "expandtabs": "{{ name.expandtabs(999999999) }}",
    "indent": "{{ name | indent(999999999) }}",
    "wordwrap": "{{ name | wordwrap(1) }}",
    "round": "{{ name }}{{ 1.5 | round(999999999) }}",
    "decimals": "{{ name }}{{ 1 | number(999999999) }}",
    "date pattern": "{{ name }}{{ '2026-11-22' | date('" + "y" * 9000 + "') }}",
    "language": "{{ 1 | number(locale='../../' ~ name) }}",
    "joined": "{{ range(999) | join(name ~ name) }}{{ name.a }}",
    "joined list": "{{ [" + "name," * 1900 + "] | join }}{{ name.a }}",
    "list in capitals": "{{ [" + "name," * 1900 + "] | upper }}",
    "list as a text": "{{ [" + "name," * 1900 + "] | string }}",
    "printed": "{{ name }}" * 990 + "{{ name.a }}",
    "range": "{% for a in range(999999999) %}{% endfor %}{{ name }}",
    "empty loops": LOOP + ENDS + "{{ name }}",
    "printing loops": LOOP + "{{ name }}{{ name }}" + ENDS,
    "loops in loops": "{% for a in range(9) %}" * 4 + "{% endfor %}" * 4 + "{{ name }}",
    "recursive loop": "{% for a in [name] recursive %}{{ loop([a]) }}{{ loop([a]) }}{% endfor %}",
    "macro": "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}{{ name }}",
    "call": "{% call name() %}{% endcall %}",
    "filter block": "{% filter upper %}{{ name }}{% endfilter %}",
    "include": "{{ name }}{% include 'other' %}",
    "import": "{{ name }}{% import 'os' as os %}",
    "extends": "{% extends name %}",
    "namespace": "{% set n = namespace(a=name) %}{{ n.a }}",
    "class": "{{ name.__class__.__mro__ }}",
    "class by item": "{{ name['__class__'] }}",
    "attr": "{{ name | attr('__class__') }}",
    "map": "{{ [name] | map(attribute='__class__') | join }}",
    "globals": "{{ name }}{{ range.__globals__ }}",
    "self": "{{ name }}{{ self._TemplateReference__context }}",
    "lipsum": "{{ lipsum(n=1000) }}",
    "cycler": "{{ cycler(name) }}",
    "brackets": "{{ " + "(" * 4900 + "name" + ")" * 4900 + " }}",
    "lists": "{{ " + "[" * 4900 + "name" + "]" * 4900 + " }}",
    "not": "{{ " + "not " * 2400 + "name.a }}",
    "minus": "{{ " + "-" * 9900 + "name }}",
    "plus": "{{ name" + " + 1" * 2400 + " }}",
    "items": "{{ name" + "[0]" * 3200 + ".a }}",
    "attributes": "{{ name" + ".a" * 4900 + " }}",
    "inline conditions": "{{ " + "name if name else " * 550 + "name.a }}",
    "conditions": "{% if name %}" * 400 + "{{ name.a }}" + "{% endif %}" * 400,
    "elif": "{% if name == 'a' %}" + "{% elif name == 'b' %}" * 440 + "{% endif %}{{ name.a }}",
    "assignments": "{% set a = 1 %}" * 650 + "{{ name.a }}",
    "comparisons": "{{ 1" + " < 2" * 2400 + " }}{{ name.a }}",
    "filters": "{{ name" + " | title" * 1100 + " }}{{ name.a }}",
    "shortened": "{{ name" + " | shorten(19999)" * 500 + " }}{{ name.a }}",
    "digits": "{{ name }}{{ " + "9" * 9900 + " }}",
    "infinite": "{{ name }}{{ 1e999 }}",
    "infinite by dividing": "{{ name }}{{ 1e308 / 1e-308 }}",
    "constant without what is asked": "{{ name }}{{ 1 if (1).endswith else 2 }}",
    "constant with an item": "{{ name }}{{ true[::2] }}",
    "open": "{{" * 4900,
    "open blocks": "{% " * 3300,
    "open comments": "{#" * 4900,
    "spaces": "{%" + " " * 9900,
    "raw": "{% raw " * 1400,
    "quotes": "{{ '" + "\\'" * 4900,
}

#: Each is tried thousands of times in a loop, on the longest value.
REPEATED = [
    "name | title",
    "name | upper",
    "name | shorten(9999)",
    "name | replace('x', 'y')",
    "name | number(decimal='.')",
    "name | default(name) | trim | first_word",
    "name.split('x')",
    "name.upper() == name",
    "name[::2]",
    "name ~ '' == name",
    "'y' in name",
    "('x' ~ name[1:]) in name",
    "'y' in range(999)",
    "'2026-11-22' | date('full', locale='da')",
    "1234.5 | money('EUR')",
    "loop.cycle(*range(999))",
    "range(999) | join",
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("value", ["Ann", LONGEST], ids=["short", "long"])
def test_a_hostile_template_ends_soon_with_one_error(name: str, value: str) -> None:
    began_s, before_kb = time.process_time(), _peak_kb()

    with pytest.raises(InputError) as refused:
        _render(HOSTILE[name], value)

    assert refused.value.code in {"template_syntax", "template_error", "template_exhausted"}
    assert "xxx" not in str(refused.value)
    assert time.process_time() - began_s < 1
    assert _peak_kb() - before_kb < 50_000


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{{ name }}{{ name }}", "more than 20000 characters"),
        ("{{ name }}{{ name | upper }}", "more than 20000 characters"),
        ("{% for a in 'ab' %}{{ name }}{% endfor %}", "more than 20000 characters"),
        ("{% if name ~ name %}{% endif %}", "more than 20000 characters"),
        ("{% if name + name %}{% endif %}", "more than 20000 characters"),
        ("{% if [name, name] | join %}{% endif %}", "more than 20000 characters"),
        ("{% if name | replace('x', 'xy') %}{% endif %}", "more than 20000 characters"),
        ("{{ name }}{% for a in range(1001) %}{% endfor %}", "a range in it is too long"),
        ("{{ name }}{% set a = ['x'] %}", "neither a text nor a number"),
        ("{% if 'x' ~ ['x'] %}{{ name }}{% endif %}", "neither a text nor a number"),
        ("{{ name }}{% set a = [['x']] | length %}", "neither a text nor a number"),
        ("{% if '5' is even %}{{ name }}{% endif %}{{ 0 / 0 }}", "divides by zero"),
        ("{% for a in [1] recursive %}{{ name }}{% endfor %}", "loops inside each other"),
        ("{{ self }}", "neither a text nor a number"),
    ],
)
def test_what_a_template_may_not_is_said(source: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        _render(source, LONGEST)


@pytest.mark.parametrize("expression", REPEATED)
def test_a_costly_expression_in_a_loop_ends_soon(expression: str) -> None:
    template = Template(f"{LOOP}{{% if {expression} %}}{{% endif %}}{ENDS}{{{{ name }}}}")
    began_s, before_kb = time.process_time(), _peak_kb()

    with pytest.raises(InputError, match=r"too much|cannot be filled in"):
        template.render({"name": LONGEST})

    assert time.process_time() - began_s < 1
    assert _peak_kb() - before_kb < 50_000


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ name.split()[0] }}", "ann"),
        ("{{ name | first_word | title }}", "Ann"),
        ("{{ name[:3] | upper }}", "ANN"),
        ("{{ 'Dear ' ~ name }}", "Dear ann lee"),
        ("{{ 'Dear ' + name }}", "Dear ann lee"),
        ("{{ n | int + 1 }}", "3"),
        ("{{ n | int * 2.5 }}", "5.0"),
        ("{{ (n | float / 3) | round(2) }}", "0.67"),
        ("{{ 2.5 | round }}", "3.0"),
        ("{{ {'da': 'Hej', 'en': 'Hi'}[lang] }}", "Hi"),
        ("{% if lang in ['da', 'no'] %}Hej{% else %}Hi{% endif %}", "Hi"),
        ("{% set hi = 'Hi' if lang == 'en' else 'Hej' %}{{ hi }} {{ name }}", "Hi ann lee"),
        (
            "{% for w in name.split() %}{{ w | title }}{% if not loop.last %}-{% endif %}{% endfor %}",
            "Ann-Lee",
        ),
        ("{% for i in range(n | int) %}*{% endfor %}", "**"),
        ("{% for a in 'ab' %}{% for b in 'cd' %}{{ a }}{{ b }} {% endfor %}{% endfor %}", "ac ad bc bd "),
        ("{{ name | replace('ann', 'bo') | length }}", "6"),
        ("{{ [name, n] | join(', ') }}", "ann lee, 2"),
        ("{% if n | int is even %}even{% endif %}{% if 3 is odd %} odd{% endif %}", "even odd"),
        ("{{ name | shorten(6) }}", "ann..."),
        ("{{ '2026-11-22' | date('d. MMMM') }} {{ 1234.5 | number(2) }}", "22. November 1,234.50"),
        (
            "{{ '14:30' | time(locale='da') }} {{ '1234.5' | money('DKK', locale='da') }}",
            "14.30 1.234,50 kr.",
        ),
        ("{# a remark #}{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
    ],
)
def test_what_texts_need_works(source: str, text: str) -> None:
    values = {"name": "ann lee", "n": "2", "lang": "en"}

    assert Template(source).render(values) == text


@pytest.mark.parametrize("broken", ['name.foo | shorten("a")', "name.first | shorten"])
def test_a_filter_that_fails_on_what_is_not_there_is_an_error_of_the_row(broken: str) -> None:
    template = Template("{{ name | shorten(10) }} {{ " + broken + " }}")

    with pytest.raises(InputError):
        template.render({"name": "Ann"})


def test_dates_and_numbers_are_written_in_the_language_of_the_template() -> None:
    template = Template("{{ day | date }}: {{ amount | number(2) }}", locale="da")

    assert template.render({"day": "2026-11-22", "amount": "1234.5"}) == "22. november 2026: 1.234,50"


def _render(source: str, value: str) -> str:
    template = Template(source)
    return template.render(dict.fromkeys(template.variables, value))


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
