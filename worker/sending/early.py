"""Early: a batch whose hint came before its time, since Celery's clock is not the database's.

How long it is still early is the database's word, and waited for on a clock that nobody sets.
"""

from __future__ import annotations

from contextlib import suppress

from worker.clock import elapsed_s
from worker.errors import BrokerError, NotSent
from worker.ledger import batches, hints
from worker.ledger.engine import reading, writing
from worker.sending.desk import Desk
from worker.waiting import within

_MORE_S = 0.003  # than what is left: milliseconds are whole
_WAKE_S = 0.02


def wait_until_due(desk: Desk, batch_id: int) -> bool:
    """Wait for a batch that is due in a moment; say whether it may be leased now.

    One that is due later keeps no child waiting: its hint is taken back, to be published again in time.
    """
    with reading(desk.engine) as connection:
        left_ms, n_queued = batches.due_in_ms(connection, batch_id)
    left_s = left_ms / 1000
    if left_s > desk.timers.slot_wait:
        with writing(desk.engine) as connection:
            hints.forget_published(connection, [batch_id])
        return False
    if left_s > 0:
        due_at_s = elapsed_s() + left_s + _MORE_S
        _get_ready(desk, n_queued)
        within(due_at_s - elapsed_s(), desk.should_stop, every_s=min(_WAKE_S, left_s))
    return not desk.should_stop()


def _get_ready(desk: Desk, n_queued: int) -> None:
    """Have the throttle know the account, and connections open for what leaves first.

    A Redis or a gateway that is away may be back when it is due.
    """
    with suppress(BrokerError):
        desk.pace.reserve(desk.limits, [], n_out=0, is_urgent=False)
    n = min(n_queued, desk.pace.within_reach(desk.limits))
    with suppress(NotSent):
        desk.gateway.open(n=n, pool=desk.pool, within_s=desk.timers.slot_wait)
