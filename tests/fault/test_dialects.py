"""Gateways of other ways: with sessions that end, or with one message a request and no reference."""

import pytest

from tests.conftest import free_port
from tests.e2e.logins import current_session, ends, n_logins
from tests.fault.arena import Arena
from tests.fault.conftest import Judged
from tests.fault.test_gateway import left

pytestmark = [pytest.mark.fault, pytest.mark.redis, pytest.mark.timeout(300)]
GROUP = 20
N_TIMES = 6
RECEIPTS = """
[receipts]
listen = "127.0.0.1:{port}"
public_url = "http://127.0.0.1:{port}"
"""


def test_a_worker_is_killed_and_the_session_that_it_began_has_ended(arena: Arena, judged: Judged) -> None:
    arena.gateway.name = "smsend"
    arena.configure(group=GROUP)
    arena.gateway.set_faults(latency_ms=300)
    killed = arena.start()
    arena.send(singles=100, grouped=1000)

    assert arena.sees(200)
    arena.kill_worker(killed)
    assert arena.is_answered()
    before = arena.gateway.stats()
    has_ended = ends(arena.gateway, current_session(arena.place))
    other = arena.start()

    assert has_ended
    assert not judged(arena)
    assert before["accepted"] < arena.n_messages
    assert arena.gateway.stats()["refused"] > before["refused"]
    assert n_logins(killed, other) == 2


@pytest.mark.parametrize("told_by", ["outbox", "reports"])
def test_what_was_accepted_without_an_answer_is_told_by_likeness_or_by_its_report(
    arena: Arena, judged: Judged, told_by: str
) -> None:
    is_by_reports = told_by == "reports"
    arena.gateway.name = "txty_v4"
    arena.configure(more=RECEIPTS.format(port=free_port()))
    arena.gateway.set_faults(latency_ms=100, reset_after=N_TIMES)
    if is_by_reports:
        arena.gateway.set_faults(outbox_rows=0)
        arena.start("receipts")
    arena.start()

    arena.send(singles=60, grouped=200)

    assert not judged(arena, n_ambiguous=N_TIMES)
    assert left(arena)["reset_after"] == 0
    assert arena.gateway.stats()["sends"] == arena.n_messages
