"""`bulksend demo` in an empty folder."""

import signal

import pytest

from producer import demo
from tests.e2e.place import Place
from tests.e2e.warm import Warm
from worker.gateways import GATEWAYS

N_SENT = {"textmarketer": 1175}  # its text has no name in it: rows without one are sent to as well
N_USUAL = 1150


def test_the_demo_succeeds_twice_and_leaves_one_folder(lone_place: Place) -> None:
    place = lone_place
    (place.folder / "bulksend.toml").unlink()

    first = place.run("demo", timeout_s=90)
    was_quiet, files = place.is_quiet(1), place.files()
    second = place.run("demo", timeout_s=90)

    for done in (first, second):
        assert "The simulator accepted 1150 messages; the ledger has the same 1150" in done.out
        assert "All 1150 were reported as delivered" in done.out
        assert "50 of 1250 rows are refused" in done.err
        assert "Traceback" not in done.out + done.err
    assert str(place.folder / "bulksend-demo") in first.out
    assert was_quiet
    assert place.is_quiet(1)
    assert {name.split("/")[0] for name in files} == {"bulksend-demo"}


@pytest.mark.slow
@pytest.mark.parametrize("gateway", [name for name in demo.GATEWAYS if name != demo.USUAL])
def test_the_demo_of_each_gateway_succeeds(lone_place: Place, gateway: str) -> None:
    n_sent = N_SENT.get(gateway, N_USUAL)

    done = lone_place.run("demo", "--gateway", gateway, timeout_s=90)

    pushes = GATEWAYS[gateway].capabilities.pushes
    assert f"The simulator accepted {n_sent} messages; the ledger has the same {n_sent}" in done.out
    assert (f"All {n_sent} were reported as delivered" in done.out) == pushes
    assert "Traceback" not in done.out + done.err
    assert lone_place.is_quiet(1)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_demo_that_is_killed_leaves_nothing_running(lone_place: Place, number: signal.Signals) -> None:
    with lone_place.started("demo") as running:
        assert running.says("Sending from here"), running.said
        running.process.send_signal(number)
        running.wait()

        assert lone_place.is_quiet(20)


def test_the_demo_of_a_gateway_that_is_not_known_names_those_that_are(lone_place: Place, warm: Warm) -> None:
    done = warm.run(lone_place, "demo", "--gateway", "cpsm")

    (sentence,) = done.err.splitlines()
    assert done.code == 2
    assert all(name in sentence for name in GATEWAYS)
    assert not (lone_place.folder / "bulksend-demo").exists()


def test_the_demo_refuses_a_folder_that_is_not_its_own(lone_place: Place, warm: Warm) -> None:
    (lone_place.folder / "bulksend-demo").mkdir()
    lone_place.write("bulksend-demo/diary.txt", "mine")

    done = warm.run(lone_place, "demo")

    assert done.code == 2
    assert "--folder" in done.err
    assert (lone_place.folder / "bulksend-demo" / "diary.txt").read_text() == "mine"
