"""What a recipient file is made of: rows to send to, and problems."""

from dataclasses import dataclass, field
from typing import Self

from worker.errors import InputError
from worker.text.targets import kind_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One recipient; printing it shows neither number nor values.

    Attributes:
        line: line of the file on which the row begins, 1 for the header.
        msisdn: E.164 with plus, or a group or contact that the gateway keeps, as ``group:7``.
        region: ISO 3166 code such as ``DK``, or ``001``; empty for a group or contact.
        calling_code: such as 45; 0 for a group or contact.
        values: cells without the space around them, by variable name.
    """

    line: int
    msisdn: str = field(repr=False)
    region: str
    calling_code: int
    values: dict[str, str] = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One refused row.

    Attributes:
        line: line of the file on which the row begins.
        column: header of the cell that is wrong, when it is one cell.
        code: stable short word for programs.
        message: a sentence that shows neither a number nor a text.
    """

    line: int
    column: str | None
    code: str
    message: str

    @classmethod
    def of(cls, error: InputError, *, line: int, column: str | None = None) -> Self:
        """Say where in the file an error was found."""
        return cls(line=line, column=error.column or column, code=error.code, message=str(error))


class Seen:
    """The recipients that a campaign has already; one integer is kept for each number."""

    def __init__(self) -> None:
        self._kept: set[int | str] = set()

    def is_new(self, msisdn: str) -> bool:
        """Say whether a number (E.164 with plus), or a group, comes for the first time, and remember it."""
        before = len(self._kept)
        self._kept.add(msisdn if kind_of(msisdn) else int(msisdn))
        return len(self._kept) > before
