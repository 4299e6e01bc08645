"""A file as a table: its columns, and the records below them, whatever kind of file it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from producer.recipients.decoding import Decoder, as_utf8
from producer.recipients.dialect import announced_delimiter, find_dialect
from producer.recipients.form import Form, Found
from producer.recipients.lines import Line, Lines
from producer.recipients.records import Record, read_records
from producer.recipients.rows import Problem
from producer.recipients.shifted import wrong_width
from producer.recipients.sources import Kind, OnBytes, find_source
from producer.spreadsheet import as_written
from worker.errors import ConfigError, InputError

OURS: Final = "bulksend_"
"""What the names of columns begin with that Bulksend itself adds to a file: they are not read back."""

_SAMPLE_LINES: Final = 30
_SAMPLE_CHARACTERS: Final = 1 << 16


class Table(NamedTuple):
    """Columns and records; ``found`` is complete when all records were read.

    Attributes:
        headers: names of the columns that are read.
        records: their cells.
        found: how the file is written.
        places: where these columns stand in the file, counted from 0.
        pads: what a row lacks at its end is empty, whoever else's cells it has.
        has_ours: Bulksend wrote it: there are columns of its own, and marks in cells.
    """

    headers: list[str]
    records: Iterator[Record | Problem]
    found: Found
    places: list[int]
    pads: bool = False
    has_ours: bool = False

    @property
    def is_placed(self) -> bool:
        """Whether each cell has its place, or is taken to have it, so that one that is missing is empty."""
        return self.pads or self.found.format == "xlsx"


def open_table(
    path: Path, form: Form, *, region: str | None, pads: bool = False, on_bytes: OnBytes | None = None
) -> Table:
    """Open a file and read its columns; those that Bulksend itself added are left out.

    Args:
        path: of a CSV file, packed or not, or a workbook.
        form: what a person says of it.
        region: ISO code of the country it probably comes from.
        pads: what a row of it lacks at its end is empty.
        on_bytes: called with the size of each piece that was read.

    Raises:
        InputError: as ``open_recipients``.
    """
    source = find_source(path)
    if source.kind is Kind.ZIP:
        from producer.recipients.workbook import read_workbook  # noqa: PLC0415 - seldom needed

        found = Found(format="xlsx")
        records = read_workbook(source, found, sheet=form.sheet, on_bytes=on_bytes)
    else:
        if form.sheet is not None:
            raise InputError(f"{source.name} is no workbook: --sheet is not for it", code="no_such_sheet")
        found = Found(format="csv", is_compressed=source.kind is Kind.GZIP)
        pieces = as_utf8(source.pieces(on_bytes=on_bytes), found, given=form.encoding, name=source.name)
        is_given = form.encoding is not None
        decoder = Decoder(found, name=source.name, region=region, is_given=is_given)
        records = _csv_records(Lines(pieces, decoder), form, found)
    first = next(records, None)
    if first is None:
        raise InputError(f"{source.name} is empty", code="file_empty")
    headers = _headers(first, name=source.name)
    found.is_problems = f"{OURS}problem" in headers
    kept = [position for position, header in enumerate(headers) if not header.startswith(OURS)]
    if len(kept) == len(headers):
        return Table(headers, records, found, kept, pads)
    if not kept:
        raise InputError(f"{source.name} has no columns but those of Bulksend", code="no_number_column")
    table = Table([headers[position] for position in kept], records, found, kept, pads, has_ours=True)
    return table._replace(records=_without_ours(table, n_headers=len(headers)))


def _csv_records(lines: Lines, form: Form, found: Found) -> Iterator[Record | Problem]:
    sample = _sample(lines)
    if sample and (announced := announced_delimiter(sample[0].text)):
        next(lines)
        sample = sample[1:]
        form = Form(delimiter=form.delimiter or announced, quote=form.quote)
    if not sample:
        return
    dialect = find_dialect(
        [line.text for line in sample if line.text.strip()] or [""],
        delimiter=form.delimiter,
        quote=form.quote,
    )
    if dialect.delimiter == dialect.quote:
        raise ConfigError(
            f"The cells of the file are divided by {dialect.delimiter!r}, and that is the quote too: give "
            "another with --quote or --delimiter"
        )
    found.delimiter, found.quote = dialect.delimiter, dialect.quote
    yield from read_records(lines, dialect=dialect)


def _sample(lines: Lines) -> list[Line]:
    """Return the first lines, from the first one with something in it on; they come again."""
    sample: list[Line] = []
    n_characters = 0
    for line in lines:
        if sample or line.is_cut or line.text.strip():
            sample.append(line)
            n_characters += len(line.text)
        if len(sample) >= _SAMPLE_LINES or n_characters > _SAMPLE_CHARACTERS:
            break
    lines.take_back(sample)
    return sample


def _headers(record: Record | Problem, *, name: str) -> list[str]:
    if isinstance(record, Problem):
        raise InputError(f"the first line of {name}: {record.message}", code=record.code, line=record.line)
    headers = [as_written(cell.strip()) for cell in record.cells]
    if any(headers):
        return headers
    raise InputError(f"the first line of {name} names no columns", code="file_empty", line=record.line)


def _without_ours(table: Table, *, n_headers: int) -> Iterator[Record | Problem]:
    for record in table.records:
        if isinstance(record, Problem):
            yield record
            continue
        line, cells, lines = record
        kept = [cells[place] for place in table.places if place < len(cells)]
        if table.is_placed or len(cells) == n_headers or not any(map(str.strip, kept + cells[n_headers:])):
            yield Record(line, kept + cells[n_headers:], lines)
            continue
        yield wrong_width(
            line,
            tuple(as_written(cell.strip()) for cell in kept + cells[n_headers:]),
            n_cells=len(cells),
            n_columns=n_headers,
            is_empty_behind=not any(map(str.strip, cells[n_headers:])),
            is_placed=False,
        )
