import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.spreadsheet import as_typed, as_written, inert

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # noqa: RUF001 - these are meant

cells = st.text() | st.text("=+-@;,\t\r\n '\"a1＝＠", max_size=12)  # noqa: RUF001


@given(cells)
def test_what_was_made_inert_comes_back_as_it_was(cell: str) -> None:
    assert as_written(inert(cell)) == cell


@given(cells)
def test_no_cell_begins_like_a_formula(cell: str) -> None:
    assert not inert(cell).startswith(FORMULAS)


@given(st.lists(cells, min_size=1, max_size=4))
def test_no_cell_begins_like_a_formula_wherever_a_program_divides_a_row(row: list[str]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerow(map(inert, row))
    text = file.getvalue()

    honoured = [list(csv.reader(io.StringIO(text, newline=""), delimiter=each)) for each in ",;\t"]
    found = [cell for rows in honoured for cells in rows for cell in cells]
    found += re.split("[;\t\r\n]", text)  # quotes that do not begin a cell are no quotes
    assert not [cell for cell in found if re.match('[ "]*[=+@＝＋－＠-]', cell)]  # noqa: RUF001


@pytest.mark.parametrize(
    ("cell", "written"),
    [("'Anna'", "'Anna'"), ("'+45", "+45"), ("''+45", "'+45"), ("'", "'"), ("", ""), (" x ", " x ")],
)
def test_only_an_apostrophe_before_a_formula_is_taken_off(cell: str, written: str) -> None:
    assert as_written(cell) == written


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("a;=1+1", "a;'=1+1"),
        ("a\t=1", "a\t'=1"),
        ("a\n-1", "a\n'-1"),
        ('a; "=1', "a;' \"=1"),
        ("＝1+1", "'＝1+1"),  # noqa: RUF001
        ('"-5"', '\'"-5"'),
        ("a; b - c, =d", "a; b - c, =d"),
        ("Vej 1\n\nBy", "Vej 1\n\nBy"),
    ],
)
def test_what_another_program_takes_for_a_cell_is_inert_too(cell: str, shown: str) -> None:
    assert inert(cell) == shown


def test_a_long_cell_of_separators_takes_no_time() -> None:
    assert inert("\t" * 1_000_000 + " " * 1_000_000) == "'" + "\t" * 1_000_000 + " " * 1_000_000


@pytest.mark.parametrize("cell", ["Tilbud\n'-20%", "Rock;'-Roll", "'s-Gravenhage", "it's"])
def test_an_apostrophe_within_a_text_of_a_person_stays(cell: str) -> None:
    assert as_typed(cell) == cell
