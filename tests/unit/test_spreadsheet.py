import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.spreadsheet import as_written, inert

FORMULAS = ("=", "+", "-", "@", "\t", "\r")


@given(st.text())
def test_what_was_made_inert_comes_back_as_it_was(cell: str) -> None:
    assert as_written(inert(cell)) == cell


@given(st.text())
def test_no_cell_begins_like_a_formula(cell: str) -> None:
    assert not inert(cell).startswith(FORMULAS)


@pytest.mark.parametrize(
    ("cell", "written"),
    [("'Anna'", "'Anna'"), ("'+45", "+45"), ("''+45", "'+45"), ("'", "'"), ("", ""), (" x ", " x ")],
)
def test_only_an_apostrophe_before_a_formula_is_taken_off(cell: str, written: str) -> None:
    assert as_written(cell) == written
