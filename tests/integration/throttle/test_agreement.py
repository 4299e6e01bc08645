"""Script and model answer the same to the same calls, step by step."""

import uuid
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.integration.throttle.conftest import Script
from tests.integration.throttle.greedy import EMPTY
from tests.throttle_model import Account
from worker.throttle.call import Ask, History, Reason
from worker.throttle.limits import Limit, Limits

pytestmark = pytest.mark.redis

START_US = 1_790_000_000_000_000  # as large as the real clock's, so that a rounded digit is seen
WINDOWS_S = (60, 3600, 86_400)

amounts = st.sampled_from([1, 2, 3, 7, 10, 100, 500, 1000])
rates = st.lists(
    st.builds(Limit, amount=amounts, window_s=st.sampled_from([1, 1, 60, 60, 3600, 86_400])), max_size=3
).map(tuple)
limits = st.builds(
    Limits,
    rates=rates,
    guard_s=st.sampled_from([0.0, 0.025]),
    connections=st.sampled_from([1, 2, 3, 8, 16]),
)
ages = st.integers(0, 120_000_000) | st.integers(0, 100_000_000_000)
pasts = st.lists(st.tuples(ages, st.integers(1, 20)), max_size=5)
histories = st.builds(
    History,
    departed=st.one_of(
        st.dictionaries(st.sampled_from(WINDOWS_S), pasts),
        st.fixed_dictionaries(dict.fromkeys(WINDOWS_S, pasts)),
        st.just(dict.fromkeys(WINDOWS_S, ())),
    ),
    last_us=st.just(-1) | st.just(-1) | st.integers(0, 20_000_000),
)
passed_us = st.one_of(
    st.integers(0, 30_000),
    st.integers(0, 300_000),
    st.integers(0, 300_000),
    st.integers(0, 2_000_000),
    st.sampled_from([0, 1, 500_000, 1_220_000, 1_245_000, 11_000_000, 20_000_000, 61_000_000, 3_600_000_001]),
)


@dataclass(frozen=True)
class Step:
    """What happens before a call, and the call."""

    passed_us: int = 0
    process: int = 0
    ended: int = 0  # of the requests that the process has out
    costs: tuple[int, ...] = (1,)
    is_urgent: bool = False
    history: History = EMPTY
    gives_history: str = "asked"
    depth: int = 2
    is_exchange: bool = False
    gives_back: int = 0
    event: str = ""


steps = st.builds(
    Step,
    passed_us=passed_us,
    process=st.integers(0, 3),
    ended=st.integers(0, 3) | st.integers(0, 40),
    costs=st.lists(st.integers(1, 10), max_size=12).map(tuple),
    is_urgent=st.sampled_from([False] * 9 + [True]),
    history=histories,
    gives_history=st.sampled_from(["asked"] * 6 + ["always", "never"]),
    depth=st.sampled_from([1, 2, 2]),
    is_exchange=st.sampled_from([False] * 9 + [True]),
    gives_back=st.sampled_from([0] * 9 + [1, 2, 12]),
    event=st.sampled_from([""] * 30 + ["limits", "limits", "killed", "lost", "other run", "clock back"]),
)


@dataclass
class Caller:
    """A process, as far as the throttle sees it."""

    in_use: int = 0
    holds: int = 0
    granted: list[tuple[int, int]] = field(default_factory=list)  # departures and what they cost
    begun: int = 0  # of the last grant
    name: str = field(default_factory=lambda: uuid.uuid4().hex)


