"""What a recipient file is made of: rows to send to, and problems."""

from dataclasses import dataclass, field
from typing import Self

from worker.errors import InputError


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One recipient; printing it shows neither number nor values.

    Attributes:
        line: line of the file on which the row begins, 1 for the header.
        msisdn: E.164 with plus.
        region: ISO 3166 code such as ``DK``, or ``001``.
        calling_code: such as 45.
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
    """The numbers that a campaign has already; one integer is kept for each."""

    def __init__(self) -> None:
        self._numbers: set[int] = set()

    def is_new(self, msisdn: str) -> bool:
        """Say whether a number (E.164 with plus) comes for the first time, and remember it."""
        before = len(self._numbers)
        self._numbers.add(int(msisdn))
        return len(self._numbers) > before
