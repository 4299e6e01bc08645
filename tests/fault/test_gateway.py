"""Everything that a gateway can do: with each fault of the simulator, and behind TLS that hangs."""

import pytest

from tests.fault.arena import Arena
from tests.fault.conftest import Judged
from tests.fault.door import CERTIFICATE, tls_door
from worker.waiting import within

pytestmark = [pytest.mark.fault, pytest.mark.redis, pytest.mark.timeout(300)]
N_TIMES = 6
AMBIGUOUS = (
    "hang_before",
    "hang_after",
    "reset_before",
    "reset_after",
    "error_500_before",
    "error_500_after",
    "malformed",
)


def left(arena: Arena) -> dict[str, int]:
    """Return how many times each fault has not happened yet."""
    answer = arena.gateway.session.get(f"{arena.gateway.url}/_sandbox/faults", timeout=5)
    faults: dict[str, int] = answer.json()[arena.gateway.name]
    return faults


@pytest.mark.parametrize("fault", AMBIGUOUS)
def test_requests_get_no_readable_answer(arena: Arena, judged: Judged, fault: str) -> None:
    arena.gateway.set_faults(latency_ms=100, **{fault: N_TIMES})
    arena.start()

    arena.send()

    assert not judged(arena, n_ambiguous=N_TIMES)
    assert left(arena)[fault] == 0


def test_a_storm_of_refusals_for_being_too_quick(arena: Arena, judged: Judged) -> None:
    arena.gateway.set_faults(latency_ms=100, refuse_429=30, retry_after_s=1)
    arena.start()

    arena.send()

    assert not judged(arena)
    assert left(arena)["refuse_429"] == 0


def test_credit_runs_out_within_a_request_and_is_bought(arena: Arena, judged: Judged) -> None:
    arena.gateway.set_faults(latency_ms=100, credit=1010, credit_stops="within")
    arena.start()

    arena.send()
    assert arena.sees(600)
    arena.let_pass(5)
    n_before = arena.gateway.stats()["accepted"]
    arena.gateway.set_faults(credit=None)

    assert n_before <= 1010
    assert not judged(arena)


def test_a_tls_handshake_is_never_answered(arena: Arena, judged: Judged) -> None:
    with tls_door(gateway_port=arena.gateway.port) as door:
        arena.trust(CERTIFICATE)
        arena.configure(base_url=f"https://127.0.0.1:{door.port}")
        door.hangs = True
        arena.start()
        arena.send()
        assert within(30, lambda: door.n_hung >= 3)
        n_before = arena.gateway.stats()["sends"]
        door.hangs = False

        problems = judged(arena)

    assert n_before == 0
    assert not problems
