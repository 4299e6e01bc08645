"""Whatever a file holds: every row is a row or a problem, of its line, with the cells that were written."""

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer.recipients import Form, Problem, Row, open_recipients
from producer.recipients.table import open_table
from producer.spreadsheet import as_written
from worker.errors import InputError

Write = Callable[[bytes], Path]
CODES = frozenset({"encoding", "file_empty", "file_broken", "no_number_column", "unreadable_row"})
bounded = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=250)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def save(content: bytes) -> Path:
        path = tmp_path / "people.csv"
        path.write_bytes(content)
        return path

    return save


def judged(path: Path, form: Form) -> list[Row | Problem] | str:
    """Return what a file comes to, or the code with which it is refused as a whole."""
    try:
        return list(open_recipients(path, region="DK", form=form))
    except InputError as error:
        return error.code


# --- any bytes

ASCII = [
    "mobile,name\n",
    "20304050",
    "+4520304051",
    "sep=;\n",
    "=1",
    " ",
    "\0",
    "A" * 200_000,
    "bulksend_line,",
]
DIALECT = [",", ";", "\t", "\n", "\r\n", "\r", '"', '""', "'"]
OTHER = [
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xc3\xb8",
    b"\xf8",
    b"\x1f\x8b",
    b"PK\x03\x04",
    b"\xe2\x80\xa8",
    b",\0\n\0",
]
pieces = st.sampled_from([*(each.encode() for each in [*ASCII, *DIALECT]), *OTHER])
forms = st.builds(
    Form,
    encoding=st.sampled_from([None, None, "utf-8", "cp1252", "utf-16", "shift_jis"]),
    delimiter=st.sampled_from([None, None, ",", "\t", " "]),
    quote=st.sampled_from([None, None, '"', "'", ""]),
)


@given(st.lists(pieces, max_size=40).map(b"".join) | st.binary(max_size=300), forms, st.booleans())
@bounded
def test_no_bytes_make_it_crash_and_lines_go_up(
    write: Write,
    content: bytes,
    form: Form,
    is_packed: bool,  # noqa: FBT001 - given by hypothesis
) -> None:
    found = judged(write(gzip.compress(content) if is_packed else content), form)

    if isinstance(found, str):
        assert found in CODES
    else:
        lines = [each.line for each in found]
        assert lines == sorted(set(lines))


# --- files that a program wrote

cell = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)
table = st.integers(1, 5).flatmap(
    lambda width: st.lists(st.lists(cell, min_size=width, max_size=width), min_size=1, max_size=8)
)


@given(
    table,
    st.sampled_from(",;\t|"),
    st.sampled_from("\"'"),
    st.sampled_from([("\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL), ("\r", csv.QUOTE_ALL)]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"]),
)
@bounded
def test_every_cell_comes_back_as_it_was_written(  # noqa: PLR0913, PLR0917 - the ways to write a table
    write: Write, rows: list[list[str]], delimiter: str, quote: str, ends: tuple[str, int], encoding: str
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quotechar=quote, lineterminator=ends[0], quoting=ends[1])  # type: ignore[arg-type]
    headers = ["mobile", *(f"c{n}" for n in range(len(rows[0])))]
    writer.writerows([headers, *(["20304050", *row] for row in rows)])
    form = Form.parse(encoding=encoding, delimiter=delimiter, quote=quote)

    found = list(open_recipients(write(text.getvalue().encode(encoding)), region="DK", form=form))

    assert [each.cells[1:] for each in found] == [
        tuple(as_written(each.strip()) for each in row) for row in rows
    ]
    assert all(isinstance(each, Row) for each in found)


lines = st.lists(
    st.lists(
        st.sampled_from(["a", "b c", '"x"', '"y,z"', '"p""q"', '"m\nn"', "5'", "", " ", "ø"]),
        min_size=1,
        max_size=4,
    ),
    min_size=1,
    max_size=12,
)


@given(lines)
@bounded
def test_it_reads_what_the_reader_of_the_standard_library_reads(write: Write, rows: list[list[str]]) -> None:
    text = "h1,h2\n" + "\n".join(",".join(row) for row in rows) + "\n"
    path = write(text.encode())
    independent = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    next(independent)
    expected, before = [], 1
    for cells in independent:
        expected.append((before + 1, stripped(cells)))
        before = independent.line_num

    records = open_table(path, Form(delimiter=",", quote='"'), region=None).records
    found = [(each.line, stripped(each.cells)) for each in records if not isinstance(each, Problem)]

    assert found == [(line, cells) for line, cells in expected if any(cells) or len(cells) > 1]


def stripped(cells: list[str]) -> list[str]:
    return [each.strip() for each in cells]


@given(
    st.lists(
        st.sampled_from(['20304050,"Ann', "20304050,Bo", '20304050,"C" d', "20304050,\0", '20304050,"E"']),
        max_size=12,
    )
)
@bounded
def test_a_row_that_cannot_be_read_takes_no_other_with_it(write: Write, rows: list[str]) -> None:
    path = write(("mobile,name\n20304050,x\n" + "\n".join([*rows, "20304050,last"]) + "\n").encode())
    is_whole = [not ('"Ann' in row or '"C"' in row or "\0" in row) for row in rows]

    found = list(open_recipients(path, region="DK"))

    by_line = {each.line: each for each in found}
    n_quotes = sum(row.count('"') for row in rows)
    assert isinstance(by_line[2], Row)
    if '"Ann' not in "".join(rows):  # else two open quotes may make a cell together, as anywhere
        assert [isinstance(by_line[line], Row) for line in range(3, 3 + len(rows))] == is_whole
        assert isinstance(by_line[3 + len(rows)], Row)
    elif n_quotes == 1:
        assert [isinstance(each, Row) for each in found] == [True, *is_whole, True]
