"""Workbooks whose parts lie elsewhere, and are more than they should be: what is read is bounded."""

import tracemalloc
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from openpyxl import Workbook

from producer.recipients import open_recipients
from worker.errors import InputError

TYPES, RELATIONS = "[Content_Types].xml", "xl/_rels/workbook.xml.rels"
SHEET, TEXTS, STYLES = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml"
SPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
TEXTS_TYPE = (
    b'<Override PartName="/xl/sharedStrings.xml" '
    b'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/>'
)
ROWS = (
    '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>'
    '<row r="2"><c r="A2"><v>20304050</v></c><c r="B2" t="s"><v>2</v></c></row>'
)
MB = b"a" * (1 << 20)
ELSEWHERE = ("xl/media/image1.png", "xl/embeddings/a.bin", "xl/pivotCache/b.xml", "xl/model/c", "x/y.xml")

Parts = dict[str, bytes]


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    """Give the parts of a workbook of two columns and one row."""
    book = Workbook()
    book.save(tmp_path / "plain.xlsx")
    with zipfile.ZipFile(tmp_path / "plain.xlsx") as archive:
        parts = {each: archive.read(each) for each in archive.namelist()}
    parts[TYPES] = parts[TYPES].replace(b"</Types>", TEXTS_TYPE + b"</Types>")
    parts[TEXTS] = (
        f"<sst {SPACE}><si><t>mobile</t></si><si><t>name</t></si><si><t>Ann</t></si></sst>".encode()
    )
    parts[SHEET] = f"<worksheet {SPACE}><sheetData>{ROWS}</sheetData></worksheet>".encode()
    return parts


@pytest.fixture
def packed(tmp_path: Path) -> Callable[..., Path]:
    """Give what packs parts; those of ``large`` go on with so many MB before their last tag."""

    def pack(parts: Mapping[str, bytes], large: Mapping[str, tuple[bytes, int, bytes]] | None = None) -> Path:
        path = tmp_path / "people.xlsx"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, content in parts.items():
                before, n, after = (large or {}).get(name, (b"", 0, b""))
                end = content.rindex(b"</") if n else len(content)
                with archive.open(name, "w") as part:
                    for piece in (content[:end], before, *[MB] * n, after, content[end:]):
                        part.write(piece)
        return path

    return pack


def moved(parts: Parts, name: str, to: str) -> Parts:
    """Put a part in another place, and say so where the workbook says it."""
    parts[to] = parts.pop(name)
    for teller in (TYPES, RELATIONS):  # openpyxl knows a sheet by its relation, the texts by their type
        parts[teller] = parts[teller].replace(name.encode(), to.encode())
    return parts


@contextmanager
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def refused(path: Path) -> str:
    with little_memory(), pytest.raises(InputError) as error:
        list(open_recipients(path, region="DK"))
    assert error.value.code == "encoding"
    return str(error.value)


@pytest.mark.parametrize("place", ELSEWHERE)
@pytest.mark.parametrize("name", [SHEET, TEXTS])
def test_a_part_is_read_wherever_it_lies(
    parts: Parts, packed: Callable[..., Path], name: str, place: str
) -> None:
    (row,) = open_recipients(packed(moved(parts, name, place)), region="DK")

    assert row.cells == ("20304050", "Ann")


@pytest.mark.parametrize("place", [*ELSEWHERE, TEXTS])
def test_a_large_row_is_refused_wherever_its_sheet_lies(
    parts: Parts, packed: Callable[..., Path], place: str
) -> None:
    parts.pop(TEXTS)
    parts[TYPES] = parts[TYPES].replace(TEXTS_TYPE, b"")
    cell = (b'<row r="9"><c r="A9" t="inlineStr"><is><t>', 40, b"</t></is></c></row>")
    parts = moved(parts, SHEET, place)

    path = packed(parts, {place: cell})

    assert "holds a row, or another part, of more than 16 MB" in refused(path)


def test_a_sheet_is_none_of_the_texts_that_it_shares_a_part_with(
    parts: Parts, packed: Callable[..., Path]
) -> None:
    parts[RELATIONS] = parts[RELATIONS].replace(SHEET.encode(), TEXTS.encode())
    parts[TEXTS] = b"<worksheet><sheetData></sheetData></worksheet>"

    path = packed(parts, {TEXTS: (b"<row><c><v>", 40, b"</v></c></row>")})

    with pytest.raises(InputError, match="more than 16 MB"):
        list(open_recipients(path, region="DK"))


@pytest.mark.parametrize("place", [TEXTS, "xl/media/image1.png"])
def test_too_many_texts_are_refused_wherever_they_lie(
    parts: Parts, packed: Callable[..., Path], place: str
) -> None:
    path = packed(moved(parts, TEXTS, place), {place: (b"<si><t>", 257, b"</t></si>")})

    assert "holds more than 256 MB of texts" in refused(path)


@pytest.mark.parametrize("name", [TYPES, RELATIONS, STYLES, "xl/workbook.xml", "xl/theme/theme1.xml"])
def test_what_is_read_whole_is_bounded_though_it_names_rows(
    parts: Parts, packed: Callable[..., Path], name: str
) -> None:
    path = packed(parts, {name: (b"<x>", 17, b"<row /></x>")})

    assert "of more than 16 MB" in refused(path)


def test_a_large_picture_is_nobodys_business(parts: Parts, packed: Callable[..., Path]) -> None:
    parts["xl/media/image1.png"] = b"</"

    (row,) = open_recipients(packed(parts, {"xl/media/image1.png": (b"", 40, b"")}), region="DK")

    assert row.cells == ("20304050", "Ann")


@pytest.mark.parametrize("name", [STYLES, SHEET, TEXTS])
@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_no_spreadsheet_compresses_so_is_not_unpacked(
    parts: Parts, tmp_path: Path, name: str, compression: int
) -> None:
    path = tmp_path / "people.xlsx"
    parts[name] = parts[name].replace(b"</", MB * 12 + b"</", 1)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, content in parts.items():
            archive.writestr(each, content, compression if each == name else None)
    parts.clear()

    with little_memory(), pytest.raises(InputError) as error:
        list(open_recipients(path, region="DK"))

    assert error.value.code == "file_broken"


def test_a_part_that_is_larger_than_it_says_is_not_unpacked_as_a_whole(parts: Parts, tmp_path: Path) -> None:
    path = tmp_path / "people.xlsx"
    parts[STYLES] += b" " * (100 << 20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
        archive.getinfo(STYLES).file_size = 1000
    parts.clear()

    tracemalloc.start()
    try:
        with pytest.raises(InputError) as error:
            list(open_recipients(path, region="DK"))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert error.value.code == "file_broken"
    assert most < 64 << 20
