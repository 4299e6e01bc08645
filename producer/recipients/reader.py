"""Read a recipient file row by row; the whole of it is never in memory."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

from producer.recipients.columns import find_column, find_number_column, list_columns, name_variables
from producer.recipients.form import Form
from producer.recipients.records import Record
from producer.recipients.rows import Problem, Row
from producer.recipients.shifted import Swallowing, wrong_width
from producer.recipients.sources import OnBytes
from producer.recipients.table import Table, open_table
from producer.spreadsheet import as_typed, as_written
from worker.errors import InputError
from worker.text import msisdn, targets
from worker.text.msisdn import Countries
from worker.text.template import variable_name

AS_FOUND: Final = Form()


class _Numbers(NamedTuple):
    """What is taken for a recipient."""

    region: str | None
    countries: Countries | None
    targets: frozenset[str]


class Recipients:
    """The rows of an open file, to be gone through once.

    The file is closed after the last row, or when the iteration is given up. Columns without a name are
    no variables; of several columns with one name the first is read, unless it is needed (see ``require``).

    Attributes:
        headers: names of the columns as the file writes them.
        number_column: the one with the numbers.
        variables: what templates may call the columns.
        found: how the file is written, as far as it was read.
    """

    def __init__(self, table: Table, *, column: str | None, numbers: _Numbers) -> None:
        self._records = table.records
        self._is_placed = table.is_placed
        self._as_written = as_written if table.has_ours else as_typed
        self._numbers = numbers
        self._number_position = find_number_column(table.headers, wanted=column, is_list=table.pads)
        self._swallowing = Swallowing(
            place=table.places[self._number_position],
            delimiter=table.found.delimiter or "",
            quote=table.found.quote or "",
            region=numbers.region,
        )
        self._positions, self._ambiguous = name_variables(table.headers)
        self._last: tuple[str, ...] = ()
        self.headers = table.headers
        self.number_column = table.headers[self._number_position]
        self.variables = frozenset(self._positions)
        self.found = table.found

    @property
    def last_values(self) -> dict[str, str]:
        """The cells by variable name of what was given out last, even if it was refused.

        Empty where they cannot be told apart.
        """
        last = self._last
        return {name: last[position] for name, position in self._positions.items()} if last else {}

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
        row = self._row
        for record in self._records:
            if isinstance(record, Problem):
                self._last = ()
                yield record
            else:
                yield row(record)

    def _row(self, record: Record) -> Row | Problem:
        line, written, lines = record
        cells = tuple([cell.strip() for cell in written])
        if "'" in "".join(cells):
            cells = tuple(map(self._as_written, cells))
        if lines or len(cells) != len(self.headers):
            if problem := self._shifted(line, cells, lines):
                self._last = ()
                return problem
            n_missing = len(self.headers) - len(cells)
            cells = (*cells, *[""] * n_missing)[: len(self.headers)]
        self._last = cells
        raw, numbers = cells[self._number_position], self._numbers
        try:
            if ":" in raw and (target := targets.parse(raw, known=numbers.targets)):
                return Row(line, target, "", 0, cells, self._positions)
            number = msisdn.parse(raw, region=numbers.region, countries=numbers.countries)
        except InputError as error:
            return Problem.of(error, line=line, column=self.number_column, cells=cells)
        return Row(
            line, number.e164, number.region, number.calling_code, cells, self._positions, number.repairs
        )

    def _shifted(self, line: int, cells: tuple[str, ...], lines: tuple[str, ...]) -> Problem | None:
        """Return what is wrong with a row that may have a cell of another column, or of another row."""
        if lines and (problem := self._swallowing.problem(line, lines)):
            return problem
        width = len(self.headers)
        is_empty_behind = not any(cells[width:])
        if len(cells) == width or (is_empty_behind if self._is_placed else not any(cells)):
            return None
        return wrong_width(
            line,
            cells,
            n_cells=len(cells),
            n_columns=width,
            is_empty_behind=is_empty_behind,
            is_placed=self._is_placed,
        )


def open_recipients(  # noqa: PLR0913 - how a file is read, one name for each
    path: Path,
    *,
    column: str | None = None,
    region: str | None = None,
    kinds: frozenset[str] = frozenset(),
    countries: Countries | None = None,
    form: Form = AS_FOUND,
    pads: bool = False,
    on_bytes: OnBytes | None = None,
) -> Recipients:
    """Open a file and read the line with its columns.

    Args:
        path: CSV, also packed with gzip, or an Excel workbook (.xlsx).
        column: the column of numbers, where it has no usual name.
        region: ISO code of the country whose numbers may lack their country code.
        kinds: of what the gateway keeps itself and can be sent to: groups, contacts.
        countries: where numbers may be; None: anywhere.
        form: what a person says of how the file is written.
        pads: whether a row that lacks cells at its end is taken, for a list where a number that is not taken
            does harm.
        on_bytes: called with the size of each piece that was read, for progress.

    Raises:
        ConfigError: the country is not known.
        InputError: ``file_missing``, ``file_empty``, ``file_broken``, ``encoding``, ``no_such_sheet``,
            ``no_number_column``, or ``unreadable_row`` for the first line.
    """
    known_region = None if region is None else msisdn.check_region(region)
    table = open_table(path, form, region=known_region, pads=pads, on_bytes=on_bytes)
    row = next(table.records, None)
    whole = table._replace(records=chain([] if row is None else [row], table.records))
    numbers = _Numbers(region=known_region, countries=countries, targets=kinds)
    recipients = Recipients(whole, column=column, numbers=numbers)
    if row is None:
        raise InputError(f"{path.name} names its columns and has no rows", code="file_empty")
    return recipients


class ColumnValues(NamedTuple):
    """One column of a file: its header, its variable name, and its cells without the space around them."""

    header: str
    name: str
    values: Iterator[str]


def column_values(path: Path, wanted: str, *, form: Form = AS_FOUND) -> ColumnValues:
    """Read one column alone; rows that cannot be read have no value.

    Args:
        path: as for ``open_recipients``.
        wanted: a header, exactly or as its variable name.
        form: as for ``open_recipients``.

    Raises:
        InputError: as ``open_recipients``, or ``no_such_column``.
    """
    table = open_table(path, form, region=None)
    position = find_column(table.headers, wanted)
    read = (record.cells for record in table.records if isinstance(record, Record))
    whole = (cells for cells in read if table.is_placed or len(cells) == len(table.headers))
    values = (cells[position].strip() for cells in whole if position < len(cells))
    return ColumnValues(table.headers[position], variable_name(table.headers[position]), values)
