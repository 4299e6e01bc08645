"""What a row of a list of opt-outs says beside its number and its scope.

None of it keeps an opt-out from being noted: what cannot be read is taken as if it were not there, and said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from worker.errors import InputError
from worker.states import OptOutSource

TAKEN: Final[Mapping[str, str]] = {
    "source_unknown": f"a source that is none of {', '.join(OptOutSource)}: noted as import",
    "time_invalid": "a time that is no ISO 8601, such as 2027-01-31T09:00:00Z: noted as of now",
    "time_ahead": "a time that is not in the past: noted as of now",
    "provider_invalid": "what is no name of a provider: noted without it",
}
"""What was done with words that could not be read, by the code of that."""

_DIGEST = re.compile(r"([0-9a-f]{8})-([0-9a-f]{64})")
_AHEAD_MS = 60_000  # of this machine's clock
_LONGEST_NAME = 40


def read_facts(values: Mapping[str, str], *, now_ms: int) -> tuple[dict[str, Any], list[str]]:
    """Return source, provider and time of an opt-out, and a code of ``TAKEN`` for each that says nothing.

    Args:
        values: the cells of a row by variable name.
        now_ms: epoch milliseconds; nobody has opted out after that.
    """
    ways: Mapping[str, tuple[str, Callable[[str], Any]]] = {
        "source": ("source", _source),
        "provider": ("provider", _provider),
        "at": ("time", partial(read_time, now_ms=now_ms)),
    }
    found: dict[str, Any] = {}
    doubts = []
    for name, (column, read) in ways.items():
        try:
            found[name] = read(values.get(column, ""))
        except InputError as error:
            found[name] = read("")
            doubts.append(error.code)
    return found, doubts


def _source(written: str) -> OptOutSource:
    try:
        return OptOutSource(written.lower()) if written else OptOutSource.IMPORT
    except ValueError:
        raise InputError("the source is none of ours", code="source_unknown") from None


def _provider(written: str) -> str | None:
    if len(written) > _LONGEST_NAME or not written.isprintable():
        raise InputError("this is no name of a provider", code="provider_invalid")
    return written or None


def read_time(written: str, *, now_ms: int) -> int | None:
    """Read ISO 8601, in UTC where nothing else is said, as epoch milliseconds; nothing is now.

    Raises:
        InputError: ``time_invalid``, ``time_ahead``.
    """
    if not written:
        return None
    try:
        read = datetime.fromisoformat(written)
        at_ms = round(1000 * (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise InputError("write ISO 8601, such as 2027-01-31T09:00:00Z", code="time_invalid") from None
    if not 0 <= at_ms <= now_ms + _AHEAD_MS:
        raise InputError("the time is not in the past", code="time_ahead")
    return at_ms


def read_digest(written: str, *, ours: str) -> str:
    """Read what stands for a number in a list of ours; ``ours`` names the key of this ledger.

    Raises:
        InputError: ``digest_invalid``, ``digest_foreign``.
    """
    found = _DIGEST.fullmatch(written.lower())
    if found is None:
        raise InputError("the digest is none of a list of opt-outs", code="digest_invalid", column="digest")
    if found[1] != ours:
        raise InputError(
            "the digest is of another ledger, and says nothing here", code="digest_foreign", column="digest"
        )
    return found[2]
