import time

import pytest

from worker.sandbox.scheduled import Scheduled, Waiting


@pytest.fixture
def scheduled() -> Scheduled:
    """Give one with three messages under two handles, one of which leaves soon."""
    scheduled, now_s = Scheduled(), time.time()
    scheduled.add(("acme", "r1"), waiting=Waiting(place=0, leaves_at_s=now_s + 3600, cost=2))
    scheduled.add(("acme", "r1"), waiting=Waiting(place=1, leaves_at_s=now_s + 300))
    scheduled.add(("other", "r1"), waiting=Waiting(place=2, leaves_at_s=now_s + 3600))
    return scheduled


def test_cancelling_takes_what_leaves_late_enough_and_belongs_to_the_handle(scheduled: Scheduled) -> None:
    gone = scheduled.cancel(("acme", "r1"), ahead_s=600)

    assert [(waiting.place, waiting.cost) for waiting in gone] == [(0, 2)]
    assert [scheduled.is_cancelled(place) for place in range(3)] == [True, False, False]


def test_what_was_kept_can_be_cancelled_still(scheduled: Scheduled) -> None:
    scheduled.cancel(("acme", "r1"), ahead_s=600)

    assert [waiting.place for waiting in scheduled.cancel(("acme", "r1"))] == [1]


def test_nothing_is_cancelled_twice(scheduled: Scheduled) -> None:
    scheduled.cancel(("acme", "r1"))

    assert scheduled.cancel(("acme", "r1")) == []


def test_a_message_without_a_time_has_none(scheduled: Scheduled) -> None:
    assert scheduled.leaves_at_s(3) is None
