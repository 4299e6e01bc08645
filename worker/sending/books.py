"""Books: what is known of requests on its way into the ledger, and what follows from it for the account.

While the ledger is away it is kept, on disk first; whoever sends marks nothing more until it is written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, Engine

from worker.errors import LedgerError
from worker.ledger import accounts, outcomes, trouble
from worker.ledger.batches import Lease
from worker.ledger.engine import LedgerUnavailableError, writing
from worker.ledger.values import SubmissionResult
from worker.sending import keep
from worker.sending.keep import Keep
from worker.sending.record import Ended, Hold
from worker.settings import Timers
from worker.states import SubmissionOutcome

_log = logging.getLogger(__name__)
_REFUSED_PAUSE_S = 60.0
LOCKED_S = 2.0
"""A ledger that somebody else has locked for so long is away: what is known goes to the disk."""


@dataclass(kw_only=True)
class Books:
    """The ends of the requests of one lease."""

    engine: Engine
    keep: Keep
    should_stop: Callable[[], bool]
    timers: Timers
    held: Lease
    is_counting: bool  # there is something to look at in the account, whatever the answers are
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
        try:
            self._write(ends)
        except LedgerUnavailableError:
            _log.warning("outcomes wait for the ledger", extra={"batch_id": self.held.batch_id})
            self.miss()
            return []
        self.unsaved, self._n_on_disk, self.is_away = [], 0, False
        self.keep.clear()
        self._draw_conclusions(ends)
        return ends

    def close(self) -> None:
        """Leave what is not written to whoever looks after this machine's kept outcomes."""
        if self.unsaved:
            self.miss()
            self.keep.leave()

    def _to_disk(self) -> None:
        if self.keep.add([end.result for end in self.unsaved[self._n_on_disk :]]):
            self._n_on_disk = len(self.unsaved)

    def _write(self, ends: Sequence[Ended]) -> None:
        """Write outcomes together; one that the ledger refuses takes no other with it."""
        try:
            with writing(self.engine, wait_s=LOCKED_S) as connection:
                outcomes.record(connection, [end.result for end in ends])
        except LedgerUnavailableError:
            raise
        except LedgerError as error:
            if len(ends) > 1:
                for end in ends:  # written twice, should the ledger go away meanwhile: that changes nothing
                    self._write([end])
                return
            self.was_refused = True
            _log.error("outcome refused", extra={"batch_id": self.held.batch_id, "reason": str(error)})

    def _draw_conclusions(self, ends: Sequence[Ended]) -> None:
        """Count what could not be read and let the account wait; the next request finds what is lost here."""
        written = [end for end in ends if end.result.outcome is not SubmissionOutcome.NOT_SENT]
        if len(written) < len(ends):
            _log.warning("requests not sent", extra={"n_requests": len(ends) - len(written)})
        if self.is_counting or not all(end.is_clear for end in written):
            self.is_counting = True
            self._note(written)
        holds = dict.fromkeys(end.hold for end in ends if end.hold is not None)
        for hold in holds:
            self.hold(hold)
        if self.was_refused:
            reason = "the ledger refuses outcomes: see the worker's log"
            self.hold(Hold(pause_s=_REFUSED_PAUSE_S, reason=reason))

    def _note(self, ends: Sequence[Ended]) -> None:
        answers = trouble.Answers(
            batch_id=self.held.batch_id,
            clear=[end.is_clear for end in ends],
            has_taken=any(end.has_taken for end in ends),
        )
        try:
            with writing(self.engine, wait_s=LOCKED_S) as connection:
                trouble.note_answers(connection, self.held.provider, answers, check_ms=_ms(self.timers.check))
        except LedgerError as error:
            _log.error("answers not counted", extra={"provider": self.held.provider, "reason": str(error)})

    def hold(self, hold: Hold) -> None:
        """Let the account wait, on every host: nothing is marked for it before that is over."""
        try:
            with writing(self.engine, wait_s=LOCKED_S) as connection:
                self._hold(connection, hold)
        except LedgerError as error:
            _log.error("provider not held", extra={"provider": self.held.provider, "reason": str(error)})
            return
        facts = {"provider": self.held.provider, "pause_s": hold.pause_s, "reason": hold.reason}
        _log.warning("provider held", extra=facts)

    def _hold(self, connection: Connection, hold: Hold) -> None:
        provider = self.held.provider
        if hold.is_ours:
            accounts.pause_account(connection, provider, reason=hold.reason, author="worker")
            return
        if hold.pause_s is not None:
            accounts.hold_account(connection, provider, pause_ms=_ms(hold.pause_s), reason=hold.reason)
            return
        check_s = self.timers.check if hold.is_away else self.timers.trouble_check
        trouble.close_account(
            connection,
            provider,
            check_in_ms=0 if hold.is_away else _ms(check_s),
            check_ms=_ms(check_s),
            is_refused=not hold.is_away,
            reason=hold.reason,
        )


def replay(folder: Path, engine: Engine) -> None:
    """Write what processes that are gone have kept; a ledger that is away leaves it for the next time."""

    def write(results: Sequence[SubmissionResult]) -> bool:
        try:
            with writing(engine) as connection:
                outcomes.record(connection, results)
        except LedgerError as error:
            _log.warning("kept outcomes not written", extra={"reason": str(error)})
            return False
        return True

    try:
        n_outcomes = keep.replay(folder, write)
    except OSError as error:
        _log.error("kept outcomes not read", extra={"reason": error.strerror})
        return
    if n_outcomes:
        _log.warning("kept outcomes written", extra={"n_requests": n_outcomes})


def _ms(seconds: float) -> int:
    return int(1000 * seconds)
