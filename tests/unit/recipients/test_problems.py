"""The file of refused rows: safe to open, and taken back as it is."""

import csv
import io
import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer.findings import Preview
from producer.recipients import Problem, Recipients, Row, Seen, open_recipients
from producer.recipients.problems import ProblemsFile, file_beside, write_dropped
from worker.errors import InputError

Refuse = Callable[[str | bytes], Path]


@pytest.fixture
def refuse(tmp_path: Path) -> Refuse:
    """Read a file, and return the list of what was refused."""

    def write(content: str | bytes) -> Path:
        path = tmp_path / "people.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return listed(open_recipients(path, region="DK"), tmp_path / "list.csv")

    return write


def listed(recipients: Recipients, target: Path) -> Path:
    file = ProblemsFile(target=target, may_replace=True)
    for item in recipients:
        if isinstance(item, Problem):
            file.add(item, recipients.headers)
    kept = file.keep()
    assert kept is not None
    return kept


def problems_of(path: Path) -> list[Problem]:
    return [each for each in open_recipients(path, region="DK") if isinstance(each, Problem)]


def rows_in(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def test_a_refused_row_is_listed_with_its_line_column_code_sentence_and_cells(refuse: Refuse) -> None:
    path = refuse("name;mobile\nAnn;20304050\nBo;none\n")

    assert rows_in(path) == [
        [*(f"bulksend_{each}" for each in ("line", "column", "code", "problem", "row")), "name", "mobile"],
        ["3", "mobile", "number_not_a_number", "this is not a number", "", "Bo", "none"],
    ]


def test_a_row_that_cannot_be_read_is_listed_as_it_stands(refuse: Refuse) -> None:
    rows = rows_in(refuse('name,mobile\n"Bo,20304050\nCy\0,20304051\n'))

    assert [(row[0], row[4], row[5:]) for row in rows[1:]] == [
        ("2", '"Bo,20304050', []),
        ("3", "Cy\N{SYMBOL FOR NULL},20304051", []),
    ]


def test_spreadsheets_open_it_as_utf_8_and_nobody_else_reads_it(refuse: Refuse) -> None:
    path = refuse("name,mobile\nSøren,none\n")

    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_no_cell_of_it_is_calculated(refuse: Refuse, start: str) -> None:
    (_, row) = rows_in(refuse(f"name,mobile,{start}x\n{start}1+1,{start}none,'{start}y\n"))

    assert row[5:] == [f"'{start}1+1", f"'{start}none", f"'{start}y"]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)


def test_the_name_of_a_column_is_not_calculated_either(refuse: Refuse) -> None:
    assert rows_in(refuse("=mobile\nnone\n"))[1][1] == "'=mobile"


cells = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8
) | st.sampled_from(
    ["=1", "+45", "'+45", "''=x", "-", "@a", "'", "\t=x", " =x", "'s-Gravenhage", "a;'=1\t-x"]
)


