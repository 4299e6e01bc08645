"""Reminders are cut into batches, and these into what one transaction writes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TypeVar

from worker.ledger.moving import ROWS_AT_ONCE
from worker.ledger.reminding import Draft

BATCHES_AT_ONCE = 20
"""Most batches that one transaction writes, or one look reads."""

_MINUTE_MS = 60_000

_T = TypeVar("_T")


def transactions(drafts: Iterable[Draft]) -> Iterator[list[list[Draft]]]:
    """Cut reminders, in the order in which they are due, into batches: each is due within one minute."""
    waiting: list[list[Draft]] = []
    for _, same_minute in itertools.groupby(drafts, key=_minute):
        for batch in chunks(same_minute, ROWS_AT_ONCE):
            if len(waiting) == BATCHES_AT_ONCE or sum(map(len, waiting)) + len(batch) > ROWS_AT_ONCE:
                yield waiting
                waiting = []
            waiting.append(batch)
    if waiting:
        yield waiting


def _minute(draft: Draft) -> int:
    return (draft.message.due_at or 0) // _MINUTE_MS


def chunks(values: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Cut a stream into lists of at most so many."""
    several = iter(values)
    while chunk := list(itertools.islice(several, size)):
        yield chunk
