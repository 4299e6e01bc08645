"""Seats: which of a worker's children work for whom, so that no provider takes them all (DESIGN 4.9).

A seat is a byte of a file that all children inherit, locked by the process that sits on it (POSIX record
locks, fcntl(2)): the lock ends with the process, so a killed child leaves its seat.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from worker.states import Lane
from worker.waiting import within

_WORD = 2  # octets in which the provider of a seat is written
_PATIENCE_S = 0.2  # with a neighbour who is just sitting down


class Seats:
    """The seats of one worker; made in the parent, used by one thread of each child."""

    def __init__(self, total: int, providers: Sequence[str]) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the worker lives
        self._file.truncate(total * _WORD)
        self._total = total
        self._providers = {name: number for number, name in enumerate(providers, start=1)}
        self._ours: int | None = None  # on which this process sits

    @contextmanager
    def taken(self, provider: str, lane: Lane) -> Iterator[bool]:
        """Sit down for as long as the block lasts, if that leaves enough seats; say whether it does.

        Bulk leaves one for what is urgent. A provider that somebody works for leaves one for each other that
        nobody works for yet, and one more, urgent or not: without it their bulk could not sit.
        """
        self._ours = self._sit(provider, lane)
        try:
            yield self._ours is not None
        finally:
            if self._ours is not None:
                self._unlock(self._ours)
            self._ours = None

    def may_stay(self, provider: str, lane: Lane) -> bool:
        """Say whether this process, which sits, would be let in again: others may have come."""
        with self._alone():
            return self._place(provider, lane) is not None

    def _sit(self, provider: str, lane: Lane) -> int | None:
        with self._alone():
            place = self._place(provider, lane)
            if place is None or not self._lock(place):
                return None
            os.pwrite(self._file.fileno(), self._providers[provider].to_bytes(_WORD), place * _WORD)
            return place

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let nobody else sit down meanwhile."""
        is_ours = within(_PATIENCE_S, lambda: self._lock(self._total))
        try:
            yield
        finally:
            if is_ours:
                self._unlock(self._total)

    def _place(self, provider: str, lane: Lane) -> int | None:
        """Return a seat to be had, our own too; None: what is free is for others."""
        free, served = self._look()
        others = len(self._providers.keys() - served) if provider in served else 0
        kept = others + (1 if lane is Lane.BULK or others else 0)
        return free[0] if len(free) > kept else None

    def _look(self) -> tuple[list[int], set[str]]:
        """Return the free seats and our own, and the providers that other children work for."""
        written = os.pread(self._file.fileno(), self._total * _WORD, 0)
        names = {number: name for name, number in self._providers.items()}
        free, served = [], set()
        for place in range(self._total):
            if place == self._ours:  # unlocking it would give it up: a lock of ours is never in our way
                free.append(place)
            elif self._lock(place):
                self._unlock(place)
                free.append(place)
            elif word := int.from_bytes(written[place * _WORD : (place + 1) * _WORD]):
                served.add(names[word])
        return free, served

    def _lock(self, place: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError:
            return False
        return True

    def _unlock(self, place: int) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)

    def close(self) -> None:
        """Leave for good."""
        self._file.close()
