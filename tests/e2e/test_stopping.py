"""A worker that is told to stop: once, it waits for the answers that are out; twice, it lets go of them."""

import signal

from tests.e2e.place import DEADLINE_S, Place
from tests.sandbox.running import Sandbox
from worker.waiting import within

ORDER = ("send", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme")
PATIENT = {"BULKSEND_TIMERS__LEASE": "40s", "BULKSEND_PROVIDERS__ACME__TIMEOUT": "18s"}


def test_after_one_signal_what_is_out_is_waited_for_and_the_rest_stays_queued(
    place: Place, gateway: Sandbox
) -> None:
    place.write_numbers("members.csv", 60)
    gateway.set_faults(latency_ms=1000)
    place.run(*ORDER)

    with place.started("worker") as worker:
        assert within(DEADLINE_S, lambda: gateway.stats()["sends"] > 0)
        worker.signal(signal.SIGTERM)
        code = worker.wait()

    counts = place.counts()
    assert code == 0
    assert counts.keys() == {"accepted", "queued"}
    assert counts["accepted"] == gateway.stats()["accepted"]
    assert place.is_quiet()


def test_after_two_signals_nobody_waits_and_what_was_out_is_unknown(place: Place, gateway: Sandbox) -> None:
    place.environment |= PATIENT
    place.write_numbers("members.csv", 60)
    gateway.set_faults(hang_after=True)
    place.run(*ORDER)

    with place.started("worker") as worker:
        assert within(DEADLINE_S, lambda: gateway.stats()["accepted"] > 0)
        worker.signal(signal.SIGTERM)
        is_still_waiting = not within(1.5, lambda: worker.process.poll() is not None)
        worker.signal(signal.SIGTERM)
        is_gone = within(10, lambda: worker.process.poll() is not None)

    assert is_still_waiting
    assert is_gone
    assert place.counts().keys() == {"unknown", "queued"}
    assert place.counts()["unknown"] >= gateway.stats()["accepted"]
    assert place.is_quiet()
