import subprocess
import sys
import threading

import pytest

from tests.conftest import ROOT
from worker.waiting import Flag, next_delay_s, within


@pytest.mark.parametrize(
    ("delay_s", "lived_s", "expected_s"),
    [
        (0.0, 0.0, 0.5),
        (0.5, 0.1, 1.0),
        (8.0, 0.1, 10.0),
        (10.0, 29.9, 10.0),
        (10.0, 30.0, 0.5),
    ],
)
def test_the_pause_doubles_to_ten_seconds_until_a_process_has_settled(
    delay_s: float, lived_s: float, expected_s: float
) -> None:
    assert next_delay_s(delay_s, lived_s=lived_s) == expected_s


def test_a_condition_is_asked_again_until_it_holds() -> None:
    answers = iter([False, False, True])

    assert within(5.0, lambda: next(answers), every_s=0)


def test_a_condition_is_asked_once_when_there_is_no_time() -> None:
    answers = iter([True])

    assert within(0.0, lambda: next(answers))


def test_a_condition_that_never_holds_is_given_up() -> None:
    assert not within(0.05, lambda: False)


def test_a_flag_is_seen_by_whoever_waits_for_it() -> None:
    flag = Flag()
    timer = threading.Timer(0.1, flag.set)
    timer.start()

    assert flag.wait(30)
    timer.join()


def test_a_flag_that_is_not_set_is_waited_for_no_longer_than_that() -> None:
    assert not Flag().wait(0.01)


_SIGNALLED_WHILE_IT_WAITS = """
import signal, time
from worker.waiting import Flag
flag = Flag()
signal.signal(signal.SIGALRM, lambda *_: flag.set())
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
ends = time.monotonic() + 0.5
while time.monotonic() < ends:
    flag.wait(0.0)
signal.setitimer(signal.ITIMER_REAL, 0.0)
"""


def test_a_flag_may_be_set_by_a_signal_at_any_moment_of_a_wait() -> None:
    command = [sys.executable, "-c", _SIGNALLED_WHILE_IT_WAITS]

    done = subprocess.run(command, cwd=ROOT, check=False, timeout=30, capture_output=True)

    assert done.returncode == 0
