"""Files as people have them: packings, encodings, dialects, and what is no such file."""

import codecs
import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer.recipients import Form, Problem, Recipients, Row, open_recipients
from worker.errors import ConfigError, InputError

Read = Callable[..., Recipients]
FILE = "mobile,name\n20304050,Søren Østergård\n20304051,Zoë\n"


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def write_and_open(
        content: bytes, *, region: str | None = "DK", name: str = "people.csv", **form: str
    ) -> Recipients:
        path = tmp_path / name
        path.write_bytes(content)
        return open_recipients(path, region=region, form=Form.parse(**form))

    return write_and_open


def names(recipients: Recipients) -> list[str]:
    return [item.values["name"] for item in recipients if isinstance(item, Row)]


@pytest.mark.parametrize(
    ("content", "form"),
    [
        ("mobile,name\n20304050,Ann\n", {"quote": ","}),
        ("mobile,name,city\n20304050,Ann,x\n", {"quote": ","}),
        ("sep=;\nmobile;name\n20304050;Ann\n", {"quote": ";"}),
        ("'mobile'\n20304050\n", {"delimiter": "'"}),
    ],
)
def test_one_character_cannot_be_quote_and_delimiter_though_one_was_found(
    read: Read, content: str, form: dict[str, str]
) -> None:
    with pytest.raises(ConfigError, match="that is the quote too: give another with --quote or --delimiter"):
        read(content.encode(), **form)


def test_a_single_byte_that_is_not_utf_8_is_named_with_its_line(read: Read) -> None:
    rows = [f'{20000000 + n},"Søren {n}"\r\n' for n in range(40_000)]
    content = ("mobile,name\r\n" + "".join(rows)).encode()
    broken = content.replace("Søren 31234".encode(), b"S\xf8ren 31234")

    with pytest.raises(
        InputError, match=r"line 31236 of people\.csv is not UTF-8, though the lines before"
    ) as e:
        names(read(broken))

    assert e.value.line == 31236


# --- encodings


@pytest.mark.parametrize(
    ("mark", "written_in", "encoding"),
    [
        (b"", "utf-8", "utf-8"),
        (codecs.BOM_UTF8, "utf-8", "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le", "utf-16-le"),
        (b"", "utf-16-le", "utf-16-le"),
        (b"", "utf-16-be", "utf-16-be"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le", "utf-32-le"),
        (b"", "cp1252", "cp1252"),
        (b"", "iso-8859-1", "cp1252"),  # which reads all of it alike
    ],
)
def test_the_usual_encodings_are_found(read: Read, mark: bytes, written_in: str, encoding: str) -> None:
    recipients = read(mark + FILE.encode(written_in))

    assert names(recipients) == ["Søren Østergård", "Zoë"]
    assert recipients.found.encoding == encoding


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("iso-8859-2", "Łukasz"),
        ("cp1251", "Ольга"),
        ("cp437", "Åse"),
        ("shift_jis", "花子"),
        ("utf-16", "Zoë"),
    ],
)
def test_any_encoding_can_be_said(read: Read, encoding: str, text: str) -> None:
    content = f"mobile,name\n20304050,{text}\n".encode(encoding)

    assert names(read(content, encoding=encoding)) == [text]


