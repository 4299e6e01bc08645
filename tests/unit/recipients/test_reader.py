import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer.recipients import Problem, Recipients, Row, open_recipients
from producer.recipients.reader import column_values
from worker.errors import ConfigError, InputError

Read = Callable[..., Recipients]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def write_and_open(
        content: str | bytes,
        *,
        column: str | None = None,
        region: str | None = "DK",
        kinds: frozenset[str] = frozenset(),
    ) -> Recipients:
        path = tmp_path / "people.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return open_recipients(path, column=column, region=region, kinds=kinds)

    return write_and_open


def rows_of(recipients: Recipients) -> list[Row]:
    return [item for item in recipients if isinstance(item, Row)]


def problems_of(recipients: Recipients) -> list[Problem]:
    return [item for item in recipients if isinstance(item, Problem)]


def found(recipients: Recipients) -> list[tuple[int, str]]:
    return [(item.line, item.code if isinstance(item, Problem) else item.msisdn) for item in recipients]


def open_files() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def test_a_row_holds_its_number_and_its_values_by_variable_name(read: Read) -> None:
    (row,) = rows_of(read("Mobil;First name;Beløb\n20 30 40 50; Zoë ;10,50\n"))

    assert (row.line, row.msisdn, row.region, row.calling_code) == (2, "+4520304050", "DK", 45)
    assert row.values == {"mobil": "20 30 40 50", "first_name": "Zoë", "beløb": "10,50"}
    assert row.cells == ("20 30 40 50", "Zoë", "10,50")


def test_the_columns_are_known_before_any_row(read: Read) -> None:
    recipients = read("\N{ZERO WIDTH NO-BREAK SPACE}Name,Mobile No,\nAnn,20304050,\n")

    assert recipients.headers == ["Name", "Mobile No", ""]
    assert recipients.number_column == "Mobile No"
    assert recipients.variables == {"name", "mobile_no"}


@pytest.mark.parametrize(
    "content",
    [
        "name,mobile\nAnn,20304050\n",
        "name;mobile\r\nAnn;20304050\r\n",
        "name\tmobile\rAnn\t20304050\r",
        '"a,b,c,name";mobile\nAnn;20304050',
        '"name",mobile\n"Ann","20304050"',
        "\n\n name , mobile \n\nAnn,20304050\n\n",
        "mobile\n20304050\n",
    ],
)
def test_comma_semicolon_and_tab_are_found(read: Read, content: str) -> None:
    assert [row.msisdn for row in rows_of(read(content))] == ["+4520304050"]


def test_a_quoted_cell_may_hold_delimiters_quotes_and_line_breaks(read: Read) -> None:
    recipients = read('mobile,note\n20304050,"a, ""b""\r\nc"\n20304051,d\n')

    assert [(row.line, row.values["note"]) for row in rows_of(recipients)] == [(2, 'a, "b"\r\nc'), (4, "d")]


def test_a_quote_inside_a_plain_cell_is_a_character(read: Read) -> None:
    assert rows_of(read('mobile,note\n20304050,5" pipe\n'))[0].values["note"] == '5" pipe'


def test_every_cell_is_kept_in_the_order_of_the_columns(read: Read) -> None:
    recipients = read("name,mobile,,Name\nAnn,20304050,x,\nBo,20304051,x,y\n")

    assert recipients.headers == ["name", "mobile", "", "Name"]
    assert [row.cells for row in rows_of(recipients)] == [
        ("Ann", "20304050", "x", ""),
        ("Bo", "20304051", "x", "y"),
    ]


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        ("mobile,name,city\n20304050,Ann\n", "too_few_cells", "the row has 2 cells for 3 columns: write a"),
        ("mobile,name,city\n20304050\n", "too_few_cells", "the row has 1 cell for 3 columns: write a"),
        ("mobile;a;b\n20304050;;\n20304051;x y\n", "too_few_cells", "the row has 2 cells for 3 columns"),
        ("mobile,name,\n20304050,Ann\n", "too_few_cells", "the row has 2 cells for 3 columns: write a"),
        ("mobile,name\n20304050,Hansen, Bo\n", "too_many_cells", "a cell that holds the delimiter must be"),
        ("mobile,name\n20304050,Ann,,\n", "too_many_cells", "4 cells for 2 columns: take away the delim"),
        ("mobile\n20304050,\n", "too_many_cells", "the row has 2 cells for 1 column: take away the delim"),
    ],
)
def test_a_row_with_another_number_of_cells_than_the_first_line_is_refused(
    read: Read, content: str, code: str, says: str
) -> None:
    recipients = read(content)
    (problem,) = problems_of(recipients)

    assert (problem.code, problem.line, problem.column) == (code, content.count("\n"), None)
    assert says in problem.message
    assert recipients.last_values == {}


def test_delimiters_at_the_end_of_every_line_are_columns_without_a_name(read: Read) -> None:
    assert found(read("mobile,name,,\n20304050,Ann,,\n20304051,Hansen,,x\n")) == [
        (2, "+4520304050"),
        (3, "+4520304051"),
    ]


