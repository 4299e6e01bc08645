from collections.abc import Callable
from pathlib import Path

import pytest

from producer.recipients.decoding import Decoder, as_utf8
from producer.recipients.form import Found
from producer.recipients.lines import MAX_LINE_BYTES, Lines
from producer.recipients.sources import OnBytes, find_source
from worker.errors import InputError

Save = Callable[[bytes], Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(content: bytes) -> Path:
        path = tmp_path / "people.csv"
        path.write_bytes(content)
        return path

    return write


def lines_of(
    path: Path, *, region: str | None = "DK", encoding: str | None = None, on_bytes: OnBytes | None = None
) -> Lines:
    found, source = Found(format="csv"), find_source(path)
    pieces = as_utf8(source.pieces(on_bytes=on_bytes), found, given=encoding, name=source.name)
    return Lines(pieces, Decoder(found, name=source.name, region=region, is_given=encoding is not None))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a\nb", ["a\n", "b"]),
        (b"a\r\nb\r\n", ["a\r\n", "b\r\n"]),
        (b"a\rb\r", ["a\r", "b\r"]),
        (b"\xef\xbb\xbfa\n\n", ["a\n", "\n"]),
        ("a\u2028b\x0bc\x85\n".encode(), ["a\u2028b\x0bc\x85\n"]),
    ],
)
def test_lines_end_where_an_editor_ends_them(save: Save, content: bytes, expected: list[str]) -> None:
    lines = list(lines_of(save(content)))

    assert [line.text for line in lines] == expected
    assert [line.number for line in lines] == list(range(1, len(expected) + 1))


def test_a_line_end_may_be_cut_by_the_reading(save: Save) -> None:
    fill = b"x" * ((1 << 18) - 1)  # the CR is the last byte of the first piece that is read

    assert [line.text[-3:] for line in lines_of(save(fill + b"\r\nend"))] == ["x\r\n", "end"]


def test_an_endless_line_is_cut_and_the_next_one_is_whole(save: Save) -> None:
    lines = list(lines_of(save(b"a\n" + b"x" * (3 * MAX_LINE_BYTES) + b"\nb\n")))

    assert [(line.text, line.is_cut) for line in lines] == [("a\n", False), ("", True), ("b\n", False)]


def test_the_end_of_an_endless_line_is_seen_where_the_reading_is_cut(save: Save) -> None:
    fill = b"x" * (8 * (1 << 18) - 1)  # the CR is the last byte of a piece

    assert [line.text for line in lines_of(save(fill + b"\rb\rc"))] == ["", "b\r", "c"]


def test_lines_come_again_when_they_are_taken_back(save: Save) -> None:
    lines = lines_of(save(b"a\nb\nc\n"))
    taken = [next(lines), next(lines)]

    lines.take_back(taken)

    assert [line.text for line in lines] == ["a\n", "b\n", "c\n"]


def test_progress_counts_every_byte(save: Save) -> None:
    path = save(b"x\n" * 400_000)
    sizes: list[int] = []

    list(lines_of(path, on_bytes=sizes.append))

    assert sum(sizes) == path.stat().st_size
    assert len(sizes) > 1


@pytest.mark.parametrize("name", ["absent.csv", "."])
def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be read") as refused:
        list(lines_of(tmp_path / name))

    assert refused.value.code == "file_missing"
