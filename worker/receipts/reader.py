"""The reader: what was pushed, by this process or an earlier one, is read by the adapters and recorded."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Engine

from worker.errors import LedgerError
from worker.gateways.base import Adapter, Capabilities, Push, Report
from worker.ledger import deliveries, matching
from worker.ledger.engine import LedgerUnavailableError, reading, writing
from worker.ledger.matching import Kept, Read, Told
from worker.states import PROVEN, PushOutcome

_log = logging.getLogger(__name__)
_AT_ONCE = 100  # SQLite's write lock is not to be held for longer than 50 ms
_LOOK_S = 0.5
_LATEST_S = 2.0**40  # what a gateway dates later than any calendar is not kept


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Reads what was pushed; any number may do so at once, since reading it twice changes nothing.

    Attributes:
        engine: of the ledger.
        adapters: by provider; only these providers' reports are read.
        logins: by provider; a report may be of what another provider of the same login has sent.
        keeps_numbers: of those that a gateway blocks, beside their digests.
    """

    engine: Engine
    adapters: Mapping[str, Adapter]
    logins: Mapping[str, str] = field(default_factory=dict)
    keeps_numbers: bool = True
    _news: threading.Event = field(default_factory=threading.Event)

    def wake(self) -> None:
        """Say that there is something to read."""
        self._news.set()

    def run(self, should_stop: Callable[[], bool]) -> None:
        """Read until told to stop; a ledger that is away is for the next look."""
        while not should_stop():
            self._news.clear()
            if not self.round():
                self._news.wait(_LOOK_S)

    def round(self) -> int:
        """Read some of what is due and return how many calls that were."""
        try:
            with reading(self.engine) as connection:
                kept = deliveries.to_read(connection, self.adapters, limit=_AT_ONCE)
            if kept:
                counts = self._settle_all(kept)
                _log.info("reports read", extra={f"n_{name}": n for name, n in counts.items()})
        except LedgerError as error:
            _log.warning("reports not read", extra={"reason": str(error)})
            return 0
        return len(kept)

    def _settle_all(self, kept: Sequence[Kept]) -> Counter[PushOutcome]:
        """Settle them together; where that fails, one by one, so that one stops none of the others."""
        try:
            return self._settle([Read(kept=each, told=self._told(each)) for each in kept])
        except LedgerUnavailableError:
            raise
        except Exception as bug:  # noqa: BLE001 - its words may hold a number
            _log.error("reports not read because of a bug", extra={"error_class": type(bug).__name__})
        if len(kept) == 1:
            return self._settle([Read(kept=kept[0], told=())])
        return sum((self._settle_all([each]) for each in kept), Counter())

    def _settle(self, read: Sequence[Read]) -> Counter[PushOutcome]:
        with reading(self.engine) as connection:
            found = matching.matches(connection, read, logins=self.logins)
        with writing(self.engine) as connection:
            return deliveries.conclude(connection, read, found)

    def _told(self, kept: Kept) -> tuple[Told, ...]:
        pushed = kept.pushed
        push = Push(
            method=pushed.method,
            query=pushed.query,
            headers={"content-type": pushed.content_type} if pushed.content_type else {},
            body=pushed.body,
        )
        adapter = self.adapters[pushed.provider]
        told = _as_told(adapter.report(push), has=adapter.capabilities)
        return tuple(replace(each, keeps_number=self.keeps_numbers) for each in told)


def _as_told(reports: Sequence[Report], *, has: Capabilities) -> Iterator[Told]:
    for report in reports:
        if report.delivery not in PROVEN:
            continue
        is_dated = report.at_s is not None and 0 <= report.at_s < _LATEST_S
        yield Told(
            state=report.delivery,
            msisdn=report.msisdn,
            reference=report.reference,
            provider_ref=report.provider_ref,
            code=report.code,
            detail=report.detail,
            told_at=int(1000 * report.at_s) if is_dated and report.at_s is not None else None,
            stops=has.stop_list if report.code in has.blocked else None,
        )
