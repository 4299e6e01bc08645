"""How a recipient file is written: as far as a person says it, and as it was found."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from worker.errors import ConfigError
from worker.text.counting import counted

GUESS: Final = "cp1252"
"""What is guessed where nothing speaks for another encoding."""

OTHER: Final = "cp1250"
"""What is taken for it most easily: the letters of Central Europe stand where it has those of the West."""

#: Words for characters that are hard to give on a command line.
_DELIMITERS: Final = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
_QUOTES: Final = {"double": '"', "single": "'"}
_NO_QUOTE: Final = "none"

#: Codecs of Python that are no encodings of files, or that change what a text means.
_NO_ENCODINGS: Final = frozenset(
    {"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "utf-7", "charmap"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """What a person says of a file; None: it is to be found.

    Attributes:
        encoding: the name of a codec.
        delimiter: one character.
        quote: one character; empty: cells are never in quotes.
        sheet: of a workbook: its name, or its number from 1.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    sheet: str | None = None

    @classmethod
    def parse(
        cls,
        *,
        encoding: str | None = None,
        delimiter: str | None = None,
        quote: str | None = None,
        sheet: str | None = None,
    ) -> Self:
        """Read the options of a command line; what was not given stays to be found.

        Raises:
            ConfigError: an option is none; the sentence names it.
        """
        found = cls(
            encoding=None if encoding is None else _encoding(encoding),
            delimiter=None if delimiter is None else _delimiter(delimiter),
            quote=None if quote is None else _quote(quote),
            sheet=sheet,
        )
        if found.delimiter is not None and found.delimiter == found.quote:
            raise ConfigError("--delimiter and --quote are the same character: give two")
        return found

    @property
    def kept(self) -> dict[str, str]:
        """What was said, as JSON takes it."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def of_kept(cls, kept: Mapping[str, Any]) -> Self:
        """Make it again of what ``kept`` gave."""
        return cls(**kept)


@dataclass(kw_only=True, slots=True)
class Found:
    """How a file turned out to be written; complete when all of it was read.

    Attributes:
        format: ``csv`` or ``xlsx``.
        encoding: ``utf-8``, ``cp1252`` and so on; None for a workbook.
        is_guessed: whether nothing but plausibility speaks for the encoding.
        delimiter: None for a workbook.
        quote: None for a workbook, or where cells are never in quotes.
        sheet: the name of the sheet that is read; None for CSV.
        is_compressed: whether gzip was unpacked.
        is_problems: whether it is a list of refused rows that Bulksend wrote.
        n_doubtful: lines with characters beyond ASCII, where the encoding is guessed.
        doubtful: a word of them as it was read; one that other encodings read otherwise, where there is any.
        otherwise: the same word in the encoding that is confused with it most.
    """

    format: str
    encoding: str | None = None
    is_guessed: bool = False
    delimiter: str | None = None
    quote: str | None = None
    sheet: str | None = None
    is_compressed: bool = False
    is_problems: bool = False
    n_doubtful: int = 0
    doubtful: str | None = None
    otherwise: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it is what everybody expects: UTF-8, commas, double quotes."""
        return (self.format, self.encoding, self.delimiter, self.quote) == ("csv", "utf-8", ",", '"') and (
            not self.is_compressed
        )

    @property
    def facts(self) -> dict[str, object]:
        """The same for programs."""
        return asdict(self)

    @property
    def words(self) -> str:
        """The same for people, in a line."""
        if self.format == "xlsx":
            return f"Excel workbook, sheet {self.sheet!r}"
        names = {character: name for name, character in _DELIMITERS.items() if name.isalpha()}
        delimiter = names.get(str(self.delimiter), f"{self.delimiter}")
        words = [f"CSV in {str(self.encoding).upper()}", f"delimiter {delimiter}"]
        if self.quote != '"':
            words.append(f"quote {self.quote}" if self.quote else "no quotes")
        if self.is_compressed:
            words.append("gzip")
        return ", ".join(words)

    @property
    def doubt(self) -> str | None:
        """What lets a person see whether a guess is right, in a line; None where nothing is in doubt."""
        if self.doubtful is None:
            return None
        lines = counted(self.n_doubtful, "line", verb="has")
        other = f" ({OTHER.upper()} reads {self.otherwise!r})" if self.otherwise else ""
        return (
            f"{str(self.encoding).upper()} is a guess: {lines} letters beyond ASCII, as in "
            f"{self.doubtful!r}{other}; if that is wrong, say what it is, such as --file-encoding {OTHER} "
            "or iso-8859-2"
        )


def _encoding(written: str) -> str:
    try:
        info = codecs.lookup(written.strip())
    except (LookupError, ValueError):
        info = None
    if info is None or info.name in _NO_ENCODINGS or not getattr(info, "_is_text_encoding", True):
        raise ConfigError(
            f"--file-encoding {written!r} is not known: write utf-8, utf-16, cp1252, iso-8859-2 or the like"
        )
    return info.name


def _delimiter(written: str) -> str:
    delimiter = _DELIMITERS.get(written.lower(), written)
    if len(delimiter) != 1 or delimiter in '\r\n\0"':
        raise ConfigError(f"--delimiter {written!r}: write one character, or tab")
    return delimiter


def _quote(written: str) -> str:
    quote = "" if written.lower() == _NO_QUOTE else _QUOTES.get(written.lower(), written)
    if len(quote) > 1 or (not quote and written.lower() != _NO_QUOTE) or quote in {"\r", "\n", "\0"}:
        raise ConfigError(f"--quote {written!r}: write one character, or none")
    return quote
