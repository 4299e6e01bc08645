"""What sends in a test, at the throttle of the test's Redis."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from worker.sending.pace import Pace
from worker.throttle.call import History
from worker.throttle.limits import Limits
from worker.throttle.throttle import Throttle
from worker.waiting import within

ACCOUNT = "tests"
"""One account for all tests of a process: what has just begun grants nothing for a second."""

DEADLINE_S = 5.0
ANY = Limits(rates=(), guard_s=0.0, connections=1)


@contextmanager
def pace_of(redis_url: str, *, account: str = ACCOUNT, mark_s: float = 0.25) -> Iterator[Pace]:
    """Give what a process asks the throttle with, for as long as the block lasts."""
    throttle = Throttle(redis_url)
    pace = Pace(
        throttle=throttle,
        account=account,
        process=secrets.token_hex(8),
        deadline_s=DEADLINE_S,
        mark_s=mark_s,
        read_history=lambda windows_s: History(departed=dict.fromkeys(windows_s, ())),
    )
    assert within(5, lambda: bool(pace.reserve(ANY, [1], n_out=0, is_urgent=False).departures))
    pace.release(ANY, n_out=0)
    yield pace
    throttle.close()
