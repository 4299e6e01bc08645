from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.timing.spread import spread

HOUR_MS = 3_600_000


def test_four_in_an_hour_are_a_quarter_of_an_hour_apart() -> None:
    assert list(spread(1_000, HOUR_MS, 4)) == [1_000, 901_000, 1_801_000, 2_701_000]


@given(
    start_ms=st.integers(0, 2**42),
    over_ms=st.integers(1, 366 * 24 * HOUR_MS),
    n=st.integers(1, 2_000),
)
def test_they_begin_with_the_start_and_stay_in_order_even_and_before_the_end(
    start_ms: int, over_ms: int, n: int
) -> None:
    instants = list(spread(start_ms, over_ms, n))

    gaps = [later - earlier for earlier, later in pairwise(instants)]
    assert len(instants) == n
    assert instants[0] == start_ms
    assert instants[-1] < start_ms + over_ms
    assert all(over_ms // n <= gap <= over_ms // n + 1 for gap in gaps)


@pytest.mark.slow
def test_ten_million_do_not_drift() -> None:
    n, over_ms = 10**7, 3 * HOUR_MS + 1

    *_, last = spread(0, over_ms, n)

    assert last == (n - 1) * over_ms // n


def test_no_message_has_no_start() -> None:
    assert list(spread(0, HOUR_MS, 0)) == []


@pytest.mark.parametrize(("over_ms", "n"), [(0, 1), (-1, 1), (1, -1)])
def test_what_cannot_be_spread_is_refused_at_once(over_ms: int, n: int) -> None:
    with pytest.raises(ValueError, match="cannot be spread"):
        spread(0, over_ms, n)
