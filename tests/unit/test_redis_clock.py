import pytest

from worker.throttle.redis_clock import RedisClock

AHEAD_S = 1000.0  # this machine's clock before that of Redis
FIRST = (0.000, 0.001)  # how long a question and its answer took


def heard(*ways: tuple[float, float]) -> float:
    """Return by how much the last of some answers, a second apart, seems later than Redis said it."""
    clock, late_s = RedisClock(), 0.0
    for second, (there_s, back_s) in enumerate(ways):
        said_s = 100.0 + second
        at_s = clock.told(
            int(1_000_000 * said_s),
            asked_s=AHEAD_S + said_s - there_s,
            answered_s=AHEAD_S + said_s + back_s,
        )
        late_s = at_s - AHEAD_S - said_s
    return late_s


@pytest.mark.parametrize(
    ("ways", "late_s"),
    [
        ([FIRST], 0.001),
        ([FIRST, (0.0, 0.4)], 0.001),
        ([FIRST, (0.4, 0.0)], 0.0),
        ([(0.0, 0.4), FIRST], 0.001),
        ([(0.0, 0.4), FIRST, (0.0, 0.4)], 0.001),
        ([(0.4, 0.0), FIRST], 0.0),
    ],
    ids=["first", "late answer", "late question", "late first", "late around", "late first question"],
)
def test_the_quickest_answers_say_what_time_it_is(ways: list[tuple[float, float]], late_s: float) -> None:
    assert heard(*ways) == pytest.approx(late_s, abs=1e-5)


@pytest.mark.parametrize("step_s", [-5.0, 5.0])
def test_a_clock_that_was_set_is_believed_at_once(step_s: float) -> None:
    clock = RedisClock()
    clock.told(100_000_000, asked_s=99.999, answered_s=100.001)

    at_s = clock.told(int(1_000_000 * (101 + step_s)), asked_s=100.999, answered_s=101.001)

    assert at_s == pytest.approx(101, abs=0.0011)


def test_what_was_heard_is_known_for_a_while() -> None:
    clock = RedisClock()
    before = clock.is_known(100.0)
    clock.told(1_000_000, asked_s=100.0, answered_s=100.0)

    assert (before, clock.is_known(109.9), clock.is_known(110.1)) == (False, True, False)
