"""Items of which some are fetched before they are asked for."""

from collections.abc import Iterator

import pytest

from producer.ahead import Ahead


def counted(taken: list[int], n: int) -> Iterator[int]:
    """Give numbers, and note which were taken."""
    for number in range(n):
        taken.append(number)
        yield number


def test_nothing_is_fetched_by_itself() -> None:
    taken: list[int] = []
    Ahead(counted(taken, 3), most=9)

    assert taken == []


def test_what_was_fetched_before_comes_in_its_order() -> None:
    ahead = Ahead(counted([], 5), most=9)
    ahead.fetch()
    first = next(ahead)
    ahead.fetch()
    ahead.fetch()

    assert [first, *ahead] == [0, 1, 2, 3, 4]


def test_fetching_takes_one_at_a_time() -> None:
    taken: list[int] = []
    ahead = Ahead(counted(taken, 5), most=9)
    ahead.fetch()
    ahead.fetch()

    assert taken == [0, 1]


def test_no_more_is_fetched_than_there_is_room_for() -> None:
    taken: list[int] = []
    ahead = Ahead(counted(taken, 9), most=2)
    for _ in range(5):
        ahead.fetch()

    assert taken == [0, 1]
    assert list(ahead) == list(range(9))


def test_beyond_the_end_nothing_is_fetched() -> None:
    ahead = Ahead([1], most=9)
    ahead.fetch()
    ahead.fetch()

    assert list(ahead) == [1]


def test_what_goes_wrong_in_fetching_is_told_at_once() -> None:
    ahead = Ahead((1 // number for number in (1, 0)), most=9)
    ahead.fetch()

    with pytest.raises(ZeroDivisionError):
        ahead.fetch()
