import pytest

from worker.waiting import next_delay_s, within


@pytest.mark.parametrize(
    ("delay_s", "lived_s", "expected_s"),
    [
        (0.0, 0.0, 0.5),
        (0.5, 0.1, 1.0),
        (8.0, 0.1, 10.0),
        (10.0, 29.9, 10.0),
        (10.0, 30.0, 0.5),
    ],
)
def test_the_pause_doubles_to_ten_seconds_until_a_process_has_settled(
    delay_s: float, lived_s: float, expected_s: float
) -> None:
    assert next_delay_s(delay_s, lived_s=lived_s) == expected_s


def test_a_condition_is_asked_again_until_it_holds() -> None:
    answers = iter([False, False, True])

    assert within(5.0, lambda: next(answers), every_s=0)


def test_a_condition_is_asked_once_when_there_is_no_time() -> None:
    answers = iter([True])

    assert within(0.0, lambda: next(answers))


def test_a_condition_that_never_holds_is_given_up() -> None:
    assert not within(0.05, lambda: False)
