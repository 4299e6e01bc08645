"""Conclusions: what follows for the account from the ends of requests; it then waits on every host."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from worker.errors import LedgerError
from worker.ledger import accounts, trouble
from worker.ledger.batches import Lease
from worker.ledger.engine import writing
from worker.sending.record import Ended, Hold
from worker.sending.write import LOCKED_S
from worker.settings import Timers
from worker.states import SubmissionOutcome

_log = logging.getLogger(__name__)
_REFUSED = Hold(pause_s=60.0, reason="the ledger refuses outcomes: see the worker's log")


@dataclass(kw_only=True)
class Conclusions:
    """What follows for the account of one lease; the next request finds what is lost here."""

    engine: Engine
    timers: Timers
    held: Lease
    is_counting: bool  # there is something to look at in the account, whatever the answers are

    def draw(self, ends: Sequence[Ended], *, was_refused: bool) -> None:
        """Count what could not be read, and let the account wait where an answer or the ledger says so."""
        written = [end for end in ends if end.result.outcome is not SubmissionOutcome.NOT_SENT]
        if len(written) < len(ends):
            _log.warning("requests not sent", extra={"n_requests": len(ends) - len(written)})
        if self.is_counting or not all(end.is_clear for end in written):
            self.is_counting = True
            self._note(written)
        for hold in dict.fromkeys(end.hold for end in ends if end.hold is not None):
            self.hold(hold)
        if was_refused:
            self.hold(_REFUSED)

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


def _ms(seconds: float) -> int:
    return int(1000 * seconds)
