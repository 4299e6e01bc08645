from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from worker.sandbox.rate import RateLimit, Window

arrivals = st.lists(st.tuples(st.floats(0, 2), st.integers(1, 5)), max_size=60)


@given(arrivals)
def test_no_window_ever_holds_more_than_the_limit(steps: list[tuple[float, int]]) -> None:
    window = Window("5/s")
    passed: list[tuple[float, int]] = []
    for now_s, (_, units) in zip(accumulate(gap for gap, _ in steps), steps, strict=True):
        if not window.wait_s(units, now_s=now_s):
            window.add(units, now_s=now_s)
            passed.append((now_s, units))

    for start_s, _ in passed:
        assert sum(units for at_s, units in passed if 0 <= at_s - start_s < 0.999999) <= 5


def test_what_comes_when_the_window_has_moved_on_passes() -> None:
    limit = RateLimit()
    limit.wait_s("acme", rates=["1/s"], units=1, now_s=10.0)

    assert limit.wait_s("acme", rates=["1/s"], units=1, now_s=10.75) == 0.25
    assert limit.wait_s("acme", rates=["1/s"], units=1, now_s=11.0) == 0


def test_one_message_above_the_limit_passes_and_fills_the_windows_it_needs() -> None:
    window = Window("4/s")
    assert window.wait_s(10, now_s=0.0) == 0
    window.add(10, now_s=0.0)

    assert window.wait_s(1, now_s=2.0) == 0.5
    assert window.wait_s(1, now_s=2.5) == 0


def test_every_user_name_has_its_own_windows() -> None:
    limit = RateLimit()
    limit.wait_s("acme", rates=["1/s"], units=1, now_s=0.0)

    assert limit.wait_s("other", rates=["1/s"], units=1, now_s=0.0) == 0


def test_the_tightest_of_several_rates_decides_and_a_refusal_uses_nothing_up() -> None:
    limit = RateLimit()
    rates = ["2/s", "3/min"]

    waits = [limit.wait_s("acme", rates=rates, units=2, now_s=now_s) for now_s in (0.0, 1.0, 60.0)]

    assert waits == [0, 59, 0]
