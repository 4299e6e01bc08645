import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.throttle.limits import CELLS, LEAVES_WITHIN_US, Limit, Limits

SECOND, MINUTE, HOUR, DAY = 1, 60, 3600, 86_400


def limits(*rates: tuple[int, int], guard_s: float = 0.0) -> Limits:
    return Limits(
        rates=tuple(Limit(amount=amount, window_s=window_s) for amount, window_s in rates),
        guard_s=guard_s,
        connections=16,
    )


@pytest.mark.parametrize(
    ("given_limits", "interval_us"),
    [
        (limits((50, SECOND)), 20_000),
        (limits((3, SECOND)), 333_334),
        (limits((50, SECOND), (20, SECOND)), 50_000),
        (limits((50, SECOND), guard_s=0.025), 20_500),
        (limits((5, MINUTE)), 0),
        (limits(), 0),
    ],
)
def test_the_interval_is_that_of_the_tightest_limit_per_second(
    given_limits: Limits, interval_us: int
) -> None:
    assert given_limits.interval_us == interval_us


@given(st.integers(1, 1_000_000), st.floats(0, 1))
def test_so_many_intervals_are_never_shorter_than_the_second_and_its_guard(
    amount: int, guard_s: float
) -> None:
    interval_us = limits((amount, SECOND), guard_s=guard_s).interval_us

    assert amount * interval_us >= 1_000_000 + round(guard_s * 1_000_000)


def test_longer_windows_are_the_tightest_of_each_length_from_the_shortest_on() -> None:
    given_limits = limits((1000, DAY), (50, SECOND), (30, MINUTE), (20, MINUTE), (900, DAY))

    assert given_limits.windows == (Limit(amount=20, window_s=MINUTE), Limit(amount=900, window_s=DAY))


@pytest.mark.parametrize(("beside", "spread_us"), [((), LEAVES_WITHIN_US), (((50, SECOND),), 0)])
@pytest.mark.parametrize("window_s", [MINUTE, HOUR, DAY])
@pytest.mark.parametrize("guard_s", [0.0, 0.025, 0.0333333])
def test_the_cells_of_a_window_cover_it_with_its_guard_and_how_late_a_request_may_leave(
    window_s: int, guard_s: float, beside: tuple[tuple[int, int], ...], spread_us: int
) -> None:
    given_limits = limits((5, window_s), *beside, guard_s=guard_s)

    covered_us = CELLS * given_limits.cell_us(given_limits.windows[0])

    assert 0 <= covered_us - (window_s * 1_000_000 + given_limits.guard_us + spread_us) < CELLS


@pytest.mark.parametrize(
    ("given_limits", "grain"),
    [
        (limits(), None),
        (limits((50, SECOND)), 50),
        (limits((50, SECOND), (20, SECOND)), 20),
        (limits((100, MINUTE)), 1),
        (limits((5, MINUTE)), 0),
        (limits((5, MINUTE), (1000, DAY)), 0),
        (limits((50, SECOND), (10_000, DAY)), 50),
        (limits((500, SECOND), (10_000, DAY)), 83),
        (limits((50, SECOND), (100, DAY)), 0),
    ],
)
def test_the_grain_is_a_seconds_allowance_and_one_cell_of_a_longer_window_at_most(
    given_limits: Limits, grain: int | None
) -> None:
    assert given_limits.grain == grain


@pytest.mark.parametrize(
    ("given_limits", "largest"),
    [(limits((5, SECOND)), None), (limits((5, MINUTE)), 5), (limits((50, MINUTE), (40, DAY)), 40)],
)
def test_only_longer_windows_bound_what_a_message_may_cost(given_limits: Limits, largest: int | None) -> None:
    assert given_limits.largest == largest
