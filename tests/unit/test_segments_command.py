import json

import pytest
from click.testing import CliRunner

from producer.cli import cli
from worker.errors import InputError


def run(*arguments: str, stdin: bytes = b"") -> str:
    result = CliRunner().invoke(cli, ["segments", *arguments], input=stdin, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_json_has_encoding_units_parts_and_costly_characters() -> None:
    assert json.loads(run("5€ [VIP]", "--json")) == {
        "encoding": "gsm7",
        "units": 11,
        "parts": 1,
        "costly": ["€", "[", "]"],
    }


def test_each_costly_character_is_named_with_what_it_costs() -> None:
    report = run("\N{RIGHT SINGLE QUOTATION MARK}🎉\t")

    assert "U+2019 RIGHT SINGLE QUOTATION MARK: forces UCS-2\n" in report
    assert "🎉 U+1F389 PARTY POPPER: forces UCS-2 and counts twice\n" in report
    assert "U+0009 character without a name: forces UCS-2\n" in report
    assert "\t" not in report


@pytest.mark.parametrize(
    ("text", "limit"), [("a" * 160, 160), ("a" * 161, 153), ("ж" * 70, 70), ("ж" * 71, 67)]
)
def test_the_limit_of_a_part_is_shown(text: str, limit: int) -> None:
    assert f"at most {limit} " in run(text)


@pytest.mark.parametrize("arguments", [(), ("-",)])
@pytest.mark.parametrize(
    ("stdin", "units"), [(b"", 0), (b"ab\n", 2), (b"ab\r\n", 2), (b"ab\n\n", 3), (b"ab", 2)]
)
def test_standard_input_loses_one_line_end(arguments: tuple[str, ...], stdin: bytes, units: int) -> None:
    assert json.loads(run(*arguments, "--json", stdin=stdin))["units"] == units


@pytest.mark.parametrize(("arguments", "stdin"), [((), b"S\xf8ren"), (("S\udcf8ren",), b"")])
def test_a_text_that_is_not_utf_8_is_refused(arguments: tuple[str, ...], stdin: bytes) -> None:
    with pytest.raises(InputError, match="UTF-8"):
        run(*arguments, stdin=stdin)
