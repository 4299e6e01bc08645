import csv
import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from producer.rows import message_rows
from tests.ledgers import some_messages


def write(target: Path, *texts: str, may_replace: bool = False) -> None:
    with message_rows(target, may_replace=may_replace) as rows:
        for message, text in zip(some_messages(len(texts)), texts, strict=True):
            rows.add(message, text)


def test_a_csv_has_every_message(tmp_path: Path) -> None:
    write(tmp_path / "rows.csv", "Hi", "two\nlines")

    with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert first == {
        "line": "2",
        "msisdn": "'+4520304000",
        "country": "DK",
        "encoding": "gsm7",
        "parts": "1",
        "price": "0.35",
        "currency": "DKK",
        "due_at": "",
        "repairs": "",
        "costly": "",
        "parts_without": "",
        "text": "Hi",
    }
    assert second["text"] == "two\nlines"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_a_spreadsheet_would_calculate_is_neutralised(tmp_path: Path, start: str) -> None:
    write(tmp_path / "rows.csv", f"{start}1+1")

    with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["text"] == f"'{start}1+1"


def test_a_dearer_message_has_its_characters_and_its_parts_without_them(tmp_path: Path) -> None:
    long, many = "\N{RIGHT SINGLE QUOTATION MARK}" + "a" * 100, "€" * 81 + "a" * 70
    (message,) = some_messages(1)
    dear, unasked = replace(message, parts=2), replace(message, parts=2, encoding="ucs2")

    with message_rows(tmp_path / "rows.jsonl") as rows:
        rows.add(dear, long)
        rows.add(dear, many)
        rows.add(dear, "a" * 161)
    with message_rows(tmp_path / "asked.jsonl", is_ucs2=True) as rows:
        rows.add(unasked, long)

    lines = [
        line for name in ("rows", "asked") for line in (tmp_path / f"{name}.jsonl").read_text().splitlines()
    ]
    blamed = [(row["costly"], row["parts_without"]) for row in map(json.loads, lines)]
    assert blamed == [("U+2019", 1), ("U+20AC", 1), (None, None), (None, None)]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.NDJSON"])
def test_json_lines_are_as_they_are_sent(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, "=1+1", "Søren")

    first, second = map(json.loads, (tmp_path / name).read_text(encoding="utf-8").splitlines())
    assert (first["msisdn"], first["text"], first["price"], first["due_at"]) == (
        "+4520304000",
        "=1+1",
        "0.35",
        None,
    )
    assert second["text"] == "Søren"


def test_the_file_is_its_owners_only_even_where_another_one_was(tmp_path: Path) -> None:
    target = tmp_path / "rows.csv"
    target.touch(mode=0o644)

    write(target, "Hi", may_replace=True)

    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_what_ends_in_the_middle_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "rows.csv"
    target.write_text("former")

    with pytest.raises(UnicodeEncodeError):
        write(target, "Hi", "\ud83d", may_replace=True)  # half a character: no file takes it

    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]
    assert target.read_text() == "former"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    target, read = tmp_path / "pipe", list[bytes]()
    os.mkfifo(target)
    reader = Thread(target=lambda: read.append(target.read_bytes()))
    reader.start()

    write(target, "Hi")

    reader.join(10)
    assert read[0].count(b"\r\n") == 2
    assert stat.S_ISFIFO(target.stat().st_mode)
