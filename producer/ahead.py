"""Ahead: items of which the next may be fetched while somebody else is busy with the last."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Ahead(Iterator[Item], Generic[Item]):
    """The items of an iterable, some of them, ``most`` at once, fetched before they are asked for."""

    def __init__(self, items: Iterable[Item], *, most: int) -> None:
        self._items = iter(items)
        self._most = most
        self._fetched: deque[Item] = deque()

    def fetch(self) -> None:
        """Fetch one more item, if there is one and room for it; raises what the iterable raises."""
        if len(self._fetched) < self._most:
            self._fetched.extend(islice(self._items, 1))

    def __next__(self) -> Item:
        """Return the next item, fetched now or before."""
        return self._fetched.popleft() if self._fetched else next(self._items)
