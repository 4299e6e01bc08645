"""Workbooks: what a person would have written into the cells."""

import random
import re
import tracemalloc
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from producer.recipients import Form, Problem, Recipients, Row, open_recipients
from producer.recipients.reader import column_values
from worker.errors import InputError

Save = Callable[..., Path]


def at(hour: int, minute: int, second: int = 0, microsecond: int = 0) -> datetime:
    return datetime(2027, 1, 31, hour, minute, second, microsecond)  # noqa: DTZ001 - a workbook knows no zones


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(rows: Sequence[Sequence[Any]], **formats: str) -> Path:
        book = Workbook(write_only=True)
        sheet = book.create_sheet("People")
        for row in rows:
            cells = [WriteOnlyCell(sheet, value) for value in row]
            for cell, name in zip(cells, rows[0], strict=False):
                if isinstance(cell.value, (int, float)):
                    cell.number_format = formats.get(str(name), "General")
            sheet.append(cells)
        path = tmp_path / "people.xlsx"
        book.save(path)
        return path

    return write


def opened(path: Path, **form: str) -> Recipients:
    return open_recipients(path, region="DK", form=Form.parse(**form))


def cells_of(path: Path) -> list[tuple[str, ...]]:
    return [item.cells for item in opened(path)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Zoë", "Zoë"),
        (" a\nb ", "a\nb"),
        (4520304050, "4520304050"),
        (4520304050.0, "4520304050"),
        (10.5, "10.5"),
        (4.52030405e17, "4.52030405000000E+17"),
        (True, "TRUE"),
        (None, ""),
        (date(2027, 1, 31), "2027-01-31"),
        (at(9, 30), "2027-01-31 09:30"),
        (at(9, 30, 5), "2027-01-31 09:30:05"),
        (at(9, 29, 59, 999_999), "2027-01-31 09:30"),
        (time(9, 30), "09:30:00"),
        ("=1+1", ""),  # a formula that no spreadsheet has calculated yet
    ],
)
def test_a_cell_is_what_a_person_would_write(save: Save, value: object, text: str) -> None:
    assert cells_of(save([["mobile", "x"], [20304050, value]])) == [("20304050", text)]


def test_zeros_that_are_shown_are_there(save: Save) -> None:
    path = save([["mobile", "code"], [20304050, 42]], code="00000")

    assert cells_of(path) == [("20304050", "00042")]


def test_rows_have_the_numbers_that_the_spreadsheet_shows(save: Save) -> None:
    recipients = opened(save([[], ["mobile", "name"], [], [20304050, "Ann"], [None, None], ["x", "Bo"]]))

    assert [(item.line, type(item)) for item in recipients] == [(4, Row), (6, Problem)]
    assert (recipients.found.format, recipients.found.sheet) == ("xlsx", "People")
    assert recipients.found.words == "Excel workbook, sheet 'People'"


def test_cells_beside_the_columns_are_told_as_a_spreadsheet_shows_them(save: Save) -> None:
    (problem,) = opened(save([["mobile", "name"], [20304050, "Ann", None, "call her"]]))

    assert isinstance(problem, Problem)
    assert (problem.code, problem.line) == ("too_many_cells", 2)
    assert problem.message == (
        "the row has 4 cells for 2 columns: empty the cells beside the columns, or give their columns a name "
        "in the first row"
    )


def test_a_column_of_times_can_be_read_alone(save: Save) -> None:
    path = save([["mobile", "when"], [20304050, at(9, 30)]])

    assert list(column_values(path, "when").values) == ["2027-01-31 09:30"]


@pytest.fixture
def two_sheets(tmp_path: Path) -> Path:
    book = Workbook()
    first, second = book.active, book.create_sheet("2027")
    assert first is not None
    first.title = "Old"
    for sheet, number in (first, 20304050), (second, 20304051):
        sheet.append(["mobile"])
        sheet.append([number])
    first.sheet_state = "hidden"
    path = tmp_path / "people.xlsx"
    book.save(path)
    return path


@pytest.mark.parametrize(
    ("form", "msisdn"),
    [
        ({}, "+4520304051"),
        ({"sheet": "Old"}, "+4520304050"),
        ({"sheet": "1"}, "+4520304050"),
        ({"sheet": "2027"}, "+4520304051"),
    ],
)
def test_the_sheet_is_the_first_that_is_shown_or_the_one_that_is_named(
    two_sheets: Path, form: dict[str, str], msisdn: str
) -> None:
    assert [item.msisdn for item in opened(two_sheets, **form) if isinstance(item, Row)] == [msisdn]


@pytest.mark.parametrize("sheet", ["3", "0", "x", "-1"])
def test_a_sheet_that_is_not_there_is_refused(two_sheets: Path, sheet: str) -> None:
    with pytest.raises(InputError, match="its sheets are 'Old', '2027'") as refused:
        opened(two_sheets, sheet=sheet)

    assert refused.value.code == "no_such_sheet"


def test_progress_counts_bytes(save: Save) -> None:
    path = save([["mobile"], *([20000000 + n] for n in range(5000))])
    sizes: list[int] = []
    for _ in open_recipients(path, region="DK", on_bytes=sizes.append):
        pass

    assert 0.9 < sum(sizes) / path.stat().st_size <= 1


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["xl/workbook.bin"], "binary Excel workbook"),
        (["mimetype", "content.xml"], "no Excel workbook"),
        (["people.csv"], "no Excel workbook"),
        (["xl/workbook.xml"], "damaged"),
        ([], "no Excel workbook"),
    ],
)
def test_other_archives_are_refused(tmp_path: Path, names: list[str], says: str) -> None:
    path = tmp_path / "people.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "x")

    with pytest.raises(InputError, match=says):
        opened(path)