@pytest.mark.parametrize(
    ("content", "region", "line", "says"),
    [
        ("mobile,name\n20304050,Łukasz\n".encode("cp1250"), "PL", 2, "--file-encoding cp1250"),
        ("mobile,name\n20304050,Ольга\n".encode("cp1251"), "RU", 2, "--file-encoding cp1251"),
        ("mobile,name\n20304050,Dvořák\n".encode("cp1250"), "CZ", 2, "--file-encoding cp1250"),
        ("mobile,name\n20304050,Αθηνά\n".encode("cp1253"), None, 2, "not certainly CP1252"),
        ("mobile,name\n20304050,Ольга\n".encode("cp1251"), None, 2, "not certainly CP1252"),
        ("mobile,name\n20304050,Kjærgård\n".encode("cp850"), "DK", 2, "not certainly CP1252"),
        (b"mobile,name\n20304050,Andr\x8e\n", "DK", 2, "not certainly CP1252"),  # a Macintosh's
        (FILE.encode() + b"20304052,J\xf8rgen\n", "DK", 4, "line 4 of people.csv is not UTF-8, though"),
        (b"mobile,name\n20304050,J\xf8rgen\n" + "20304051,Åse\n".encode(), "DK", 2, "by its line 3"),
        (
            codecs.BOM_UTF8 + b"mobile,name\n20304050,J\xf8rgen\n",
            "DK",
            2,
            "line 2 of people.csv is not UTF-8",
        ),
        (b"mobile,name\n20304050,J\x81rgen\n", "DK", 2, "not certainly CP1252"),
        (
            "mobile,name\n20304050,Zo\n".encode("utf-16") + b"\x00",
            "DK",
            3,
            "line 3 of people.csv is not UTF-16",
        ),
    ],
)
def test_nothing_is_read_as_other_letters_than_were_written(
    read: Read, content: bytes, region: str | None, line: int, says: str
) -> None:
    with pytest.raises(InputError, match=says) as refused:
        list(read(content, region=region))

    assert (refused.value.code, refused.value.line) == ("encoding", line)
    assert refused.value.__context__ is None  # it would hold the bytes


def test_the_first_letter_that_is_not_ascii_may_come_late(read: Read) -> None:
    rows = "".join(f"{20000000 + n},Ann\n" for n in range(30_000))
    recipients = read(f"mobile,name\n{rows}20304050,Jørgen\n".encode("cp1252"))

    assert names(recipients)[-1] == "Jørgen"
    assert (recipients.found.encoding, recipients.found.is_guessed) == ("cp1252", True)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_what_is_read_without_a_word_is_what_was_written_in_utf_8(read: Read, text: str) -> None:
    cell = text.replace('"', "")
    content = f'mobile,name\n20304050,"{cell}"\n20304050,"x"\n'.encode()

    assert names(read(content))[0] == cell.strip()


# --- dialects


@pytest.mark.parametrize(
    ("content", "delimiter", "quote"),
    [
        ('name|mobile\n"Ann|Bo"|20304050\n', "|", '"'),
        ("name, all;mobile\nAnn;20304050\n", ";", '"'),
        ("name, first, last;mobile;x, y\nAnn;20304050;1\nBo;20304051;2\n", ";", '"'),
        ("sep=;\nname;mobile\nAnn;20304050\n", ";", '"'),
        ("sep=\t\r\nname\tmobile\r\nAnn\t20304050\r\n", "\t", '"'),
        ("'name','mobile'\n'Ann, Bo','20304050'\n", ",", "'"),
        ("'name';'mobile'\n'O''Neil; Ann';'20304050'\n", ";", "'"),
        ("name,mobile\n's-Gravenhage,20304050\n'Bo','20304051'\n", ",", '"'),
        ('name, mobile\n"Ann, Bo", "20304050"\n', ",", '"'),
        ("mobile\n20304050\n", ",", '"'),
        ('"name\nof them",mobile\n"Ann; Bo; Cy",20304050\n', ",", '"'),
    ],
)
def test_delimiter_and_quote_are_found(read: Read, content: str, delimiter: str, quote: str) -> None:
    recipients = read(content.encode())

    item = next(iter(recipients))
    assert isinstance(item, Row)
    assert item.msisdn == "+4520304050"
    assert (recipients.found.delimiter, recipients.found.quote) == (delimiter, quote)


