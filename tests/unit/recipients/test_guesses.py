"""An encoding that was guessed: what a person is shown of it, to see whether it is right."""

from collections.abc import Callable
from pathlib import Path

import pytest

from producer.recipients import Form, Found, open_recipients

Read = Callable[..., Found]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def write_and_read(content: bytes, *, encoding: str | None = None) -> Found:
        path = tmp_path / "people.csv"
        path.write_bytes(b"mobile;name\n" + content)
        recipients = open_recipients(path, region="DK", form=Form.parse(encoding=encoding))
        assert list(recipients)
        return recipients.found

    return write_and_read


@pytest.mark.parametrize(
    ("name", "written_in", "read_as", "otherwise"),
    [
        ("Jiří Dvořák", "cp1250", "Jiøí", "Jiří"),
        ("Łukasz", "cp1250", "£ukasz", "Łukasz"),
        ("Tomáš", "iso-8859-2", "Tomá¹", "Tomáą"),
        ("Bjørn Kjær", "cp1252", "Bjørn", "Bjřrn"),
        ("Zoë Müller", "cp1252", "Zoë", None),  # the same in both
        ("Zoë Çelik Núñez", "cp1252", "Núñez", "Núńez"),
    ],
)
def test_a_word_is_shown_as_it_was_read_and_as_it_may_have_been_meant(
    read: Read, name: str, written_in: str, read_as: str, otherwise: str | None
) -> None:
    found = read(f"20304050;{name}\n".encode(written_in))

    assert (found.doubtful, found.otherwise) == (read_as, otherwise)
    assert found.doubt is not None
    assert found.doubt.startswith("CP1252 is a guess: 1 line has letters beyond ASCII")
    assert "--file-encoding cp1250" in found.doubt


def test_a_word_that_tells_counts_for_more_than_one_that_came_before(read: Read) -> None:
    found = read("20304050;Müller\n20304051;Dvořák\n20304052;Němec\n".encode("cp1250"))

    assert (found.doubtful, found.n_doubtful) == ("Dvoøák", 3)


def test_each_line_counts_once_however_the_file_is_read(read: Read) -> None:
    names = ["Søren", '"Bo; Åse"', "Ann", '"Æ\nØ"', "Kjær"]  # what has quotes is read line by line
    found = read("".join(f"20304050;{name}\n" for name in names).encode("cp1252"))

    assert found.n_doubtful == 5


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("20304050;Jiří\n".encode(), None),
        ("20304050;Jiří\n".encode("cp1250"), "cp1250"),
        (b"20304050;Ann\n", None),
        (b"20304050;Ann\xa0Bo\n", None),  # a space that does not break is the same everywhere
    ],
)
def test_where_nothing_is_in_doubt_nothing_is_said(read: Read, content: bytes, encoding: str | None) -> None:
    assert read(content, encoding=encoding).doubt is None


def test_a_long_line_without_words_takes_no_time(read: Read) -> None:
    found = read(b"20304050;" + b"A" * 900_000 + b";" + b"\xf8re\n")

    assert found.doubtful == "øre"
