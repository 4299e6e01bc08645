"""Ctrl-C in the middle of a campaign: it stops cleanly and can go on."""

import signal

from tests.e2e.place import DEADLINE_S, Place
from tests.sandbox.running import Sandbox
from worker.waiting import within

ORDER = ("send", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme", "--wait")


def test_ctrl_c_stops_cleanly_and_a_worker_goes_on(place: Place, gateway: Sandbox) -> None:
    place.write_numbers("members.csv", 200)
    gateway.set_faults(latency_ms=300)

    with place.started(*ORDER) as send:
        assert within(DEADLINE_S, lambda: gateway.stats()["accepted"] >= 10)
        n_before = gateway.stats()["accepted"]
        send.signal(signal.SIGINT)
        code = send.wait()
    was_quiet, counts, n_accepted = place.is_quiet(1), place.counts(), gateway.stats()["accepted"]
    gateway.set_faults(latency_ms=0)
    place.finish_with_a_worker()

    assert code == 130
    assert "bulksend worker" in send.said
    assert "Traceback" not in send.said
    assert was_quiet
    assert n_accepted - n_before <= 16  # what was under way, no more
    assert counts == {"accepted": n_accepted, "queued": 200 - n_accepted}
    assert place.counts() == {"accepted": 200}
    assert gateway.stats()["unique"] == gateway.stats()["accepted"] == 200
