"""What an order says: its texts by language, and the rules by which they become parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from worker.text.segments import CHOICES, Encoding


def language_of(written: str) -> str:
    """Return a language as it is compared: ``da_DK`` and ``DA-dk`` are one.

    >>> language_of(" da_DK ")
    'da-dk'
    """
    return written.strip().casefold().replace("_", "-")


@dataclass(frozen=True, kw_only=True)
class Languages:
    """Several texts, and which of them a row gets.

    Attributes:
        column: with the language of each row, by its header or its variable name.
        texts: by language, as ``language_of`` writes it.
        default: of rows that have none of these; None: such rows are refused.
    """

    column: str
    texts: Mapping[str, str] = field(repr=False)
    default: str | None = None

    def chosen(self, written: str) -> str | None:
        """Return the language of a row by its cell: ``da-DK`` also takes the text of ``da``."""
        language = language_of(written)
        if language in self.texts:
            return language
        wider = language.partition("-")[0]
        return wider if wider in self.texts else self.default

    @property
    def kept(self) -> dict[str, Any]:
        """The same as JSON takes it."""
        return {"column": self.column, "texts": dict(self.texts), "default": self.default}

    @classmethod
    def of_kept(cls, kept: Mapping[str, Any]) -> Self:
        """Make it again of what ``kept`` gave."""
        return cls(column=kept["column"], texts=kept["texts"], default=kept["default"])


@dataclass(frozen=True, kw_only=True)
class Characters:
    """How texts travel, and how long they may be.

    Attributes:
        encoding: asked for; None: the cheapest that holds a text.
        is_smart: typographic signs become plain ones where the text then fits into GSM-7.
        max_parts: the most that a person allows; None: what the gateway takes.
        udh_bits: 8 or 16, of the number that joins the parts.
    """

    encoding: Encoding | None = None
    is_smart: bool = False
    max_parts: int | None = None
    udh_bits: int = 8

    @property
    def kept(self) -> dict[str, Any]:
        """All but ``udh_bits``, which a campaign keeps by itself, as JSON takes it."""
        return {"encoding": self.encoding, "smart": self.is_smart, "max_parts": self.max_parts}

    @classmethod
    def of_kept(cls, kept: Mapping[str, Any], *, udh_bits: int) -> Self:
        """Make it again of what ``kept`` gave; nothing is what is usual."""
        encoding = kept.get("encoding")
        return cls(
            encoding=None if encoding is None else Encoding(encoding),
            is_smart=bool(kept.get("smart", False)),
            max_parts=kept.get("max_parts"),
            udh_bits=udh_bits,
        )


USUAL = Characters()

ENCODINGS = tuple(CHOICES)
"""The words for an encoding: ``auto``, ``gsm``, ``ucs2``."""
