"""Urgent work goes before bulk, and bulk goes on when it is done."""

import uuid

import pytest

from tests.integration.throttle.conftest import Script
from tests.integration.throttle.greedy import DEADLINE_US, EMPTY, LEAD_US, REACH_US, START_US
from tests.throttle_model import Answer
from worker.throttle.call import Ask
from worker.throttle.limits import Limit, Limits

pytestmark = pytest.mark.redis


class Line:
    """An account of one unit per second, begun; bulk has just taken the first departure."""

    def __init__(self, script: Script) -> None:
        self._script, self._account, self.now = script, uuid.uuid4().hex, START_US
        self.call("bulk")
        self.now += 1_000_000 + REACH_US
        self.call("bulk")

    def call(self, process: str, *, is_urgent: bool = False, costs: tuple[int, ...] = (1,)) -> Answer:
        """Ask as this process, with all connections free."""
        ask = Ask(
            account=self._account,
            process=process,
            limits=Limits(rates=(Limit(amount=1, window_s=1),), guard_s=0.0, connections=100),
            in_use=0,
            holds=0,
            costs=costs,
            lead_us=LEAD_US,
            reach_us=REACH_US,
            deadline_us=DEADLINE_US,
            is_urgent=is_urgent,
            history=EMPTY,
        )
        return self._script.reserve(ask, now=self.now, run="a")


@pytest.fixture
def line(script_at: Script) -> Line:
    return Line(script_at)


def test_bulk_gets_nothing_while_urgent_work_waits_and_all_once_it_left(line: Line) -> None:
    reasons = [line.call("urgent", is_urgent=True)[0]]
    line.now += 900_000
    reasons += [line.call("bulk")[0], line.call("urgent", is_urgent=True)[0]]
    line.now += 900_000
    reasons += [line.call("bulk")[0]]

    assert reasons == ["rate", "urgent", "none", "none"]


def test_several_urgent_ones_wait_each_for_itself(line: Line) -> None:
    line.call("urgent", is_urgent=True)
    line.call("other urgent", is_urgent=True)

    line.now += 900_000
    one = line.call("urgent", is_urgent=True)[0]

    assert (one, line.call("bulk")[0]) == ("none", "urgent")


def test_urgent_work_that_does_not_come_back_is_not_waited_for(line: Line) -> None:
    wait_us = line.call("urgent", is_urgent=True)[2]

    line.now += wait_us + 500_000 - 1
    before = line.call("bulk")[0]
    line.now += 1

    assert (before, line.call("bulk")[0]) == ("urgent", "none")


def test_urgent_work_whose_departure_is_far_is_waited_for_no_longer_than_a_child_stays(line: Line) -> None:
    line.now += 900_000
    line.call("bulk", costs=(20,))
    wait_us = line.call("urgent", is_urgent=True)[2]
    assert wait_us > 19_000_000

    line.now += 2_500_000 - 1
    before = line.call("bulk")[0]
    line.now += 1

    assert (before, line.call("bulk")[0]) == ("urgent", "rate")


def test_urgent_work_that_was_given_back_waits_on(line: Line) -> None:
    line.call("urgent", is_urgent=True)
    line.call("urgent", is_urgent=True, costs=())

    line.now += 900_000

    assert line.call("bulk")[0] == "urgent"
