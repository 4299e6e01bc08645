"""kill -9 of children, workers and dispatchers at random moments; workers stopped and continued."""

from contextlib import suppress

import pytest

from tests.fault import books
from tests.fault.arena import START_S, Arena, order
from tests.fault.conftest import Judged
from worker.errors import LedgerError
from worker.waiting import within

pytestmark = [pytest.mark.fault, pytest.mark.redis, pytest.mark.timeout(600)]
LEASE_S = 8.0
DEFAULT_TIMERS = ""
N_LARGE = 30_000


def test_children_are_killed_at_random_moments(arena: Arena, judged: Judged) -> None:
    arena.gateway.set_faults(latency_ms=300)
    worker = arena.start()
    arena.send(singles=200, grouped=4000)

    assert arena.sees(1)
    for _ in range(6):
        arena.let_pass(0.7)
        arena.kill_a_child(worker)
    arena.gateway.set_faults(latency_ms=0)

    assert not judged(arena)


def test_the_whole_worker_is_killed_and_another_goes_on(arena: Arena, judged: Judged) -> None:
    arena.gateway.set_faults(latency_ms=300)
    worker = arena.start()
    arena.send()

    for n_accepted in (1, 300):
        assert arena.sees(n_accepted)
        arena.kill_worker(worker)
        worker = arena.start()

    assert not judged(arena)


def test_with_the_default_timers_a_child_is_killed(arena: Arena, judged: Judged) -> None:
    arena.configure(timers=DEFAULT_TIMERS)
    arena.order("kill", "after_mark", "grouped")
    arena.start()

    arena.send()
    arena.fired()

    assert not judged(arena)


def test_the_dispatcher_is_killed_before_it_publishes_what_it_noted(arena: Arena, judged: Judged) -> None:
    arena.gateway.set_faults(latency_ms=300, refuse_429=2, retry_after_s=1)  # then all is noted anew
    arena.start("worker", "--no-tick")
    dispatcher = arena.start("dispatcher")
    arena.order("kill", "after_note", "any")
    arena.send()

    arena.fired()
    for _ in range(3):
        arena.kill_worker(dispatcher)
        dispatcher = arena.start("dispatcher")
        arena.let_pass(0.5)

    assert not judged(arena)


def test_two_workers_with_their_dispatchers_share_the_work(arena: Arena, judged: Judged) -> None:
    arena.gateway.set_faults(latency_ms=100)
    for _ in range(2):
        arena.start()

    arena.send()

    assert not judged(arena, workers=2)


def test_a_whole_worker_is_stopped_for_longer_than_its_lease(arena: Arena, judged: Judged) -> None:
    arena.gateway.set_faults(latency_ms=1000)  # longer than it takes to stop what was found at work
    workers = arena.start(), arena.start()
    arena.send()

    with arena.stopped(arena.at_work(*workers)):
        arena.let_pass(LEASE_S + 2)

    assert not judged(arena, workers=2)


@pytest.mark.slow
def test_thirty_kills_over_twenty_thousand_messages(arena: Arena, judged: Judged) -> None:
    arena.gateway.set_faults(latency_ms=200)
    worker = arena.start()
    arena.send(singles=2000, grouped=18_000)

    def kill() -> bool:
        nonlocal worker
        if arena.n_kills % 6 == 5:
            arena.kill_worker(worker)
            worker = arena.start()
        else:
            arena.kill_a_child(worker)
        return arena.n_kills >= 30

    assert arena.sees(1)
    assert within(300, kill, every_s=0.5)
    assert not arena.is_done()
    arena.gateway.set_faults(latency_ms=0)

    assert not judged(arena)


def test_the_importer_is_killed_and_its_campaign_is_finished(arena: Arena, judged: Judged) -> None:
    arena.start()
    arena.place.write_numbers("large.csv", N_LARGE)
    with arena.place.started(*order("large.csv", "Hello everybody")) as importer:
        assert within(START_S, lambda: _is_importing(arena), every_s=0.005)
        importer.process.kill()
        importer.process.wait(10)
    n_imported = books.states(arena.place.engine).total()

    arena.send()
    assert arena.sees(arena.n_messages)
    n_early = sum(row["text"] == "Hello everybody" for row in arena.gateway.accepted())
    arena.n_messages += N_LARGE
    assert within(60, lambda: arena.run("campaign", "resume", "1").code == 0, every_s=2)

    assert 0 < n_imported < N_LARGE
    assert n_early == 0
    assert not judged(arena)


def _is_importing(arena: Arena) -> bool:
    with suppress(LedgerError):
        return books.states(arena.place.engine).total() > 0
    return False