def changed(path: Path, name: str, change: Callable[[str], str]) -> Path:
    """Change one part of a workbook."""
    with zipfile.ZipFile(path) as archive:
        parts = {each: archive.read(each) for each in archive.namelist()}
    parts[name] = change(parts[name].decode()).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, content in parts.items():
            archive.writestr(each, content)
    return path


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(8))
    + "]><worksheet>&i;</worksheet>"
)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('r="2"', 'r="999999999999"'),
        lambda text: text[: len(text) // 2],
        lambda _: BOMB,
    ],
    ids=["row", "cut", "entities"],
)
def test_a_hostile_sheet_does_no_harm(save: Save, change: Callable[[str], str]) -> None:
    path = changed(save([["mobile"], [20304050], [20304051]]), "xl/worksheets/sheet1.xml", change)

    with pytest.raises(InputError, match="damaged"):
        list(opened(path))


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        ('<c t="inlineStr"><is><t>', "a" * 100),
        ('<c t="inlineStr"><is><t>', "a" * 80 + "<!--<row >-->"),
        ('<c t="inlineStr"><is>', "<r><t>" + "a" * 80 + "</t></r>"),
    ],
    ids=["text", "comments", "runs"],
)
def test_a_row_that_would_fill_the_memory_is_refused_beforehand(save: Save, head: str, piece: str) -> None:
    path = save([["mobile", "x"], [20304050, "y"]])
    row = '<row r="3">' + head + piece * (40_000_000 // len(piece)) + "</row></sheetData>"
    changed(path, "xl/worksheets/sheet1.xml", lambda text: text.replace("</sheetData>", row))
    tracemalloc.start()

    with pytest.raises(InputError, match="holds a row, or another part, of more than 16 MB") as refused:
        list(opened(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert refused.value.code == "encoding"
    assert peak < 8_000_000


def test_a_sheet_of_many_rows_is_read_however_large_it_is(save: Save) -> None:
    path = save([["mobile", "x"], [20304050, "y"]])
    rows = "".join(f'<row r="{n}"><c r="A{n}"><v>20304050</v></c>{" " * 400_000}</row>' for n in range(3, 53))
    changed(
        path, "xl/worksheets/sheet1.xml", lambda text: text.replace("</sheetData>", f"{rows}</sheetData>")
    )

    assert len(cells_of(path)) == 51


def test_a_size_that_the_sheet_lies_about_loses_nothing(save: Save) -> None:
    path = save([["mobile", "name"], [20304050, "Ann"], [20304051, "Bo"]])
    lie = re.compile("(<worksheet[^>]*>)(<dimension[^>]*>)?")
    changed(
        path, "xl/worksheets/sheet1.xml", lambda text: lie.sub(r'\1<dimension ref="A1:A2"/>', text, count=1)
    )

    assert cells_of(path) == [("20304050", "Ann"), ("20304051", "Bo")]


LOCAL, CENTRAL = b"PK\3\4", b"PK\1\2"  # what the headers of a part begin with: APPNOTE.TXT 4.3.7, 4.3.12


def written_as(archive: bytes, *, local: int, central: int, value: int) -> bytes:
    """Give the last part of an archive another value in both its headers."""
    broken = bytearray(archive)
    broken[archive.rindex(LOCAL) + local] = value
    broken[archive.rindex(CENTRAL) + central] = value
    return bytes(broken)


@pytest.mark.parametrize(
    "breaks",
    [
        lambda archive: written_as(archive, local=6, central=8, value=1),
        lambda archive: written_as(archive, local=4, central=6, value=99),
        lambda archive: written_as(archive, local=8, central=10, value=97),
        lambda archive: archive[:1000] + b"\xff" * 50 + archive[1050:],
        lambda archive: archive[: len(archive) // 2],
        lambda archive: archive[:-6] + b"\xff" * 4 + archive[-2:],
    ],
    ids=["password", "version", "compression", "damage", "cut", "place"],
)
def test_an_archive_that_cannot_be_read_is_said_to_be_damaged(
    tmp_path: Path, breaks: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "people.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "x")
        archive.writestr("xl/worksheets/sheet1.xml", random.Random(3).randbytes(17 << 20).hex())  # noqa: S311
    path.write_bytes(breaks(path.read_bytes()))

    with pytest.raises(InputError, match="damaged") as refused:
        opened(path)

    assert refused.value.code == "file_broken"


CODES = frozenset({"file_broken", "encoding", "file_empty", "no_number_column", "no_such_sheet"})


def test_no_damage_makes_it_crash(save: Save) -> None:
    path = save([["mobile", "name"], [20304050, "Ann"], ["20304051", "Bo"]])
    whole, chance = path.read_bytes(), random.Random(7)  # noqa: S311 - no secret
    codes = set()
    for _ in range(300):
        broken = bytearray(whole)
        for _ in range(chance.randrange(1, 20)):
            broken[chance.randrange(4, len(broken))] = chance.randrange(256)
        path.write_bytes(broken)
        try:
            codes.add(f"{sum(1 for _ in opened(path))} rows")
        except InputError as error:
            codes.add(error.code)

    assert codes <= {*CODES, "2 rows", "1 rows"}
    assert "file_broken" in codes
