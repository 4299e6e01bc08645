"""Bare: one process that sends at an even pace, each request at its own absolute time: no throttle at all.

The same client and receiver as beside it, so what it overshoots and misses is the noise of this machine. It
prints the share of its requests that it wrote so late that a worker would have given them up.
"""

from __future__ import annotations

import itertools
import math
import sys
import time
from contextlib import suppress
from functools import partial

from tests.bench.plan import TIMEOUT_S
from tests.bench.sender import request_of
from worker.clock import elapsed_s
from worker.errors import NotSent, OutcomeUnknown
from worker.gateways.http import Client
from worker.roles import die_with_parent
from worker.sending.departures import LATE_S
from worker.sending.desk import started_pool


def main(url: str, per_second: str, guard_s: str, latency_s: str, seconds: str) -> None:
    """Send for so long."""
    interval_s = (1 + float(guard_s)) / float(per_second)
    connections = 4 + math.ceil((float(latency_s) + 0.1) / interval_s)
    client = Client(connections=connections, timeout_s=TIMEOUT_S + connections * interval_s)
    pool = started_pool(connections, name="bare")
    client.open(url, n=connections, pool=pool)
    turns, begin_s, late_s = itertools.count(), elapsed_s() + 0.1, list[float]()

    def sleep_until(at_s: float) -> None:
        time.sleep(max(0.0, at_s - elapsed_s()))
        late_s.append(elapsed_s() - at_s)

    def send_in_turn() -> None:
        while (at_s := begin_s + next(turns) * interval_s) < begin_s + float(seconds):
            with suppress(NotSent, OutcomeUnknown):
                client.exchange(request_of(url, 1), before_write=partial(sleep_until, at_s))

    for sent in [pool.submit(send_in_turn) for _ in range(connections)]:
        sent.result()
    client.close()
    pool.shutdown()
    print(sum(late > LATE_S for late in late_s) / len(late_s))  # noqa: T201 - for who started it


if __name__ == "__main__":
    die_with_parent()
    main(*sys.argv[1:])