@given(st.lists(st.tuples(cells, cells, st.booleans()), min_size=1, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_what_is_corrected_and_sent_again_is_the_same_row(
    tmp_path: Path, rows: list[tuple[str, str, bool]]
) -> None:
    source = tmp_path / "people.csv"
    with source.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(["mobile", "note", "=more"])
        writer.writerows(["none", note, more] for note, more, _ in rows)
    first = list(open_recipients(source, region="DK"))
    problems = listed(open_recipients(source, region="DK"), tmp_path / "list.csv")

    again = open_recipients(problems, region="DK")
    assert again.headers == ["mobile", "note", "=more"]
    assert [each.cells for each in again] == [each.cells for each in first]

    corrected = rows_in(problems)
    for row, (_, _, with_plus) in zip(corrected[1:], rows, strict=True):
        row[5] = "'+4520304050" if with_plus else "20304050"
    with problems.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(corrected)
    mended = list(open_recipients(problems, region="DK"))
    assert all(isinstance(each, Row) and each.msisdn == "+4520304050" for each in mended)
    assert [each.cells[1:] for each in mended] == [each.cells[1:] for each in first]


def test_what_has_too_many_cells_is_the_same_however_often_it_is_listed(
    refuse: Refuse, tmp_path: Path
) -> None:
    first = refuse("mobile,name\n+4520304050,=Ann,@more\n")
    second = listed(open_recipients(first, region="DK"), tmp_path / "second.csv")

    assert [row[5:] for row in rows_in(first)[1:]] == [["'+4520304050", "'=Ann", "'@more"]]
    assert rows_in(second)[1][5:] == rows_in(first)[1][5:]


def test_what_has_too_few_cells_is_refused_again_until_it_is_corrected(
    refuse: Refuse, tmp_path: Path
) -> None:
    first = refuse("mobile,name,city\n+4520304050,=Ann\n")
    again = open_recipients(first, region="DK")
    second = listed(again, tmp_path / "second.csv")
    mended = second.read_bytes().decode().replace("'=Ann", "'=Ann,")
    second.write_bytes(mended.encode())

    assert [row[5:] for row in rows_in(first)[1:]] == [["'+4520304050", "'=Ann"]]
    assert "the row has 7 cells for 8 columns" in rows_in(second)[1][3]
    assert [each.cells for each in open_recipients(second)] == [("+4520304050", "=Ann", "")]


def test_a_row_that_was_taken_in_by_a_quote_is_found_in_a_list_too(refuse: Refuse) -> None:
    path = refuse("name,mobile,note\nAnn,none,x\n")
    head, row = path.read_bytes().decode("utf-8-sig").splitlines()
    row = row.replace("none,x", '20304050,"x')
    path.write_text(f'{head}\n{row}\n{row.replace(chr(34), "")}"\n', encoding="utf-8")

    assert [(each.line, each.code) for each in problems_of(path)] == [(2, "quote_swallows")]


def test_a_pipe_stays_one_and_takes_the_list(tmp_path: Path) -> None:
    target, taken = tmp_path / "pipe", list[str]()
    os.mkfifo(target)
    reader = Thread(target=lambda: taken.extend(target.read_text(encoding="utf-8-sig").splitlines()))
    reader.start()
    problem = Problem(line=3, column="mobile", code="number_empty", message="there is no number")

    file = ProblemsFile(target=target)
    file.add(problem, ["mobile"])
    kept = file.keep()
    reader.join()

    assert kept == target
    assert target.is_fifo()
    assert taken[1:] == ["3,mobile,number_empty,there is no number,"]
    assert list(tmp_path.iterdir()) == [target]


def test_rows_that_are_not_corrected_are_refused_again(refuse: Refuse) -> None:
    path = refuse('mobile,name\nnone,a,b,c\n"x,y\n20304050,\0\nnone,x\n')

    assert [each.code for each in problems_of(path)] == [
        "too_many_cells",
        "number_empty",
        "number_empty",
        "number_not_a_number",
    ]


@pytest.mark.parametrize(
    ("source", "there", "name"),
    [
        ("a.csv", [], "a.problems.csv"),
        ("a.csv.gz", [], "a.problems.csv"),
        ("a.b.xlsx", [], "a.b.problems.csv"),
        ("a", [], "a.problems.csv"),
        ("a.csv", ["a.problems.csv"], "a.problems.2.csv"),
        ("a.problems.csv", ["a.problems.csv"], "a.problems.2.csv"),
        ("a.problems.2.csv", ["a.problems.csv", "a.problems.2.csv"], "a.problems.3.csv"),
    ],
)
def test_no_list_is_written_over_one_that_somebody_may_be_correcting(
    tmp_path: Path, source: str, there: list[str], name: str
) -> None:
    for each in there:
        (tmp_path / each).write_text("x")

    assert file_beside(tmp_path / source).target == tmp_path / name


def test_a_list_that_says_the_same_is_not_written_twice(tmp_path: Path) -> None:
    source = tmp_path / "a.csv"
    source.write_text("mobile\nnone\n")
    kept = []
    for _ in range(2):
        file, recipients = file_beside(source), open_recipients(source)
        for item in recipients:
            assert isinstance(item, Problem)
            file.add(item, recipients.headers)
        kept.append(file.keep())
        file.drop()

    assert kept == [tmp_path / "a.problems.csv"] * 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.problems.csv"]


def test_nothing_is_written_where_nothing_is_refused(tmp_path: Path) -> None:
    file = ProblemsFile(target=tmp_path / "list.csv")

    assert file.keep() is None
    assert list(tmp_path.iterdir()) == []


def test_a_list_does_not_take_a_name_that_somebody_took_meanwhile(tmp_path: Path) -> None:
    file = ProblemsFile(target=tmp_path / "list.csv")
    file.add(Problem(line=2, column=None, code="x", message="x"), ["mobile"])
    (tmp_path / "list.csv").write_text("somebody's")

    with pytest.raises(InputError, match="give --force"):
        file.keep()
    file.drop()

    assert (tmp_path / "list.csv").read_text() == "somebody's"
    assert list(tmp_path.iterdir()) == [tmp_path / "list.csv"]


def test_what_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    file = ProblemsFile(target=tmp_path / "list.csv")
    file.add(Problem(line=2, column=None, code="x", message="x"), ["mobile"])
    file.drop()

    assert list(tmp_path.iterdir()) == []


def test_dropped_rows_are_listed_with_the_reason_and_the_line_of_the_first(tmp_path: Path) -> None:
    found = Preview(doubles=Seen())
    for line in (2, 5):
        found.doubles.is_new("+4520000001", line=line)
    found.doubles.note_elsewhere(line=7)
    found.leave_out("opted_out", line=3)
    found.leave_out("reached", line=6)

    write_dropped(found.dropped, tmp_path / "list.csv")

    assert rows_in(tmp_path / "list.csv") == [
        ["bulksend_line", "bulksend_code", "bulksend_first_line"],
        ["3", "opted_out", ""],
        ["5", "duplicate", "2"],
        ["6", "reached", ""],
        ["7", "duplicate", ""],
    ]
