"""Early: a batch whose hint came before its time, since Celery's clock is not the database's.

How long it is still early is the database's word, and waited for on a clock that nobody sets.
"""

from __future__ import annotations

from contextlib import suppress

from worker.clock import elapsed_s
from worker.errors import BrokerError, LedgerError, NotSent
from worker.ledger import batches, hints, rates
from worker.ledger.engine import reading, writing
from worker.sending.desk import Desk
from worker.sending.tempo import in_force
from worker.waiting import within

_MORE_S = 0.003  # than what is left: milliseconds are whole
_WAKE_S = 0.02


def wait_until_due(desk: Desk, batch_id: int) -> bool:
    """Wait for a batch that is due in a moment; say whether it may be leased now.

    One that is due later keeps no child waiting: its hint is taken back, to be published again in time.
    """
    with reading(desk.engine) as connection:
        found = batches.awaited(connection, batch_id)
    left_s = found.due_in_ms / 1000
    if left_s > desk.timers.slot_wait:
        with writing(desk.engine) as connection:
            hints.forget_published(connection, [batch_id])
        return False
    if left_s > 0 and not desk.should_stop():
        due_at_s = elapsed_s() + left_s + _MORE_S
        _get_ready(desk, found)
        within(due_at_s - elapsed_s(), desk.should_stop, every_s=min(_WAKE_S, left_s))
    return not desk.should_stop()


def _get_ready(desk: Desk, found: batches.Awaited) -> None:
    """Have the throttle know the account, and connections open for what leaves first.

    Whatever is away may be back when it is due. The throttle is asked at the rate in force: another would be
    a new window to it, before which all who send would have to wait.
    """
    with reading(desk.engine) as connection:
        limits = in_force(desk.limits, rates.effective(connection, found.provider))
    with suppress(BrokerError, LedgerError):
        desk.pace.reserve(limits, [], n_out=desk.pace.gate.under_way, is_urgent=False)
    n = min(found.n_queued, desk.pace.within_reach(limits))
    with suppress(NotSent):
        desk.gateway.open(n=n, pool=desk.pool, within_s=desk.timers.slot_wait)
