from hypothesis import given
from hypothesis import strategies as st

from producer.export import added_names, told_apart
from worker.ledger import cells

HEADERS = st.lists(
    st.sampled_from(["Mobile", "Name", "", "Name (2)", "column 2", "bulksend_id", "Bulksend2_x"]) | st.text()
)


@given(HEADERS)
def test_added_columns_are_never_called_like_one_of_the_file(headers: list[str]) -> None:
    added = added_names(headers)

    assert len(set(added)) == len(added)
    assert not set(added) & {header.strip().casefold() for header in headers}


@given(HEADERS)
def test_names_of_columns_are_told_apart_in_their_order(headers: list[str]) -> None:
    names = told_apart(headers)

    assert len(set(names)) == len(names) == len(headers)
    assert all(names)


@given(HEADERS, HEADERS)
def test_a_further_file_keeps_every_column_and_every_cell(first: list[str], second: list[str]) -> None:
    columns, places = cells.merged(first, second)
    row = [f"cell {n}" for n in range(len(second))]

    laid = cells.laid_out(row, places)

    assert list(columns[: len(first)]) == first
    assert [columns[place] for place in places] == second
    assert [laid[place] for place in places] == row
    assert sum(map(bool, laid)) == len(row)


@given(HEADERS)
def test_the_same_file_has_its_columns_at_their_places(headers: list[str]) -> None:
    assert cells.merged(headers, headers) == (tuple(headers), tuple(range(len(headers))))


@given(st.lists(st.text()))
def test_cells_are_read_as_they_were_written(row: list[str]) -> None:
    assert cells.read(cells.written(row)) == tuple(row)
