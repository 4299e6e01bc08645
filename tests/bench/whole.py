"""Whole: campaigns by real workers, with Redis, SQLite and the simulator, judged by what that accepted."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from tests.bench.plan import Lengths
from tests.bench.windows import Flow, Moved
from tests.e2e.conftest import made_place
from tests.e2e.place import Place
from tests.fault.arena import SABOTAGE
from tests.fault.door import CERTIFICATE, tls_door
from tests.fault.servers import own_redis
from tests.sandbox.running import Sandbox, running_sandbox
from tests.throttle_model import most_units
from worker.ledger.engine import reading
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES, SUBMISSIONS
from worker.states import BatchState, MessageState, SubmissionOutcome
from worker.waiting import within

PER_SECOND = 100
LATENCY_S = 0.05
START_S = 60.0
N_URGENT = 5

SETTINGS = """ledger = "sqlite:///bulksend.db"
broker = "{broker}"
[providers.acme]
gateway = "cpsms"
base_url = "{gateway}/cpsms/v2"
username = "acme"
secret = "env:ACME_KEY"
sender = "ACME"
country = "DK"
price = "0.35 DKK"
timeout = "2s"
unit = "messages"
rate = "{rate}"
connections = 70
max_recipients = {group}
"""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        ran: what was run.
        seen: what came of it, in words.
        is_good: whether it is as it must be.
    """

    ran: str
    seen: str
    is_good: bool


@dataclass(kw_only=True)
class World:
    """A user's folder with settings, a simulator, and the campaigns so far."""

    place: Place
    gateway: Sandbox
    redis_url: str

    def send(self, name: str, text: str, *words: str, rows: int) -> int:
        """Import a campaign and return its id."""
        self.place.write_numbers(f"{name}.csv", rows)
        order = ("send", f"{name}.csv", "--text", text, "--via", "acme", "--yes", "--json", *words)
        campaign_id: int = self.place.run(*order, timeout_s=600).json["campaign_id"]
        return campaign_id

    def came(self, beginning: str = "") -> Moved:
        """Return when messages whose text begins so were accepted."""
        accepted = self.gateway.accepted()
        return [(int(1_000_000 * row["time"]), 1) for row in accepted if row["text"].startswith(beginning)]

    def wait_for(self, n: int, timeout_s: float) -> bool:
        """Wait until so many messages were accepted."""
        return within(timeout_s, lambda: self.gateway.stats()["accepted"] >= n, every_s=0.2)

    @contextmanager
    def workers(self, n: int = 1) -> Iterator[None]:
        """Have so many workers run."""
        with ExitStack() as stack:
            for _ in range(n):
                worker = stack.enter_context(self.place.started("worker"))
                assert worker.says("Running", START_S), worker.said
            yield


@contextmanager
def world(*, rate: str, group: int = 1, is_secure: bool = False) -> Iterator[World]:
    """Give an empty world with this rate."""
    with own_redis() as redis, running_sandbox() as gateway, ExitStack() as stack:
        url = gateway.url
        place = stack.enter_context(made_place(url))
        if is_secure:
            url = f"https://127.0.0.1:{stack.enter_context(tls_door(gateway_port=gateway.port)).port}"
            place.environment["PYTHONPATH"] = f"{SABOTAGE}:{place.environment['PYTHONPATH']}"
            place.environment |= {"_FAULT_FOLDER": str(place.temporary), "_FAULT_CA": str(CERTIFICATE)}
        text = SETTINGS.format(broker=redis.url, gateway=url, rate=rate, group=group)
        place.write("bulksend.toml", text)
        yield World(place=place, gateway=gateway, redis_url=redis.url)
        place.engine.dispose()


def steady(*, seconds: float, workers: int) -> Finding:
    """Send a campaign of so long."""
    rows = int(PER_SECOND * seconds)
    with world(rate=f"{PER_SECOND}/s") as here:
        here.gateway.set_faults(latency_ms=1000 * LATENCY_S)
        here.send("all", "Hi {{ first_name }}", rows=rows)
        with here.workers(workers):
            is_done = here.wait_for(rows, 2 * seconds + START_S)
        flow = Flow.of(here.came(), per_second=PER_SECOND)
    return Finding(
        ran=f"{rows} messages at {PER_SECOND}/s, 50 ms, workers: {workers}",
        seen=f"most in 1 s: {flow.most}, used: {flow.used:.1%}{'' if is_done else ', not finished'}",
        is_good=is_done and flow.most <= PER_SECOND and flow.uses(0.97),
    )


