"""Celery's ``rate_limit`` on a task that posts to the same receiver, beside ours in the same run.

It is kept by each node for itself. A node keeps a timer for every task that waits, works off ten of them at
a time and then sleeps up to a second (kombu.asynchronous.hub): so a node that has more tasks than its
children can work hardly sends, and the best that it can do is to have one child and fetch one task at a time.
"""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import redis
from celery import Celery

from tests.bench.processes import END_S, Receiving, running
from tests.bench.windows import Flow
from worker.waiting import within

START_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """How its worker processes are arranged, and what each node is told."""

    name: str
    nodes: int
    children: int  # of each node
    parts: int  # the limit of a node is the whole one divided by this
    prefetch: int | None  # tasks for each child; None: as Celery has it


def arrangements(processes: int) -> tuple[Arrangement, ...]:
    """Return the usual ways to have so many worker processes, and the best."""
    one = Arrangement(name="one node, as it comes", nodes=1, children=processes, parts=1, prefetch=None)
    each = Arrangement(
        name="nodes of one child, each with the limit", nodes=processes, children=1, parts=1, prefetch=1
    )
    share = Arrangement(
        name="nodes of one child, each with its part",
        nodes=processes,
        children=1,
        parts=processes,
        prefetch=1,
    )
    return one, each, share


def run(
    arrangement: Arrangement, *, per_second: int, seconds: float, redis_url: str, receiver: Receiving
) -> Flow:
    """Let tasks post for so long after the first, and judge what came."""
    receiver.begin(latency_s=0)
    environment = {
        "_BENCH_BROKER": redis_url,
        "_BENCH_URL": receiver.url,
        "_BENCH_RATE": f"{per_second / arrangement.parts}/s",
    }
    if arrangement.prefetch is not None:
        environment["_BENCH_PREFETCH"] = str(arrangement.prefetch)
    _fill(redis_url, n=int(per_second * (seconds + 10) * arrangement.nodes / arrangement.parts))
    with ExitStack() as stack:
        for n in range(arrangement.nodes):
            name = f"node{n}"
            stack.enter_context(_node(name, children=arrangement.children, environment=environment))
        assert within(START_S, lambda: bool(receiver.came()), every_s=0.1)
        time.sleep(seconds)
        came = receiver.came()
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return Flow.of(came, per_second=per_second)


def _fill(redis_url: str, *, n: int) -> None:
    app = Celery("filling", broker=redis_url)
    with app.connection_for_write() as connection, app.amqp.Producer(connection) as producer:
        for _ in range(n):
            app.send_task("post", producer=producer, ignore_result=True)
    app.close()


@contextmanager
def _node(name: str, *, children: int, environment: Mapping[str, str]) -> Iterator[None]:
    words = ["-m", "celery", "-A", "tests.bench.posting", "worker", "-c", str(children), "-n", name]
    with (
        tempfile.TemporaryFile() as said,
        running(*words, "-l", "error", env=environment, said=said) as process,
    ):
        try:
            yield
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: what it has not done is of no use
            within(END_S, lambda: process.poll() is not None)
