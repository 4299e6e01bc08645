"""How long something usually takes, as departures and connections are asked for."""

import pytest

from worker.sending.pace import Usual

ASSUMED_S = 1.0


def usual(*seconds: float) -> float:
    """Say what is usual after so many times."""
    found = Usual(ASSUMED_S)
    for each in seconds:
        found.note(each)
    return found.value_s


def test_the_longest_of_the_first_few_replaces_a_longer_one_that_was_assumed() -> None:
    assert usual(0.1, 0.1, 0.3, 0.1) > 0.7
    assert usual(0.1, 0.1, 0.3, 0.1, 0.1) == 0.3


def test_that_it_takes_longer_than_assumed_is_learnt_at_once() -> None:
    assert usual(3.0) == 2.0
    assert usual(3.0, 3.0, 3.0, 3.0, 3.0) > 2.9


def test_once_is_half_of_the_way_up_and_a_twentieth_down() -> None:
    known = [0.1] * 5

    assert usual(*known, 0.3) == pytest.approx(0.2)
    assert usual(*known, 0.0) == pytest.approx(0.095)