def equal(*, seconds: float) -> Finding:
    """Send two campaigns of the same size at once."""
    rows = int(PER_SECOND * seconds / 2)
    with world(rate=f"{PER_SECOND}/s") as here:
        here.gateway.set_faults(latency_ms=1000 * LATENCY_S)
        for name in ("one", "two"):
            here.send(name, f"{name} {{{{ first_name }}}}", rows=rows)
        with here.workers():
            is_done = here.wait_for(2 * rows, 2 * seconds + START_S)
        one, two = (max(here.came(name), default=(0, 0))[0] for name in ("one", "two"))
        apart = abs(one - two) / (max(one, two) - min(here.came())[0])
    return Finding(
        ran=f"two campaigns of {rows} messages each at {PER_SECOND}/s, one worker",
        seen=f"they ended {apart:.1%} of the time apart{'' if is_done else ', not finished'}",
        is_good=is_done and apart <= 0.05,
    )


def urgent(*, rows: int) -> Finding:
    """Send urgent messages, one after the other, while a bulk campaign is being sent."""
    with world(rate=f"{PER_SECOND}/s") as here:
        here.gateway.set_faults(latency_ms=1000 * LATENCY_S)
        here.send("bulk", "Hi {{ first_name }}", rows=rows)
        with here.workers():
            assert here.wait_for(2 * PER_SECOND, START_S)
            waits = [_urgent(here, f"now{n}") for n in range(N_URGENT)]
    seen_ms, left_ms = (max(each) for each in zip(*waits, strict=True))
    return Finding(
        ran=f"{N_URGENT} times an urgent message behind {rows} bulk rows at {PER_SECOND}/s, one worker",
        seen=f"seen after {seen_ms} ms, left {left_ms} ms later, at most",
        is_good=seen_ms <= 1000 and left_ms <= 500,
    )


def _urgent(here: World, name: str) -> tuple[int, int]:
    """Send one; return the time from its release to its lease, and from there to the simulator, in ms."""
    campaign_id = here.send(name, f"{name}!", "--urgent", rows=1)
    assert within(20, lambda: bool(here.came(name)))
    with reading(here.place.engine) as connection:
        query = select(CAMPAIGNS.c.due_at, CAMPAIGNS.c.served_at).where(CAMPAIGNS.c.id == campaign_id)
        due_at, served_at = connection.execute(query).one()
    came_ms = here.came(name)[0][0] / 1000 - 1000 * LATENCY_S
    return served_at - due_at, int(came_ms - served_at)


def per_minute(*, seconds: float) -> Finding:
    """Send 5/min over TLS, where each connection is cold."""
    with world(rate="5/min", is_secure=True) as here:
        here.send("all", "Hi {{ first_name }}", rows=100)
        with here.workers():
            assert here.wait_for(1, START_S)
            within(seconds, lambda: False, every_s=0.5)
        came = here.came()
        outcomes = _outcomes(here.place)
    most = most_units(came, window_s=60)
    rounds = 1 + int((seconds - 2) // 60.5)
    gaps = [f"{(b[0] - a[0]) / 1e6:.1f}" for a, b in itertools.pairwise(came) if b[0] - a[0] > 5_000_000]
    n_given_up = outcomes.get(SubmissionOutcome.NOT_SENT, 0)
    return Finding(
        ran=f"5/min over TLS for {seconds:.0f} s, one worker",
        seen=f"{len(came)} came, most in 60 s: {most}, missed: {n_given_up}, pauses: {', '.join(gaps)} s",
        is_good=most <= 5 and n_given_up == 0 and len(came) == 5 * rounds,
    )


def per_day() -> Finding:
    """Send more than a day allows."""
    with world(rate="1000/day", group=500) as here:
        campaign_id = here.send("all", "Hello", rows=1100)
        with here.workers():
            is_full = here.wait_for(1000, START_S)
            is_more = here.wait_for(1001, 10)
            with reading(here.place.engine) as connection:
                of_it = (MESSAGES.c.campaign_id == campaign_id, MESSAGES.c.state == MessageState.QUEUED)
                waiting = connection.scalar(select(func.count()).select_from(MESSAGES).where(*of_it))
                leased = select(func.count()).where(BATCHES.c.state == BatchState.LEASED)
                n_leased = connection.scalar(leased)
        came = here.came()
    lasted_s = (max(came)[0] - min(came)[0]) / 1_000_000 if came else 0
    return Finding(
        ran="1100 messages at 1000/day, looked at 10 s after the last",
        seen=f"{len(came)} came within {lasted_s:.0f} s, {waiting} wait, batches still leased: {n_leased}",
        is_good=is_full and not is_more and waiting == 100 and n_leased == 0,
    )


def _outcomes(place: Place) -> dict[Any, int]:
    query = select(SUBMISSIONS.c.outcome, func.count()).group_by(SUBMISSIONS.c.outcome)
    with reading(place.engine) as connection:
        return dict(connection.execute(query).tuples().all())


def findings(lengths: Lengths) -> Iterator[Finding]:
    """Run all of it."""
    for workers in (1, 2):
        yield steady(seconds=lengths.whole, workers=workers)
    yield equal(seconds=lengths.whole)
    yield urgent(rows=lengths.rows)
    yield per_day()
    if lengths.minute is not None:
        yield per_minute(seconds=lengths.minute)
