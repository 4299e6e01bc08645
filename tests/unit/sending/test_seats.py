import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.synchronize import Event

import pytest

from worker.sending.seats import Seats
from worker.states import Lane
from worker.waiting import within

FORK = multiprocessing.get_context("fork")  # as Celery makes its children
PROVIDERS = ["acme", "other", "third"]


def sit(seats: Seats, provider: str, lane: Lane, seated: Event) -> None:
    with seats.taken(provider, lane) as is_seated:
        assert is_seated
        seated.set()
        signal.pause()


def a_child_for(seats: Seats, provider: str, lane: Lane = Lane.BULK) -> int:
    seated = FORK.Event()
    child = FORK.Process(target=sit, args=(seats, provider, lane, seated), daemon=True)
    child.start()
    assert seated.wait(10)
    return child.pid or 0


def finds_seat(seats: Seats, provider: str = "acme", lane: Lane = Lane.BULK) -> bool:
    with seats.taken(provider, lane) as is_seated:
        return is_seated


@pytest.fixture(autouse=True)
def _nobody_stays() -> Iterator[None]:
    """End the children: they have inherited whatever this process has open."""
    yield
    for child in multiprocessing.active_children():
        child.kill()
        child.join()


@pytest.fixture
def seats() -> Iterator[Seats]:
    """The seats of a worker with three providers on two cores."""
    with closing(Seats(5, PROVIDERS)) as made:
        yield made


@pytest.fixture
def alone() -> Iterator[Seats]:
    """The seats of a worker with one provider on three cores."""
    with closing(Seats(4, ["acme"])) as made:
        yield made


def test_one_provider_alone_has_all_seats_but_that_for_what_is_urgent(alone: Seats) -> None:
    for _ in range(2):
        a_child_for(alone, "acme")
    before = finds_seat(alone)
    a_child_for(alone, "acme")

    assert (before, finds_seat(alone)) == (True, False)


def test_what_is_urgent_finds_the_last_seat_and_none_after_it(alone: Seats) -> None:
    for _ in range(3):
        a_child_for(alone, "acme")
    before = finds_seat(alone, lane=Lane.URGENT)
    a_child_for(alone, "acme", Lane.URGENT)

    assert (before, finds_seat(alone, lane=Lane.URGENT)) == (True, False)


def test_no_provider_takes_the_seat_of_another(seats: Seats) -> None:
    for _ in range(2):
        a_child_for(seats, "acme")

    assert not finds_seat(seats, "acme")
    for other in ("other", "third"):
        assert finds_seat(seats, other)
        a_child_for(seats, other)
    assert finds_seat(seats, "third", Lane.URGENT)


def test_what_is_urgent_takes_no_seat_of_another_provider_either(seats: Seats) -> None:
    for _ in range(2):
        a_child_for(seats, "acme", Lane.URGENT)

    assert not finds_seat(seats, "acme", Lane.URGENT)
    for other in ("other", "third"):
        assert finds_seat(seats, other)
        a_child_for(seats, other)


def test_once_the_others_have_theirs_there_may_be_more_for_one(seats: Seats) -> None:
    for each in PROVIDERS:
        a_child_for(seats, each)

    assert finds_seat(seats, "acme")


def test_a_killed_child_leaves_its_seat(alone: Seats) -> None:
    children = [a_child_for(alone, "acme") for _ in range(3)]
    before = finds_seat(alone)
    os.kill(children[0], signal.SIGKILL)

    assert not before
    assert within(10, lambda: finds_seat(alone))


def test_who_has_left_his_seat_takes_none(alone: Seats) -> None:
    for _ in range(9):
        assert finds_seat(alone)


def test_who_sits_may_stay_until_the_seat_for_what_is_urgent_is_taken(alone: Seats) -> None:
    for _ in range(2):
        a_child_for(alone, "acme")
    go, seated = FORK.Event(), FORK.Event()

    def sit_then() -> None:
        assert go.wait(10)
        sit(alone, "acme", Lane.URGENT, seated)

    FORK.Process(target=sit_then, daemon=True).start()  # made before this process sits, as Celery makes them
    with alone.taken("acme", Lane.BULK) as is_seated:
        before = alone.may_stay("acme", Lane.BULK)
        go.set()
        assert seated.wait(10)

        assert (is_seated, before, alone.may_stay("acme", Lane.BULK)) == (True, True, False)


def test_to_ask_whether_it_may_stay_costs_nobody_the_seat(alone: Seats) -> None:
    for _ in range(2):
        a_child_for(alone, "acme")
    go, found = FORK.Event(), FORK.SimpleQueue()

    def look_then() -> None:
        assert go.wait(10)
        found.put(finds_seat(alone))

    FORK.Process(target=look_then, daemon=True).start()
    with alone.taken("acme", Lane.BULK):
        assert alone.may_stay("acme", Lane.BULK)
        go.set()

        assert found.get() is False