@pytest.mark.parametrize(
    ("content", "form", "name"),
    [
        ("name~mobile\nAnn~20304050\n", {"delimiter": "~"}, "Ann"),
        ("name, all, of it\tmobile\nAnn\t20304050\n", {"delimiter": "tab"}, "Ann"),
        ("name\tmobile\nAnn\t20304050\n", {"delimiter": "\\t"}, "Ann"),
        ("name,mobile\n'Ann, Bo',20304050\n", {"quote": "'"}, "Ann, Bo"),
        ("name,mobile\n%Ann, Bo%,20304050\n", {"quote": "%"}, "Ann, Bo"),
        ('name,mobile\n"Ann,20304050\n', {"quote": "none"}, '"Ann'),
        ("'name','mobile'\n'Ann','20304050'\n", {"quote": "none", "column": "x"}, "'Ann'"),
    ],
)
def test_delimiter_and_quote_can_be_said(
    tmp_path: Path, content: str, form: dict[str, str], name: str
) -> None:
    path = tmp_path / "people.csv"
    path.write_text(content, encoding="utf-8")
    said = {key: value for key, value in form.items() if key != "column"}
    column = "'mobile'" if "column" in form else None
    recipients = open_recipients(path, region="DK", column=column, form=Form.parse(**said))

    (item,) = recipients
    cells = item.cells
    assert name in cells


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"encoding": "utf8000"}, "--file-encoding"),
        ({"encoding": "base64"}, "--file-encoding"),
        ({"encoding": "unicode_escape"}, "--file-encoding"),
        ({"delimiter": ""}, "--delimiter"),
        ({"delimiter": "ab"}, "--delimiter"),
        ({"delimiter": "\n"}, "--delimiter"),
        ({"quote": "''"}, "--quote"),
        ({"quote": ""}, "--quote"),
        ({"quote": "'", "delimiter": "'"}, "the same character"),
    ],
)
def test_what_is_no_form_is_refused(form: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Form.parse(**form)


def test_a_form_can_be_kept() -> None:
    form = Form.parse(encoding="latin1", delimiter="tab", quote="none", sheet="2")

    assert Form.of_kept(form.kept) == form


# --- gzip


def test_gzip_is_known_by_its_beginning(read: Read) -> None:
    recipients = read(gzip.compress(FILE.encode("cp1252")))

    assert names(recipients) == ["Søren Østergård", "Zoë"]
    assert recipients.found.is_compressed


def test_gzip_may_have_several_members_and_be_filled_up_with_zeros(read: Read) -> None:
    head, rest = FILE.encode()[:20], FILE.encode()[20:]

    assert names(read(gzip.compress(head) + gzip.compress(rest) + b"\0" * 600)) == ["Søren Østergård", "Zoë"]


@pytest.mark.parametrize("n", range(1, 60, 7))
def test_gzip_that_is_cut_off_is_refused(read: Read, n: int) -> None:
    with pytest.raises(InputError, match=r"cut off|damaged") as refused:
        list(read(gzip.compress(FILE.encode())[:-n]))

    assert refused.value.code == "file_broken"


def test_gzip_that_is_damaged_is_refused(read: Read) -> None:
    packed = bytearray(gzip.compress(FILE.encode()))
    packed[20] ^= 0xFF

    with pytest.raises(InputError, match=r"damaged|cut off"):
        list(read(bytes(packed)))


def test_what_gzip_hides_does_not_fill_the_memory(read: Read, tmp_path: Path) -> None:
    packing = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = packing.compress(b"mobile,name\n20304050,Ann\n")
    packed += b"".join(packing.compress(b"A" * (1 << 20)) for _ in range(60)) + packing.flush()
    tracemalloc.start()
    items = list(read(packed))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert [type(item) for item in items] == [Row, Problem]
    assert peak < 8 << 20
    assert (tmp_path / "people.csv").stat().st_size < 1 << 17


# --- what is no such file


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b"", "file_empty", "empty"),
        (gzip.compress(b"", mtime=0), "file_empty", "empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "encoding", "old Excel workbook"),
        (b"PK\x03\x04rest", "file_broken", "damaged"),
        (gzip.compress(b"PK\x03\x04rest", mtime=0), "encoding", "unpack it first"),
        (gzip.compress(gzip.compress(FILE.encode(), mtime=0), mtime=0), "encoding", "unpack it first"),
    ],
)
def test_what_is_no_such_file_is_refused_in_one_sentence(
    read: Read, content: bytes, code: str, says: str
) -> None:
    with pytest.raises(InputError, match=says) as refused:
        list(read(content))

    assert refused.value.code == code


def test_a_sheet_is_for_workbooks(read: Read) -> None:
    with pytest.raises(InputError, match="--sheet"):
        read(FILE.encode(), sheet="1")
