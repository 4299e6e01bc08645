"""A gateway that refuses, has no credit, or is not there."""

import signal

from tests.e2e.conftest import made_place
from tests.e2e.place import DEADLINE_S, Place
from tests.e2e.warm import Warm
from tests.sandbox.running import Sandbox, running_sandbox
from worker.waiting import within

ORDER = ("send", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme", "--wait")


def test_refused_numbers_are_counted_with_their_codes_and_exit_code_3(place: Place, gateway: Sandbox) -> None:
    place.write_numbers("members.csv", 30)
    gateway.set_faults(refuse_numbers=["7"])

    found = place.run(*ORDER, "--json", code=3).json

    assert {state: n for state, n in found["counts"].items() if n} == {"accepted": 27, "rejected": 3}
    assert found["codes"] == {"400": 3}
    assert gateway.stats()["accepted"] == 27


def test_without_credit_the_campaign_waits_and_says_why(place: Place, gateway: Sandbox, warm: Warm) -> None:
    place.write_numbers("members.csv", 30)
    gateway.set_faults(out_of_credit=True)

    with place.started(*ORDER) as send:
        is_held = within(DEADLINE_S, lambda: _is_held(place), every_s=0.1)
        is_said = send.says("402")
        shown = warm.run(place, "campaign", "show", "1")
        send.signal(signal.SIGINT)
        code = send.wait()

    assert is_held
    assert "402" in shown.out
    assert is_said
    assert code == 130
    assert place.counts() == {"queued": 30}
    assert place.is_quiet()


def test_a_gateway_that_comes_up_later_gets_everything_once() -> None:
    with running_sandbox() as first:
        port = first.port
    with made_place(f"http://127.0.0.1:{port}") as place:
        place.write_numbers("members.csv", 30)
        with place.started(*ORDER) as send:
            is_held = within(DEADLINE_S, lambda: _is_held(place), every_s=0.1)
            with running_sandbox("--port", str(port)) as gateway:
                code = send.wait()
                stats = gateway.stats()

        assert is_held
        assert "check base_url" in send.said
        assert code == 0
        assert stats["unique"] == stats["accepted"] == 30


def _is_held(place: Place) -> bool:
    return place.n_campaigns() == 1 and place.report().reason is not None
