import math
from collections.abc import Callable

import pytest

from worker.clock import Stamp, elapsed_s
from worker.errors import TooLate
from worker.sending.departures import LATE_S, Departure

SLACK_S = 5.0  # a test machine may be slow


def none(_left_s: float) -> float | None:
    return None


def nothing() -> None:
    """Have nothing to give back."""


def departure(
    in_s: float | None,
    *,
    mark_s: float = SLACK_S,
    age_s: float = 0.0,
    exchange: Callable[[float], float | None] = none,
) -> Departure:
    now = Stamp.now()
    marked_at = Stamp(now.elapsed - age_s, now.wall - age_s)
    late_s = LATE_S if in_s is not None else math.inf
    at_s = elapsed_s() + (in_s or 0.0)
    return Departure(
        at_s=at_s, late_s=late_s, marked_at=marked_at, mark_s=mark_s, exchange=exchange, give_back=nothing
    )


def test_nothing_leaves_before_its_time() -> None:
    later = departure(0.05, exchange=lambda _left_s: elapsed_s())
    at_s = later.at_s

    later.wait()

    assert elapsed_s() >= at_s


def test_where_nothing_sets_a_pace_any_moment_after_it_is_right() -> None:
    now = Stamp.now()
    later = Departure(
        at_s=now.elapsed - 1, marked_at=now, mark_s=SLACK_S, exchange=none, give_back=nothing, late_s=math.inf
    )

    later.wait()


def test_a_departure_that_was_missed_is_exchanged_for_a_later_one() -> None:
    other_s = elapsed_s() + 0.05
    missed = departure(-2 * LATE_S, exchange=lambda _left_s: max(other_s, elapsed_s()))

    missed.wait()

    assert elapsed_s() >= other_s


def test_it_is_exchanged_within_the_time_of_the_mark() -> None:
    asked: list[float] = []

    def exchange(left_s: float) -> float | None:
        asked.append(left_s)
        return elapsed_s()

    departure(-1.0, mark_s=SLACK_S, age_s=1.0, exchange=exchange).wait()

    assert 0 < asked[0] <= SLACK_S - 1.0


def test_a_departure_that_was_missed_is_never_used_late() -> None:
    with pytest.raises(TooLate, match="its departure was missed"):
        departure(-2 * LATE_S).wait()


@pytest.mark.parametrize("in_s", [None, 0.0, -1.0])
def test_a_mark_that_is_too_old_is_not_acted_upon(in_s: float | None) -> None:
    with pytest.raises(TooLate):
        departure(in_s, mark_s=0.25, age_s=0.3, exchange=lambda _left_s: elapsed_s()).wait()


def test_a_machine_that_slept_on_one_clock_only_has_an_old_mark() -> None:
    now = Stamp.now()
    marked_at = Stamp(now.elapsed, now.wall - 60)
    thawed = Departure(
        at_s=now.elapsed, marked_at=marked_at, mark_s=0.25, exchange=none, give_back=nothing, late_s=math.inf
    )

    with pytest.raises(TooLate, match="too old"):
        thawed.wait()


def test_when_it_left_is_known_and_when_it_did_not_too() -> None:
    left, missed = departure(0.0, exchange=lambda _left_s: elapsed_s()), departure(-1.0)

    left.wait()
    with pytest.raises(TooLate):
        missed.wait()

    assert left.left_at_s is not None
    assert missed.left_at_s is None