@pytest.mark.parametrize("row", [",", ",,", ",,,,", '""', '" ", '])
def test_a_row_of_blanks_has_no_number_however_many_cells_it_has(read: Read, row: str) -> None:
    assert found(read(f"mobile,name,city\n{row}\n")) == [(2, "number_empty")]


def test_a_shifted_row_says_nothing_of_how_times_are_written(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("mobile,name,at\n1,Ann,2027-01-31\n2,Bo\n3,Hansen,Cy,x\n")

    assert list(column_values(tmp_path / "people.csv", "at").values) == ["2027-01-31"]


# --- quotes that take in a further row


@pytest.mark.parametrize(
    "body",
    [
        '+4520304050,"Ann,x\n+4520304051,Bo 5",y\n',
        '+4520304050,"Ann,x\r\n20 30 40 51,Bo 5",y\r\n',
        '+4520304050,"Ann,x\n\'+4520304051,Bo\n+4520304052,Cy",z\n',
        'none,"Ann,x\n+4520304051,Bo 5",y\n',
    ],
)
def test_a_quote_that_is_closed_in_a_later_row_is_refused(read: Read, body: str) -> None:
    first, last = body.strip().splitlines()[0], 1 + body.strip().count("\n") + 1
    (problem,) = problems_of(read("mobile,name,city\n" + body))

    assert (problem.code, problem.line, problem.cells) == ("quote_swallows", 2, ())
    assert f"a quote in the row is closed in line {last} only" in problem.message
    assert problem.raw.startswith(first)
    assert "2030" not in problem.message


def test_a_quote_is_found_wherever_the_number_stands(read: Read) -> None:
    assert found(read('name;city;mobile\n"Ann;x;20304050\nBo 5";y;20304051\n')) == [(2, "quote_swallows")]
    assert found(read('id,mobile,name\n1,20304050,"Ann\n2,20304051,Bo 5"\n')) == [(2, "quote_swallows")]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("mobile,name,address", '20304050,Ann,"Vej 1, 2. tv\n2100 København\nDanmark"'),
        ("mobile,name,address", '20304050,"Ann\n20304051","Vej"'),
        ("name,mobile", '"Ann\nHansen",20304050'),
        ("name,mobile,note", '"Ann\nHansen",20304050,"call\n20304051"'),
        ("address,mobile,name", '"Vej 1\n12345678, By",20304050,Ann'),
        ("mobile,note", '20304050,"at 9, 10\n31-01-2027, 10:30\n1, 2, 3"'),
    ],
)
def test_a_cell_may_have_line_breaks(read: Read, header: str, row: str) -> None:
    assert found(read(f"{header}\n{row}\n20304052,x,y\n"))[0] == (2, "+4520304050")


def test_blank_lines_are_no_rows_and_rows_without_cells_are_refused(read: Read) -> None:
    assert found(read("mobile,name\n\n  \n,\n20304050,Ann\n\n")) == [(4, "number_empty"), (5, "+4520304050")]


def test_tabs_alone_are_a_row_where_they_divide_cells(read: Read) -> None:
    assert found(read("mobile\tname\n\t\n")) == [(2, "number_empty")]


def test_a_bad_number_is_a_problem_of_its_column(read: Read) -> None:
    assert problems_of(read("name,mobile\nAnn,ukendt\n")) == [
        Problem(
            line=2,
            column="mobile",
            code="number_not_a_number",
            message="this is not a number",
            cells=("Ann", "ukendt"),
        )
    ]


def test_the_default_country_is_checked(read: Read) -> None:
    with pytest.raises(ConfigError, match="such as GB"):
        read("mobile\n20304050\n", region="uk")


def test_without_a_country_national_numbers_are_problems(read: Read) -> None:
    assert found(read("mobile\n20304050\n+4520304050\n", region=None)) == [
        (2, "number_unknown_country"),
        (3, "+4520304050"),
    ]


def test_an_unclosed_quote_costs_its_own_row_only(read: Read) -> None:
    content = 'mobile,name\n20304050,"Ann\n20304051,Bo\n20304052,"Cy"\n'

    assert found(read(content)) == [(2, "unreadable_row"), (3, "+4520304051"), (4, "+4520304052")]


def test_an_unclosed_quote_in_the_last_row_is_a_problem(read: Read) -> None:
    assert found(read('mobile,name\n20304051,Bo\n20304050,"Ann')) == [
        (2, "+4520304051"),
        (3, "unreadable_row"),
    ]


def test_text_after_a_closing_quote_is_a_problem(read: Read) -> None:
    assert found(read('mobile,name\n20304050,"Ann" Lee\n20304051,Bo\n')) == [
        (2, "unreadable_row"),
        (3, "+4520304051"),
    ]


