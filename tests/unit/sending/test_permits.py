import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.synchronize import Event

import pytest

from worker.sending.permits import Permits
from worker.waiting import within

FORK = multiprocessing.get_context("fork")  # as Celery makes its children


def hold(permits: Permits, n: int, holding: Event) -> None:
    assert permits.take(n) == n
    holding.set()
    signal.pause()


def a_child_with(permits: Permits, n: int) -> int:
    holding = FORK.Event()
    child = FORK.Process(target=hold, args=(permits, n, holding), daemon=True)
    child.start()
    assert holding.wait(10)
    return child.pid or 0


@pytest.fixture
def permits() -> Iterator[Permits]:
    with closing(Permits(3)) as made:
        yield made


def test_no_more_permits_are_had_than_there_are(permits: Permits) -> None:
    assert (permits.take(2), permits.take(2), permits.take(1)) == (2, 1, 0)


def test_a_permit_that_was_given_back_can_be_taken_again(permits: Permits) -> None:
    permits.take(3)
    permits.give_back(1)

    assert permits.take(3) == 1


def test_children_share_the_permits_and_a_killed_one_loses_none(permits: Permits) -> None:
    child = a_child_with(permits, 2)
    beside = permits.take(3)
    os.kill(child, signal.SIGKILL)

    assert beside == 1
    assert within(10, lambda: permits.take(2) > 0)
