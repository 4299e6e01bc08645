"""Counted things, as English has them. Pure."""

from __future__ import annotations

_PLURALS = {"is": "are", "was": "were", "has": "have", "counts": "count", "costs": "cost"}


def counted(n: int, noun: str, plural: str | None = None, *, verb: str | None = None) -> str:
    """Write a number with its noun, and the verb that fits; the plural has an s where it is not given.

    >>> counted(1, "part"), counted(2, "part"), counted(0, "batch", "batches")
    ('1 part', '2 parts', '0 batches')
    >>> counted(1, "message", verb="is"), counted(2, "message", verb="is")
    ('1 message is', '2 messages are')
    """
    things = f"{n} {noun if n == 1 else plural or noun + 's'}"
    return things if verb is None else f"{things} {verb if n == 1 else _PLURALS[verb]}"


def counted_of(n: int, total: int, noun: str, *, verb: str) -> str:
    """Write how many of all it is, and the verb that fits these.

    >>> counted_of(1, 2, "row", verb="is"), counted_of(3, 3, "row", verb="is")
    ('1 of 2 rows is', '3 of 3 rows are')
    """
    return f"{n} of {counted(total, noun)} {verb if n == 1 else _PLURALS[verb]}"
