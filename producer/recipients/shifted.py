"""Rows whose cells may belong to another column, or to another row: none of them is guessed at."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from producer.recipients.records import SHOWN
from producer.recipients.rows import Problem
from producer.spreadsheet import as_written
from worker.errors import InputError
from worker.text import msisdn
from worker.text.counting import counted

_TOO_FEW: Final = "write a delimiter for each column, also for empty cells at the end, and close quotes"
_EMPTY_AT_THE_END: Final = (
    "take away the delimiters at its end, or write as many at the end of the first line"
)
_DELIMITER_IN_A_CELL: Final = "a cell that holds the delimiter must be in quotes"
_BESIDE: Final = "empty the cells beside the columns, or give their columns a name in the first row"

_like_a_number: Final = re.compile(r"\D*(?:\d\D*){6,}").fullmatch
_like_a_date: Final = re.compile(r"\d{1,4}([-./])\d{1,2}\1\d{2,4}").fullmatch


def wrong_width(  # noqa: PLR0913 - what is said of a row
    line: int, cells: tuple[str, ...], *, n_cells: int, n_columns: int, is_empty_behind: bool, is_placed: bool
) -> Problem:
    """Return the problem of a row that has not a cell for each column.

    Args:
        line: on which it begins.
        cells: of the row, those of Bulksend's own columns left out.
        n_cells: how many it has in the file.
        n_columns: how many the first line has.
        is_empty_behind: nothing stands in those that are too many.
        is_placed: each cell has its place, as in a workbook.
    """
    code, step = "too_few_cells", _TOO_FEW
    if n_cells > n_columns:
        more = _EMPTY_AT_THE_END if is_empty_behind else _DELIMITER_IN_A_CELL
        code, step = "too_many_cells", _BESIDE if is_placed else more
    words = f"the row has {counted(n_cells, 'cell')} for {counted(n_columns, 'column')}"
    return Problem(line=line, column=None, code=code, message=f"{words}: {step}", cells=cells)


class Swallowing(NamedTuple):
    """Tells a cell with line breaks from a quote that was forgotten and is closed in a later row.

    Attributes:
        place: of the number among the cells of a line, those of Bulksend's own columns included.
        delimiter: what stands between cells.
        quote: what stands around them.
        region: ISO code of the country whose numbers may lack their country code.
    """

    place: int
    delimiter: str
    quote: str
    region: str | None

    def problem(self, line: int, lines: Sequence[str]) -> Problem | None:
        """Return what is wrong with a record that goes over several lines; None: nothing.

        A line that would begin another row has a number where rows have theirs: within the quoted cell, or
        as another line of the record has it.
        """
        within = (text.partition(self.quote)[0] for text in lines[1:])
        if not any(map(self._has_number, within)) and sum(map(self._has_number, lines)) <= 1:
            return None
        return Problem(
            line=line,
            column=None,
            code="quote_swallows",
            message=f"a quote in the row is closed in line {line + len(lines) - 1} only, and takes in what "
            "looks like another row: close it, or take the line breaks out of the cell",
            raw="".join(lines)[:SHOWN],
        )

    def _has_number(self, text: str) -> bool:
        pieces = text.split(self.delimiter)
        if len(pieces) <= max(self.place, 1):
            return False
        cell = pieces[self.place].strip()
        if cell[:1] == cell[-1:] == self.quote:
            cell = cell[1:-1]
        if self.quote in cell or not _like_a_number(cell) or _like_a_date(cell):
            return False
        try:
            msisdn.parse(as_written(cell.strip()), region=self.region)
        except InputError:
            return False
        return True
