import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.windows import Flow, Moved, used

S = 1_000_000


def even(*, n: int, every_us: int, units: int = 1, begin_us: int = 0) -> Moved:
    return [(begin_us + i * every_us, units) for i in range(n)]


def test_an_even_pace_at_the_limit_uses_all_and_is_never_above() -> None:
    flow = Flow.of(even(n=700, every_us=S // 10), per_second=10)

    assert (flow.most, flow.most_60s) == (10, 600)
    assert flow.used == pytest.approx(1)


def test_a_second_is_half_open() -> None:
    assert Flow.of([(0, 1), (S, 1)], per_second=1).most == 1
    assert Flow.of([(0, 1), (S - 1, 1)], per_second=1).most == 2


@pytest.mark.parametrize(("n", "every_us", "share"), [(200, S // 5, 0.5), (2000, S // 20, 2.0)])
def test_another_pace_uses_its_share(n: int, every_us: int, share: float) -> None:
    assert used(even(n=n, every_us=every_us), per_second=10) == pytest.approx(share, rel=0.01)


def test_units_count_not_requests() -> None:
    moved = even(n=100, every_us=S, units=8)

    assert Flow.of(moved, per_second=8).most == 8
    assert used(moved, per_second=8) == pytest.approx(1)


def test_a_burst_in_the_first_second_is_not_counted_as_used() -> None:
    moved = [(0, 1000), *even(n=51, every_us=S // 10, begin_us=S)]

    assert used(moved, per_second=10) == pytest.approx(1)


def test_what_is_left_out_counts_neither_as_allowed_nor_as_used() -> None:
    moved = [*even(n=50, every_us=S // 10), *even(n=51, every_us=S // 10, begin_us=8 * S)]

    flow = Flow.of(moved, per_second=10, without=[(5 * S, 8 * S)])

    assert flow.used == pytest.approx(1)
    assert flow.used_in_all == pytest.approx(90 / 120)


@pytest.mark.parametrize("moved", [[], [(5, 1)], [(0, 1), (S, 1)]], ids=["nothing", "one", "a second"])
def test_what_is_too_short_uses_nothing(moved: Moved) -> None:
    flow = Flow.of(moved, per_second=10)

    assert flow.used == 0
    assert not flow.uses(0.5)


def test_one_request_more_or_less_is_no_failure() -> None:
    moved = even(n=101, every_us=S // 10)

    assert Flow.of(moved[:55] + moved[56:], per_second=10).uses(1.0)
    assert not Flow.of(moved[:55] + moved[57:], per_second=10).uses(1.0)


@given(st.lists(st.tuples(st.integers(0, 5 * S), st.integers(1, 8)), min_size=1))
def test_the_most_in_a_second_is_what_counting_at_each_request_finds(moved: Moved) -> None:
    slow = max(sum(units for at, units in moved if begin <= at < begin + S) for begin, _ in moved)

    assert Flow.of(moved, per_second=10).most == slow
