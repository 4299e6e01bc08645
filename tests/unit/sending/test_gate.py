import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from worker.errors import TooLate
from worker.sending.gate import Gate
from worker.waiting import within


def a_gate(width: int) -> Gate:
    gate = Gate()
    gate.set_width(width)
    return gate


def test_no_more_are_through_than_there_is_room_for() -> None:
    gate = a_gate(1)

    with (
        gate.passed(0),
        pytest.raises(TooLate, match="no connection was free in time"),
        gate.passed(0.01),
    ):
        pytest.fail("there was no room")


def test_who_comes_back_makes_room() -> None:
    gate = a_gate(1)
    with gate.passed(0):
        pass

    with gate.passed(0):
        assert gate.under_way == 1


def test_who_comes_back_by_an_error_makes_room() -> None:
    gate = a_gate(1)
    with pytest.raises(ValueError, match="of his own"), gate.passed(0):
        raise ValueError("of his own")

    assert gate.under_way == 0


def test_more_room_lets_those_through_that_wait() -> None:
    gate = a_gate(0)
    back = threading.Event()

    def pass_through() -> None:
        with gate.passed(10):
            back.wait(10)

    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(pass_through)
        gate.set_width(2)

        assert within(5, lambda: gate.under_way == 2)
        gate.set_width(3)
        assert within(5, lambda: gate.under_way == 3)
        back.set()


def test_less_room_turns_nobody_back_and_lets_nobody_through() -> None:
    gate = a_gate(2)

    with gate.passed(0), gate.passed(0):
        gate.set_width(1)

        assert gate.under_way == 2
        with pytest.raises(TooLate), gate.passed(0):
            pytest.fail("there was no room")
