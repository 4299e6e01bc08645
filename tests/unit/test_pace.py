import pytest

from producer.watch import Pace


def paced(looks: list[tuple[float, int]]) -> float:
    """Give the pace at the last of some looks, each a time in seconds and how many were done."""
    pace = Pace()
    return [pace.per_second(done, now_s=now_s) for now_s, done in looks][-1]


@pytest.mark.parametrize(
    ("looks", "per_second"),
    [
        ([(0, 0)], 0),
        ([(0, 0), (10, 100)], 10),
        ([(0, 0), (5, 500), (10, 1000)], 100),
    ],
    ids=["nothing yet", "one step", "steady"],
)
def test_a_pace_is_what_was_done_in_the_time(looks: list[tuple[float, int]], per_second: float) -> None:
    assert paced(looks) == pytest.approx(per_second)


def test_only_the_last_ten_seconds_count() -> None:
    fast = [(t, 100 * t) for t in range(60)]
    slow = [(60.0 + t, 6000 + t) for t in range(30)]

    assert paced([*fast, *slow]) == pytest.approx(1)


def test_the_time_before_the_first_message_does_not_count() -> None:
    waiting = [(t / 2, 0) for t in range(16)]

    assert paced([*waiting, (8, 10), (9, 30)]) == pytest.approx(20, rel=0.1)


def test_a_standstill_of_ten_seconds_is_no_pace() -> None:
    assert paced([(0, 0), (1, 100), (2, 200), *((3.0 + t, 200) for t in range(12))]) == 0
