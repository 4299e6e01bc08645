import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.retry import Policy, delay_s

POLICY = Policy(attempts=5, first_s=4, longest_s=20)

fractions = st.floats(0, 1)
pauses = st.none() | st.floats(0, 1000)


@pytest.mark.parametrize(("attempts", "longest_s"), [(1, 4), (2, 8), (3, 16), (4, 20)])
def test_the_pause_is_any_up_to_a_bound_that_doubles_to_a_cap(attempts: int, longest_s: float) -> None:
    shortest = delay_s(POLICY, attempts=attempts, random=lambda: 0.0)
    longest = delay_s(POLICY, attempts=attempts, random=lambda: 1.0)

    assert (shortest, longest) == (0, longest_s)


@pytest.mark.parametrize("attempts", [5, 6])
def test_after_the_last_attempt_there_is_none(attempts: int) -> None:
    assert delay_s(POLICY, attempts=attempts, random=lambda: 0.0) is None


def test_what_the_gateway_asks_for_comes_on_top() -> None:
    assert delay_s(POLICY, attempts=1, random=lambda: 0.5, retry_after_s=30) == 32


def test_an_attempt_that_would_come_too_late_is_not_made() -> None:
    assert delay_s(POLICY, attempts=1, random=lambda: 0.0, retry_after_s=30, leave_in_s=30) is None


@given(attempts=st.integers(1, 10), fraction=fractions, asked_s=pauses, leave_in_s=pauses)
def test_a_pause_honours_the_gateway_and_fits_into_the_time_that_is_left(
    attempts: int, fraction: float, asked_s: float | None, leave_in_s: float | None
) -> None:
    pause_s = delay_s(
        POLICY, attempts=attempts, random=lambda: fraction, retry_after_s=asked_s, leave_in_s=leave_in_s
    )

    if pause_s is not None:
        assert pause_s >= (asked_s or 0)
        assert pause_s <= (asked_s or 0) + POLICY.longest_s
        assert leave_in_s is None or pause_s <= leave_in_s + 1e-9