class Both:
    """Script and model, given the same."""

    def __init__(self, script: Script, limits: list[Limits]) -> None:
        self.script, self.model = script, Account()
        self.account = uuid.uuid4().hex
        self.now, self.run = START_US, "first"
        self.limits = limits
        self.callers = [Caller() for _ in range(4)]
        self.asked_for_history = False

    def happen(self, step: Step) -> None:
        """Let time pass, and what comes between two calls."""
        self.now += step.passed_us
        match step.event:
            case "lost":
                self.script.lose(self.account)
                self.model.lose()
            case "other run":
                self.run = uuid.uuid4().hex
            case "clock back":
                self.now -= 3_000_000
            case "limits":
                self.limits.append(self.limits.pop(0))
            case "killed":
                self.callers[step.process] = Caller()

    @staticmethod
    def _unused(caller: Caller, step: Step) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
        """Return what a caller gives back, and what it asks for."""
        n = step.gives_back or int(step.is_exchange)
        unused = tuple(caller.granted.pop() for _ in range(min(n, len(caller.granted))))
        if not unused:
            return (), step.costs
        if step.gives_back:  # some of a request may have dropped out only
            return tuple((departure, (cost + 1) // 2) for departure, cost in unused), ()
        return unused, (unused[0][1],)

    def call(self, step: Step) -> None:
        """Ask both."""
        caller = self.callers[step.process]
        caller.in_use -= min(step.ended, caller.in_use)
        largest = self.limits[0].largest
        gives_history = step.gives_history == "always" or (
            step.gives_history == "asked" and self.asked_for_history
        )
        unused, costs = self._unused(caller, step)
        ask = Ask(
            account=self.account,
            process=caller.name,
            limits=self.limits[0],
            in_use=caller.in_use,
            holds=caller.holds,
            costs=tuple(min(cost, largest or cost) for cost in costs),
            lead_us=20_000,
            reach_us=220_000,
            deadline_us=10_000_000,
            is_urgent=step.is_urgent,
            depth=step.depth,
            unused=unused,
            begun=caller.begun,
            history=step.history if gives_history else None,
        )
        expected = self.model.reserve(ask, now=self.now, run=self.run)

        assert expected == self.script.reserve(ask, now=self.now, run=self.run)

        assert self.model.state is not None
        assert self.model.state.begun == self.script.begun

        self.asked_for_history = expected[0] == Reason.HISTORY
        if expected[4] and caller.begun != self.script.begun:
            caller.begun, caller.granted = self.script.begun, []
        caller.granted += zip(expected[4], ask.costs, strict=False)
        if not unused:
            caller.holds = expected[3]
            caller.in_use += len(expected[4])


FIVE = Limits(rates=(Limit(amount=5, window_s=1),), guard_s=0.0, connections=16)
CHANGED = Step(event="limits")


@example(
    limits=[FIVE, replace(FIVE, rates=())], steps=[Step(costs=(10,)), CHANGED, CHANGED]
)  # what is owed stays
@settings(max_examples=60, deadline=None)
@given(limits=st.lists(limits, min_size=1, max_size=3), steps=st.lists(steps, min_size=10, max_size=60))
def test_script_and_model_agree_on_any_calls(
    script_at: Script, limits: list[Limits], steps: list[Step]
) -> None:
    both = Both(script_at, limits)
    for step in [Step(), Step(passed_us=1_300_000), Step(), *steps]:
        both.happen(step)
        both.call(step)


crowd = st.builds(
    Step,
    passed_us=st.integers(0, 20_000) | st.integers(0, 150_000),
    process=st.integers(0, 2),
    ended=st.just(100),
    costs=st.lists(st.integers(1, 3), min_size=1, max_size=12).map(tuple),
    is_urgent=st.sampled_from([False] * 19 + [True]),
    is_exchange=st.sampled_from([False] * 9 + [True]),
    gives_back=st.sampled_from([0] * 9 + [3]),
)
crowded = st.builds(
    Limits,
    rates=st.sampled_from([((20, 1),), ((100, 1),), ((7, 60),), ((40, 1), (60, 60))]).map(
        lambda rates: tuple(Limit(amount=amount, window_s=window_s) for amount, window_s in rates)
    ),
    guard_s=st.just(0.025),
    connections=st.just(500),
)


@settings(max_examples=30, deadline=None)
@given(limits=st.lists(crowded, min_size=1, max_size=1), steps=st.lists(crowd, min_size=30, max_size=80))
def test_script_and_model_agree_on_whose_turn_it_is(
    script_at: Script, limits: list[Limits], steps: list[Step]
) -> None:
    both = Both(script_at, limits)
    for step in [Step(), Step(passed_us=1_300_000), Step(), *steps]:
        both.happen(step)
        both.call(step)
