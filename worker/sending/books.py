"""Books: what is known of the requests of a lease, on its way into the ledger.

While the ledger is away it is kept, on disk first; whoever sends marks nothing more until it is written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine

from worker.ledger.engine import LedgerUnavailableError
from worker.sending.conclusions import Conclusions
from worker.sending.keep import Keep
from worker.sending.record import Ended
from worker.sending.write import write_outcomes

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Books:
    """The ends of the requests of one lease."""

    engine: Engine
    keep: Keep
    should_stop: Callable[[], bool]
    providers: Collection[str]  # that this worker serves
    conclusions: Conclusions
    unsaved: list[Ended] = field(default_factory=list)
    was_refused: bool = False  # the ledger did not take an outcome: its rows become UNKNOWN in time
    is_away: bool = False
    _n_on_disk: int = 0

    def add(self, ends: Sequence[Ended]) -> None:
        """Take ends in; on disk at once when the ledger is known to be away, or we are to stop soon."""
        self.unsaved.extend(ends)
        if self.is_away or self.should_stop():
            self._to_disk()

    def miss(self) -> None:
        """Note that the ledger is away."""
        self.is_away = True
        self._to_disk()

    def save(self) -> list[Ended]:
        """Write all that is known, and return what was written: nothing while the ledger is away."""
        ends = self.unsaved
        if not ends:
            return []
        results = [end.result for end in ends]
        try:
            n_refused = write_outcomes(self.engine, results, providers=self.providers)
        except LedgerUnavailableError:
            _log.warning("outcomes wait for the ledger", extra={"batch_id": self.conclusions.held.batch_id})
            self.miss()
            return []
        self.unsaved, self._n_on_disk, self.is_away = [], 0, False
        self.keep.clear()
        self.was_refused = self.was_refused or n_refused > 0
        self.conclusions.draw(ends, was_refused=self.was_refused)
        return ends

    def close(self) -> None:
        """Leave what is not written to whoever looks after this machine's kept outcomes."""
        if self.unsaved:
            self.miss()
            self.keep.leave()

    def _to_disk(self) -> None:
        if self.keep.add([end.result for end in self.unsaved[self._n_on_disk :]]):
            self._n_on_disk = len(self.unsaved)
