"""kill -9 in the middle of a campaign: nothing runs on, nothing is lost, nothing leaves twice."""

import os
import signal
from collections.abc import Callable

import pytest

from tests.e2e.place import DEADLINE_S, Place, Started, simulator_accepted
from tests.sandbox.running import Sandbox
from worker.waiting import within

ORDER = ("send", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme", "--wait")


def kill_the_command(_place: Place, send: Started) -> None:
    """Kill the process that a person sees; its worker and its Redis must find out by themselves."""
    os.kill(send.process.pid, signal.SIGKILL)


def kill_everything(place: Place, _send: Started) -> None:
    """Kill all processes of the place, as when the machine stops."""
    place.end()


@pytest.mark.parametrize("kill", [kill_the_command, kill_everything])
def test_after_a_kill_nothing_runs_on_and_nothing_is_sent_twice(
    place: Place, gateway: Sandbox, kill: Callable[[Place, Started], None]
) -> None:
    place.write_numbers("members.csv", 60)
    place.environment["BULKSEND_TIMERS__SETTLE"] = "1h"  # a slow machine would ask the gateway before the end
    gateway.set_faults(latency_ms=1000)

    with place.started(*ORDER) as send:
        assert within(DEADLINE_S, lambda: gateway.stats()["accepted"] >= 8)
        n_begun = gateway.stats()["sends"]
        gateway.set_faults(latency_ms=1500)
        assert within(DEADLINE_S, lambda: gateway.stats()["sends"] > n_begun)  # some are on their way
        kill(place, send)
        was_quiet = place.is_quiet(40)
    assert within(DEADLINE_S, lambda: gateway.stats()["at_once"] == 0)
    at_the_kill = place.counts()
    gateway.set_faults(latency_ms=0)
    place.finish_with_a_worker()

    assert was_quiet
    assert sum(at_the_kill.values()) == 60
    accepted, counts = simulator_accepted(gateway), place.counts()
    assert counts.keys() <= {"accepted", "unknown"}
    assert sum(counts.values()) == 60
    assert gateway.stats()["unique"] == gateway.stats()["accepted"]
    assert place.ledger_accepted() <= accepted
    assert accepted.total() <= 60
    assert counts.get("unknown", 0) == at_the_kill.get("submitting", 0)
    assert (kill is kill_everything) == ("unknown" in counts)
