"""Refusals: a campaign of which too much is refused is paused by itself, before it costs more."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine

from worker.errors import InputError, LedgerError
from worker.ledger import control, orders
from worker.ledger.batches import Lease
from worker.ledger.engine import reading, writing
from worker.ledger.refusals import Refused, last_outcomes
from worker.sending.record import Ended
from worker.sending.write import LOCKED_S
from worker.settings import Campaigns
from worker.states import MessageState

_log = logging.getLogger(__name__)
_LOOK_S = 1.0
_LEAST = 4  # of what is looked at, one in so many must be there: a few refusals tell nothing


@dataclass(kw_only=True)
class Refusals:
    """What one process knows of the refusals that it has seen; it looks once a second for each campaign."""

    rule: Campaigns = field(default_factory=Campaigns)
    _looked_at_s: dict[int, float] = field(default_factory=dict)

    def note(self, engine: Engine, held: Lease, ends: Sequence[Ended]) -> bool:
        """Pause the campaign if too much of it is refused; say whether it was. ``ends`` are recorded."""
        share = self.rule.pause_refused
        if share is None or not _has_refusal(ends) or not self._may_look(held.campaign_id):
            return False
        try:
            with reading(engine) as connection:
                n = self.rule.pause_refused_of
                found = last_outcomes(connection, held.campaign_id, held.provider, n=n)
            if found.n_outcomes * _LEAST < self.rule.pause_refused_of or found.share <= share:
                return False
            return _pause(engine, held, found)
        except (InputError, LedgerError) as error:  # it is over by now, or the next refusal finds the same
            _log.warning("refusals not judged", extra={"batch_id": held.batch_id, "reason": str(error)})
            return False

    def _may_look(self, campaign_id: int) -> bool:
        now_s = time.monotonic()
        if now_s - self._looked_at_s.get(campaign_id, -_LOOK_S) < _LOOK_S:
            return False
        recent = {number: at_s for number, at_s in self._looked_at_s.items() if now_s - at_s < _LOOK_S}
        self._looked_at_s = {**recent, campaign_id: now_s}
        return True


def _has_refusal(ends: Sequence[Ended]) -> bool:
    return any(each.state is MessageState.REJECTED for end in ends for each in end.result.messages)


def _pause(engine: Engine, held: Lease, found: Refused) -> bool:
    reason = (
        f"{found.n_refused} of the last {found.n_outcomes} messages were refused, most with code "
        f"{found.code or 'none'}: see `bulksend campaign show {held.campaign_id}`"
    )
    with writing(engine, wait_s=LOCKED_S) as connection:
        is_new = control.pause(connection, held.campaign_id, reason=reason, author=orders.OURSELVES)
    if is_new:
        facts = {"campaign_id": held.campaign_id, "n_refused": found.n_refused}
        _log.error("campaign paused", extra={**facts, "n_outcomes": found.n_outcomes})
    return is_new
