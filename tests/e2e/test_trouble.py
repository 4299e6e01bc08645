"""A gateway that refuses, has no credit, or is not there."""

import re
import signal
import subprocess
import sys

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
    assert "what is queued goes on by itself" in shown.out
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
            is_said = send.says("check base_url")
            with running_sandbox("--port", str(port)) as gateway:
                code = send.wait()
                stats = gateway.stats()

        assert is_held
        assert is_said
        assert code == 0
        assert stats["unique"] == stats["accepted"] == 30


def test_a_provider_that_is_not_in_the_settings_any_more_is_named(lone_place: Place, warm: Warm) -> None:
    lone_place.write_numbers("members.csv", 3)
    warm.run(lone_place, *ORDER[:-1])
    settings = lone_place.folder / "bulksend.toml"
    settings.write_text(settings.read_text().replace("[providers.acme]", "[providers.other]"))

    shown = warm.run(lone_place, "campaign", "show", "1", "--json").json
    listed = warm.run(lone_place, "campaign", "list")
    with lone_place.started("campaign", "watch", "1") as watch:
        is_said = watch.says("acme is not in bulksend.toml")

    assert shown["reason"] == "provider acme is not in bulksend.toml"
    assert "provider acme is not in bulksend.toml" in listed.out
    assert is_said


def test_a_worker_that_ends_again_and_again_is_said_with_its_log(lone_place: Place) -> None:
    lone_place.write_numbers("members.csv", 3)
    lone_place.write("celery.py", "raise SystemExit('this is not Celery')")  # found before the real one

    with lone_place.started(*ORDER) as send:
        is_said = send.says("the worker ends again and again")
        send.signal(signal.SIGINT)
        code = send.wait()

    log = lone_place.folder / "bulksend.db-run" / "worker.log"
    assert is_said
    assert f"see {log}" in send.said
    assert "a role ended" not in send.said
    assert "this is not Celery" in log.read_text()
    assert code == 130


def test_a_role_without_settings_ends_with_one_sentence(lone_place: Place) -> None:
    (lone_place.folder / "bulksend.toml").unlink()
    argv = [sys.executable, "-m", "worker", "celery"]

    done = subprocess.run(
        argv, cwd=lone_place.folder, env=lone_place.environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert re.fullmatch(r"Error: [^\n]+\n", done.stderr)


def _is_held(place: Place) -> bool:
    return place.n_campaigns() == 1 and place.report().reason is not None
