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


def test_what_is_assumed_holds_until_some_are_known() -> None:
    assert usual() == usual(0.1, 0.1, 0.1, 0.1) == ASSUMED_S


def test_the_longest_of_the_first_few_replaces_it() -> None:
    assert usual(0.1, 0.1, 0.3, 0.1, 0.1) == 0.3


def test_once_is_half_of_the_way_up_and_a_twentieth_down() -> None:
    known = [0.1] * 5

    assert usual(*known, 0.3) == pytest.approx(0.2)
    assert usual(*known, 0.0) == pytest.approx(0.095)
