"""When an appointment is reminded of."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from producer.reminders.moments import Moment, Skip, moments_of
from worker.timing.windows import Windows, parse_hours

HOUR = 3_600_000
DAY = 24 * HOUR
NOON = 20_000 * DAY + 12 * HOUR  # of a day, in UTC
DAYTIME = Windows(open=(parse_hours("09:00-20:00"),))
UTC = ("UTC",)


def moments(
    appointment: int, *befores: int, now: int = NOON - 30 * DAY, windows: Windows = DAYTIME, **more: int
) -> list[Moment]:
    return moments_of(appointment, befores, zones=UTC, windows=windows, now_ms=now, **more)


def one(appointment: int, before: int, **more: Any) -> Moment:  # noqa: ANN401 - as of ``moments_of``
    (found,) = moments(appointment, before, **more)
    return found


def test_each_offset_has_a_moment_the_longest_before_first() -> None:
    found = moments(NOON, 2 * HOUR, DAY, DAY)

    assert [each.before_ms for each in found] == [DAY, 2 * HOUR]
    assert [each.due_at for each in found] == [NOON - DAY, NOON - 2 * HOUR]


def test_a_reminder_expires_with_the_appointment() -> None:
    found = one(NOON, HOUR)

    assert (found.leave_by, found.expires_at) == (NOON, NOON)


def test_an_earlier_validity_wins() -> None:
    found = one(NOON, 3 * HOUR, validity_ms=HOUR)

    assert (found.leave_by, found.expires_at) == (NOON - 2 * HOUR, NOON - 2 * HOUR)


def test_a_later_validity_does_not() -> None:
    assert one(NOON, HOUR, validity_ms=DAY).expires_at == NOON


def test_what_is_over_is_skipped() -> None:
    found = moments(NOON, DAY, HOUR, now=NOON - DAY)

    assert [each.skip for each in found] == [Skip.PAST, None]


LATE = NOON - HOUR // 2


def test_the_last_one_of_an_appointment_may_leave_belatedly_at_once() -> None:
    found = moments(NOON, DAY, HOUR, now=LATE)

    assert [each.skip for each in found] == [Skip.PAST, Skip.PAST]
    assert [each.is_belated for each in found] == [False, True]
    assert (found[1].due_at, found[1].leave_by, found[1].expires_at) == (LATE, NOON, NOON)


def test_none_is_belated_while_another_is_to_come_or_its_validity_or_the_appointment_is_over() -> None:
    to_come = moments(NOON, DAY, HOUR, now=NOON - 2 * HOUR)
    invalid = one(NOON, HOUR, now=LATE, validity_ms=HOUR // 2)

    assert not any(each.is_belated for each in (*to_come, invalid, one(NOON, HOUR, now=NOON)))


def test_a_belated_one_leaves_when_a_window_opens_and_not_at_all_when_none_does() -> None:
    at_night = one(NOON, 17 * HOUR, now=NOON - 15 * HOUR)
    too_late = one(NOON, 5 * HOUR, now=NOON - 4 * HOUR, windows=Windows(open=(parse_hours("06:00-07:30"),)))

    assert (at_night.is_belated, at_night.due_at) == (True, NOON - 3 * HOUR)
    assert not too_late.is_belated


def test_everything_of_an_appointment_that_is_over_is_skipped() -> None:
    assert one(NOON, HOUR, now=NOON).skip is Skip.PAST


def test_a_moment_outside_the_window_moves_to_the_next_opening() -> None:
    found = one(NOON, 5 * HOUR)  # 07:00

    assert (found.due_at, found.leave_by, found.skip) == (NOON - 3 * HOUR, NOON, None)


def test_a_closing_before_the_appointment_ends_the_time_to_leave() -> None:
    found = one(NOON, DAY)

    assert (found.leave_by, found.expires_at) == (NOON - 16 * HOUR, NOON)


def test_it_is_skipped_where_no_window_opens_before_the_appointment() -> None:
    assert one(NOON - 4 * HOUR, HOUR).skip is Skip.NO_OPENING  # 08:00, from 07:00


def test_an_opening_at_the_appointment_itself_is_too_late() -> None:
    assert one(NOON - 3 * HOUR, HOUR).skip is Skip.NO_OPENING


def test_two_that_a_window_moves_to_one_moment_are_one_the_later() -> None:
    found = moments(NOON, 6 * HOUR, 5 * HOUR)  # 06:00 and 07:00

    assert [each.skip for each in found] == [Skip.SAME_MOMENT, None]


def test_a_moment_that_a_window_moves_ahead_of_now_is_not_over() -> None:
    found = one(NOON, 5 * HOUR, now=NOON - 4 * HOUR)

    assert (found.due_at, found.skip) == (NOON - 3 * HOUR, None)


@given(
    appointment=st.integers(NOON, NOON + 40 * DAY),
    befores=st.lists(st.integers(1, 10 * DAY), min_size=1, max_size=4),
    now=st.integers(NOON - 10 * DAY, NOON + 40 * DAY),
    windows=st.sampled_from([Windows(), DAYTIME, Windows(quiet=(parse_hours("21:00-08:00"),))]),
    validity=st.none() | st.integers(1, 2 * DAY),
)
def test_what_is_not_skipped_is_never_early_late_or_outside(
    appointment: int, befores: list[int], now: int, windows: Windows, validity: int | None
) -> None:
    found = moments_of(appointment, befores, zones=UTC, windows=windows, now_ms=now, validity_ms=validity)

    assert len(found) == len(set(befores))
    for each in found:
        if each.skip is None:
            assert max(appointment - each.before_ms, now + 1) <= each.due_at < each.leave_by
            assert each.leave_by <= each.expires_at <= appointment
            opening = windows.opening(each.due_at, UTC)
            assert opening is not None
            assert opening.opens_at == each.due_at
            assert opening.closes_at is None or each.leave_by <= opening.closes_at
    dues = [each.due_at for each in found if each.skip is None]
    assert len(dues) == len(set(dues))
