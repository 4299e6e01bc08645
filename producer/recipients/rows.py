"""What a recipient file is made of: rows to send to, and problems."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from worker.errors import InputError
from worker.text.msisdn import Repair


class Row(NamedTuple):
    """One recipient; printing it shows neither number nor cells.

    Attributes:
        line: line of the file on which the row begins, 1 for the header.
        msisdn: E.164 with plus, or a group or contact that the gateway keeps, as ``group:7``.
        region: ISO 3166 code such as ``DK``, or ``001``; empty for a group or contact.
        calling_code: such as 45; 0 for a group or contact.
        cells: all of them, without the space around them, in the order of the headers and as many as these.
        columns: the position of each variable in the cells.
        repairs: what was repaired in the way the number was written.
        more: variables that no column holds.
    """

    line: int
    msisdn: str
    region: str
    calling_code: int
    cells: tuple[str, ...] = ()
    columns: Mapping[str, int] = {}
    repairs: tuple[Repair, ...] = ()
    more: Mapping[str, str] = {}

    @property
    def values(self) -> dict[str, str]:
        """The cells by variable name; made anew each time."""
        cells = self.cells
        values = {name: cells[position] for name, position in self.columns.items()}
        return {**self.more, **values} if self.more else values

    def __repr__(self) -> str:
        """Say where it is, and nothing of whom."""
        return f"Row(line={self.line}, region={self.region!r})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One refused row.

    Attributes:
        line: line of the file on which the row begins.
        column: header of the cell that is wrong, when it is one cell.
        code: stable short word for programs.
        message: a sentence that shows neither a number nor a text.
        cells: of the row, without the space around them; empty where they cannot be told apart.
        raw: the beginning of the row as it stands in the file, where its cells cannot be told apart.
    """

    line: int
    column: str | None
    code: str
    message: str
    cells: tuple[str, ...] = field(default=(), repr=False)
    raw: str = field(default="", repr=False)

    @classmethod
    def of(
        cls, error: InputError, *, line: int, column: str | None = None, cells: tuple[str, ...] = ()
    ) -> Self:
        """Say where in the file an error was found."""
        column = error.column or column
        return cls(line=line, column=column, code=error.code, message=str(error), cells=cells)

    @property
    def facts(self) -> dict[str, object]:
        """What is told of it, the row itself left out."""
        return {"line": self.line, "column": self.column, "code": self.code, "message": self.message}
