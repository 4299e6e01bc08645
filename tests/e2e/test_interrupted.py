"""Ctrl-C in the middle of a campaign: it stops cleanly and can go on."""

import signal
import time

from tests.e2e.place import DEADLINE_S, Place
from tests.sandbox.running import Sandbox
from worker.waiting import within

CONNECTIONS = 8
ORDER = ("send", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme", "--wait")


def test_ctrl_c_stops_cleanly_and_a_worker_goes_on(place: Place, gateway: Sandbox) -> None:
    place.configure(connections=CONNECTIONS)
    place.write_numbers("members.csv", 600)  # 40 s and more with what one worker child has of the connections
    gateway.set_faults(latency_ms=400)
    place.environment["REMAP_SIGTERM"] = "SIGQUIT"  # somebody's setting for a Celery of his own

    with place.started(*ORDER) as send:
        assert within(DEADLINE_S, lambda: gateway.stats()["accepted"] >= 10)
        send.signal(signal.SIGINT)
        n_before, n_marked = gateway.stats()["accepted"], place.counts().get("submitting", 0)
        began_s = time.monotonic()
        code = send.wait()
        took_s = time.monotonic() - began_s
    was_quiet, counts, n_accepted = place.is_quiet(1), place.counts(), gateway.stats()["accepted"]
    gateway.set_faults(latency_ms=0)
    place.finish_with_a_worker()

    assert code == 130
    assert "bulksend worker" in send.said
    assert "Traceback" not in send.said
    assert was_quiet
    assert n_accepted - n_before <= CONNECTIONS + n_marked  # what was under way, no more
    assert took_s < 10  # a soft shutdown that waits for the batch takes 25 s
    assert counts == {"accepted": n_accepted, "queued": 600 - n_accepted}
    assert place.counts() == {"accepted": 600}
    assert gateway.stats()["unique"] == gateway.stats()["accepted"] == 600
