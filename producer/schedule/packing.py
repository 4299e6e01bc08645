"""How many requests messages come to, where their provider counts those: packed as `worker.sending` does it.

It packs what is due of one batch: the same text, or the same encoding where each may have its own, as many as
a request may have recipients.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby, islice

from producer.schedule.timetable import MINUTE_MS, Group, Timed
from worker.ledger.drafts import BATCH_ROWS
from worker.providers import Account
from worker.text.targets import kind_of


class Packing:
    """Counts requests; messages come in the order in which they are imported.

    Attributes:
        is_most: messages that may share a request fall due one after the other: each has one of its own here,
            so it is no more than that.
    """

    def __init__(self, account: Account) -> None:
        self._room = account.max_recipients
        self._differs, self._reserved = account.capabilities.differs, account.capabilities.reserved
        self._batch: Counter[int | None] = Counter()
        self._n_batched = 0
        self._n_requests = 0
        self.is_most = False

    @classmethod
    def of(cls, account: Account) -> Packing | None:
        """Return what counts for an account; None where each message is one, or requests do not matter."""
        return cls(account) if account.provider.unit == "requests" and account.max_recipients > 1 else None

    def key(self, msisdn: str, *, text: str | None, encoding: str) -> int | None:
        """Return what those have in common that may share a request; None: it has its own."""
        if kind_of(msisdn):
            return None
        is_free = self._differs and text is not None and not any(mark in text for mark in self._reserved)
        return hash((is_free, encoding if is_free else text))

    def add(self, key: int | None) -> None:
        """Count a message that leaves at once."""
        self._batch[key] += 1
        self._n_batched += 1
        if self._n_batched == BATCH_ROWS:
            self._n_requests += self._requests(self._batch)
            self._batch.clear()
            self._n_batched = 0

    @property
    def n_requests(self) -> int:
        """Requests of all that leaves at once."""
        return self._n_requests + self._requests(self._batch)

    def _requests(self, sizes: Counter[int | None]) -> int:
        return sum(n if key is None else -(-n // self._room) for key, n in sizes.items())

    def groups(self, timed: Iterable[Timed]) -> Iterator[Group]:
        """Put messages together that are due in the same minute and zones, and until the same minute.

        Args:
            timed: in the order of a timetable.
        """
        for _, minute in groupby(timed, key=lambda each: each.due_at // MINUTE_MS):
            found: dict[tuple[int | None, str | None], Group] = {}
            while batch := list(islice(minute, BATCH_ROWS)):
                for each, share in zip(batch, self._shares(batch), strict=True):
                    _join(found, each, share)
            yield from sorted(found.values(), key=lambda group: group.due_at)

    def _shares(self, batch: list[Timed]) -> Iterator[float]:
        """Yield what each message has of its request."""
        sizes = Counter((each.due_at, each.pack) for each in batch)
        self.is_most = self.is_most or len(sizes) > len({each.pack for each in batch})
        for each in batch:
            n = sizes[each.due_at, each.pack]
            yield 1.0 if each.pack is None else -(-n // self._room) / n


def _join(found: dict[tuple[int | None, str | None], Group], each: Timed, share: float) -> None:
    key = None if each.leave_by is None else each.leave_by // MINUTE_MS, each.zones
    there = found.get(key)
    if there is None:
        found[key] = Group(each.due_at, each.leave_by, each.expires_at, each.zones, 1, share)
        return
    found[key] = there._replace(
        due_at=min(there.due_at, each.due_at),
        leave_by=_earlier(there.leave_by, each.leave_by),
        expires_at=_earlier(there.expires_at, each.expires_at),
        n=there.n + 1,
        units=there.units + share,
    )


def _earlier(one: int | None, other: int | None) -> int | None:
    return min((each for each in (one, other) if each is not None), default=None)