@pytest.mark.parametrize("cell", ["A" * 1_000_000, "A" * 2_000_000, '"' + "A" * 140_000 + '"', "\0"])
def test_an_unreadable_cell_costs_its_own_row_only(read: Read, cell: str) -> None:
    assert found(read(f"mobile,name\n20304050,{cell}\n20304051,Bo\n")) == [
        (2, "unreadable_row"),
        (3, "+4520304051"),
    ]


@pytest.mark.parametrize(
    "content",
    ["", "\n\n", "\N{ZERO WIDTH NO-BREAK SPACE}", "mobile,name\n", "mobile\n\n \n", ",,\n20304050\n"],
)
def test_a_file_without_recipients_is_refused(read: Read, content: str) -> None:
    with pytest.raises(InputError) as refused:
        read(content)

    assert refused.value.code == "file_empty"


def test_a_single_recipient_without_names_of_columns_is_not_taken_for_them(tmp_path: Path) -> None:
    path = tmp_path / "bare.csv"
    path.write_text("20304050\n")

    with pytest.raises(InputError, match="the first line must name the columns"):
        open_recipients(path, region="DK")


def test_a_first_line_that_cannot_be_read_is_refused(read: Read) -> None:
    with pytest.raises(InputError, match="first line") as refused:
        read('mobile,"name\n20304050,Ann\n')

    assert refused.value.code == "unreadable_row"


def test_a_template_may_use_columns_that_exist_once(read: Read) -> None:
    read("mobile,name,note,note\n20304050,Ann,a,b\n").require(frozenset({"mobile", "name"}))


@pytest.mark.parametrize(("name", "code"), [("nme", "unknown_variable"), ("note", "duplicate_column")])
def test_a_template_may_not_use_other_columns(read: Read, name: str, code: str) -> None:
    recipients = read("mobile,name,note,Note\n20304050,Ann,a,b\n")

    with pytest.raises(InputError, match=name) as refused:
        recipients.require(frozenset({name}))

    assert (refused.value.code, refused.value.column) == (code, name)


def test_the_first_of_two_columns_of_one_name_is_read(read: Read) -> None:
    assert rows_of(read("mobile,note,note\n20304050,a,b\n"))[0].values["note"] == "a"


def test_the_file_is_closed_when_the_reading_is_given_up(read: Read) -> None:
    gc.collect()  # what other tests have left open
    before = open_files()
    recipients = read("mobile\n20304050\n20304051\n")
    next(iter(recipients))

    del recipients

    assert open_files() == before


@pytest.mark.parametrize(
    "first", ['20304050,"Ann\n', "20304050," + "A" * 8_000_000 + "\n"], ids=["quote", "line"]
)
def test_memory_stays_bounded_whatever_is_not_closed(tmp_path: Path, first: str) -> None:
    path = tmp_path / "people.csv"
    path.write_text("mobile,name\n" + first + f"20304050,{'A' * 4000}\n" * 2000)
    tracemalloc.start()
    n_items = sum(1 for _ in open_recipients(path, region="DK"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert n_items == 2001
    assert peak < 6_000_000 < path.stat().st_size


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@given(st.lists(st.tuples(cells, st.booleans()), max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_quoted_value_comes_back_and_every_row_is_counted(
    read: Read, notes: list[tuple[str, bool]]
) -> None:
    quoted = [(note.replace('"', '""'), is_good) for note, is_good in notes]
    body = "".join(f'{"20304050" if is_good else "x"},"{note}"\n' for note, is_good in quoted)
    items = list(read("mobile,note\n20304051,first\n" + body))[1:]

    assert len(items) == len(notes)
    assert [item.values["note"] for item in items if isinstance(item, Row)] == [
        note.strip() for note, is_good in notes if is_good
    ]


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_make_it_crash(read: Read, junk: bytes) -> None:
    try:
        items = list(read(b"mobile,note\n20304050,first\n" + junk))
    except InputError as error:
        assert error.code == "encoding"  # noqa: PT017 -- either outcome is good, another is not
    else:
        assert isinstance(items[0], Row)


def test_a_row_can_be_printed_without_telling_who_it_is(read: Read) -> None:
    shown = repr(rows_of(read("mobile,name\n20304050,Ann\n"))[0])

    assert "20304050" not in shown
    assert "Ann" not in shown


# --- groups and contacts that a gateway keeps


def test_a_group_stands_where_a_number_does(read: Read) -> None:
    (row,) = rows_of(read("msisdn,name\ngroup:7,Ann\n", kinds=frozenset({"group"})))

    assert (row.msisdn, row.region, row.calling_code, row.values["name"]) == ("group:7", "", 0, "Ann")


def test_a_group_that_the_gateway_does_not_keep_is_a_problem(read: Read) -> None:
    recipients = read("msisdn\ngroup:7\ncontact:7\n20304050\n", kinds=frozenset({"group"}))

    assert found(recipients) == [(2, "group:7"), (3, "target_unknown"), (4, "+4520304050")]
