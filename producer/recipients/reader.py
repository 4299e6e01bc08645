"""Read a recipient file row by row; the whole of it is never in memory."""

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from producer.recipients.columns import find_column, find_number_column, list_columns, name_variables
from producer.recipients.lines import Line, Lines
from producer.recipients.records import Record, find_delimiter, read_records
from producer.recipients.rows import Problem, Row
from worker.errors import InputError
from worker.text import msisdn, targets
from worker.text.template import variable_name


class Recipients:
    """The rows of an open file, to be gone through once.

    The file is closed after the last row, or when the iteration is given up. Columns without a name are
    ignored; of several columns with one name the first is read, unless it is needed (see ``require``).

    Attributes:
        headers: names of the columns as the file writes them.
        number_column: the one with the numbers.
        variables: what templates may call the columns.
        last_values: the cells by variable name of what was given out last, even if it was refused; empty
            where they cannot be told apart.
    """

    def __init__(
        self,
        records: Iterator[Record | Problem],
        *,
        headers: list[str],
        column: str | None,
        region: str | None,
        targets: frozenset[str] = frozenset(),
    ) -> None:
        self._records = records
        self._region = region
        self._targets = targets
        self._number_position = find_number_column(headers, wanted=column)
        self._positions, self._ambiguous = name_variables(headers)
        self.headers = headers
        self.number_column = headers[self._number_position]
        self.variables = frozenset(self._positions)
        self.last_values: dict[str, str] = {}

    def require(self, names: frozenset[str], *, who: str = "the template") -> None:
        """Check that each variable of a template, or of whoever asks for it, has one column.

        Raises:
            InputError: ``unknown_variable`` or ``duplicate_column``, with the name.
        """
        for name in sorted(names):
            if name not in self.variables:
                raise InputError(
                    f"{who} asks for {name!r}, and no column has this name: "
                    f"the columns are {list_columns(self.headers)}",
                    code="unknown_variable",
                    column=name,
                )
            if name in self._ambiguous:
                raise InputError(
                    f"{who} asks for {name!r}, and more than one column has this name: "
                    "rename all but one of them",
                    code="duplicate_column",
                    column=name,
                )

    def __iter__(self) -> Iterator[Row | Problem]:
        """Yield a row or a problem for each record; blank lines are none.

        Raises:
            InputError: ``encoding``, with its line: nothing of the file can be trusted.
        """
        for record in self._records:
            self.last_values = {}
            yield record if isinstance(record, Problem) else self._row(record)

    def _row(self, record: Record) -> Row | Problem:
        cells = [cell.strip() for cell in record.cells]
        missing = len(self.headers) - len(cells)
        if missing < 0 and any(cells[missing:]):
            return Problem(
                line=record.line,
                column=None,
                code="too_many_cells",
                message=f"the row has {len(cells)} cells for {len(self.headers)} columns: "
                "a cell that holds the delimiter must be in quotes",
            )
        cells.extend([""] * missing)
        self.last_values = values = {name: cells[position] for name, position in self._positions.items()}
        written = cells[self._number_position]
        try:
            if target := targets.parse(written, known=self._targets):
                return Row(line=record.line, msisdn=target, region="", calling_code=0, values=values)
            number = msisdn.parse(written, region=self._region)
        except InputError as error:
            return Problem.of(error, line=record.line, column=self.number_column)
        return Row(
            line=record.line,
            msisdn=number.e164,
            region=number.region,
            calling_code=number.calling_code,
            values=values,
        )


def open_recipients(
    path: Path,
    *,
    column: str | None = None,
    region: str | None = None,
    kinds: frozenset[str] = frozenset(),
    on_bytes: Callable[[int], None] | None = None,
) -> Recipients:
    """Open a CSV file and read its first line.

    Args:
        path: UTF-8, with or without byte order mark; comma, semicolon or tab.
        column: the column of numbers, where it has no usual name.
        region: ISO code of the country whose numbers may lack their country code.
        kinds: what the gateway keeps itself and may stand for a number: ``group``, ``contact``.
        on_bytes: called with the size of each piece that was read, for progress.

    Raises:
        ConfigError: the region is not known.
        InputError: ``file_missing``, ``file_empty``, ``encoding``, ``no_number_column``, or
            ``unreadable_row`` for the first line.
    """
    known_region = None if region is None else msisdn.check_region(region)
    headers, records = _opened(path, on_bytes=on_bytes)
    if (row := next(records, None)) is None:
        raise InputError(f"{path.name} names its columns and has no rows", code="file_empty")
    return Recipients(
        chain([row], records), headers=headers, column=column, region=known_region, targets=kinds
    )


class ColumnValues(NamedTuple):
    """One column of a file: its header, its variable name, and its cells without the space around them."""

    header: str
    name: str
    values: Iterator[str]


def column_values(path: Path, wanted: str) -> ColumnValues:
    """Read one column alone; rows that cannot be read have no value.

    Args:
        path: as for ``open_recipients``.
        wanted: a header, exactly or as its variable name.

    Raises:
        InputError: as ``open_recipients``, or ``no_such_column``.
    """
    headers, records = _opened(path)
    position = find_column(headers, wanted)
    read = (record.cells for record in records if isinstance(record, Record))
    values = (cells[position].strip() for cells in read if position < len(cells))
    return ColumnValues(headers[position], variable_name(headers[position]), values)


def _opened(
    path: Path, *, on_bytes: Callable[[int], None] | None = None
) -> tuple[list[str], Iterator[Record | Problem]]:
    lines = Lines(path, on_bytes=on_bytes)
    first = _next_written(lines)
    if first is None:
        raise InputError(f"{path.name} is empty", code="file_empty")
    lines.take_back([first])
    records = read_records(lines, delimiter=find_delimiter(first.text))
    return _headers(next(records), name=path.name), records


def _next_written(lines: Lines) -> Line | None:
    return next((line for line in lines if line.is_cut or line.text.strip()), None)


def _headers(record: Record | Problem, *, name: str) -> list[str]:
    if isinstance(record, Problem):
        raise InputError(f"the first line of {name}: {record.message}", code=record.code, line=record.line)
    headers = [cell.strip() for cell in record.cells]
    if any(headers):
        return headers
    raise InputError(f"the first line of {name} names no columns", code="file_empty", line=record.line)
