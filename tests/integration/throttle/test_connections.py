"""Connections of an account over its processes: leases that no kill and no loss makes more of."""

import heapq
import uuid
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.throttle.conftest import Script
from tests.integration.throttle.greedy import DEADLINE_US, LEAD_US, REACH_US, START_US
from worker.throttle.call import LEASE_BEYOND_US, Ask, History
from worker.throttle.limits import Limits

pytestmark = pytest.mark.redis

LEASE_US = DEADLINE_US + LEASE_BEYOND_US
FRESH_US = 1_000_000 + REACH_US


@dataclass
class Process:
    """A process, as far as the throttle sees it."""

    name: str
    in_use: int = 0
    holds: int = 0
    called_at: int = START_US

    def under_way(self, now: int) -> int:
        """Return how many requests it may have under way at most: each ends within its deadline."""
        return min(self.in_use, self.holds) if now < self.called_at + REACH_US + DEADLINE_US else 0


class Gate:
    """An account without a rate, whose connections are all that bounds it."""

    def __init__(self, script: Script, *, connections: int) -> None:
        self._script = script
        self._limits = Limits(rates=(), guard_s=0.0, connections=connections)
        self.account = uuid.uuid4().hex
        self.now = START_US

    def open(self, *, last_us: int = -1) -> None:
        """Wait until the account has begun, and give its history."""
        self.call(Process("first"))
        self.now += FRESH_US
        self.call(Process("first"), history=History(last_us=last_us))

    def call(
        self,
        process: Process,
        *,
        asked: int = 0,
        history: History | None = None,
        depth: int = 2,
        unused: tuple[tuple[int, int], ...] = (),
    ) -> str:
        """Ask for so many requests of one unit; the process takes them all."""
        ask = Ask(
            account=self.account,
            process=process.name,
            limits=self._limits,
            in_use=process.in_use,
            holds=process.holds,
            costs=(1,) * asked,
            lead_us=LEAD_US,
            reach_us=REACH_US,
            deadline_us=DEADLINE_US,
            history=history,
            depth=depth,
            unused=unused,
        )
        reason, _, _, process.holds, departures = self._script.reserve(ask, now=self.now, run="a")
        process.in_use += len(departures)
        process.called_at = self.now
        return reason

    def lose(self) -> None:
        """Lose all that Redis knows."""
        self._script.lose(self.account)


@pytest.fixture
def gate(script_at: Script) -> Gate:
    gate = Gate(script_at, connections=16)
    gate.open()
    return gate


def test_one_process_may_have_all_and_twice_as_many_requests_out(gate: Gate) -> None:
    one = Process("one")

    reason = gate.call(one, asked=100)

    assert (reason, one.holds, one.in_use) == ("connections", 16, 32)


def test_a_process_takes_no_more_than_it_wants(gate: Gate) -> None:
    one, two = Process("one"), Process("two")

    reasons = [gate.call(one, asked=3), gate.call(two, asked=100)]

    assert reasons == ["none", "connections"]
    assert (one.holds, two.holds) == (3, 13)


def test_another_that_wants_some_gets_its_share_as_the_first_one_ends_requests(gate: Gate) -> None:
    one, two = Process("one"), Process("two")
    gate.call(one, asked=100)
    gate.call(two, asked=100)
    assert two.holds == 0

    one.in_use = 9
    assert (gate.call(one, asked=10), one.in_use) == ("connections", 9)
    one.in_use = 8
    gate.call(one, asked=10)
    gate.call(two, asked=100)

    assert (one.holds, one.in_use, two.holds) == (8, 16, 8)


def test_who_has_nothing_out_gives_all_back(gate: Gate) -> None:
    one, two = Process("one"), Process("two")
    gate.call(one, asked=100)

    one.in_use = 0
    gate.call(one)
    gate.call(two, asked=100)

    assert (one.holds, two.holds) == (0, 16)


def test_what_a_killed_process_held_is_free_after_its_lease(gate: Gate) -> None:
    killed, other = Process("killed"), Process("other")
    gate.call(killed, asked=100)

    gate.now += LEASE_US - 1
    gate.call(other, asked=10)
    before = other.holds
    gate.now += 1
    gate.call(other, asked=10)

    assert (before, other.holds) == (0, 10)


def test_at_a_depth_of_one_no_more_requests_are_out_than_connections(gate: Gate) -> None:
    one = Process("one")

    gate.call(one, asked=100, depth=1)

    assert (one.holds, one.in_use) == (16, 16)


def test_an_exchange_needs_no_connection_and_restates_none(gate: Gate) -> None:
    one, two, nobody = Process("one"), Process("two"), Process("one")
    gate.call(one, asked=100)

    reason = gate.call(nobody, asked=1, unused=((1, 1),))
    gate.call(two, asked=10)

    assert (reason, nobody.in_use) == ("none", 1)
    assert two.holds == 0


@pytest.mark.parametrize("last_us", [0, 2_000_000, DEADLINE_US + 999_999])
def test_after_a_loss_those_in_use_are_restated_and_no_more_given_for_a_deadline(
    gate: Gate, last_us: int
) -> None:
    one, two = Process("one"), Process("two")
    gate.call(one, asked=8)
    gate.lose()

    gate.open(last_us=last_us)
    gate.call(one)
    refused = gate.call(two, asked=8)
    gate.now += DEADLINE_US - 1
    still = gate.call(two, asked=8)

    assert (one.holds, two.holds, refused, still) == (8, 0, "connections", "connections")

    gate.now += 1
    gate.call(one)
    assert (gate.call(two, asked=8), two.holds) == ("none", 8)


@pytest.mark.parametrize("last_us", [-1, DEADLINE_US + 1_000_000])
def test_after_a_loss_with_nothing_under_way_connections_are_given_at_once(gate: Gate, last_us: int) -> None:
    gate.lose()
    gate.open(last_us=last_us)
    one = Process("one")

    gate.call(one, asked=10)

    assert one.holds == 10


def in_turn(script: Script, *, connections: int, processes: int, seconds: int = 10) -> list[int]:
    """Let processes send all the time by requests of 50 ms; return how many each sent."""
    gate = Gate(script, connections=connections)
    gate.open()
    everyone = [Process(f"{number}") for number in range(processes)]
    sent, ends = [0] * processes, [list[int]() for _ in everyone]
    turns = [(gate.now + 1000 * number, number) for number in range(processes)]
    over = gate.now + 1_000_000 * seconds
    while turns[0][0] < over:
        gate.now, number = heapq.heappop(turns)
        process = everyone[number]
        ends[number] = out = [end for end in ends[number] if end > gate.now]
        process.in_use = len(out)
        gate.call(process, asked=20)
        begun = process.in_use - len(out)
        sent[number] += begun
        out += [gate.now + LEAD_US + 50_000 * (1 + n // process.holds) for n in range(begun)]
        heapq.heappush(turns, (max(out) + 1000 if out else gate.now + 50_000, number))
    return sent


@pytest.mark.parametrize(("connections", "processes"), [(1, 2), (1, 4), (2, 3), (2, 5), (4, 6), (16, 20)])
def test_where_there_are_fewer_connections_than_processes_they_go_round(
    script_at: Script, connections: int, processes: int
) -> None:
    (alone,) = in_turn(script_at, connections=connections, processes=1)

    sent = in_turn(script_at, connections=connections, processes=processes)

    assert min(sent) >= 0.6 * sum(sent) / processes
    assert sum(sent) >= 0.8 * alone


@settings(max_examples=40, deadline=None)
@given(
    connections=st.integers(1, 20),
    steps=st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 12), st.integers(0, 25), st.integers(0, 30)),
        min_size=5,
        max_size=80,
    ),
)
def test_all_together_never_hold_more_than_there_are(
    script_at: Script, connections: int, steps: list[tuple[int, int, int, int]]
) -> None:
    gate = Gate(script_at, connections=connections)
    gate.open()
    everyone = [Process(f"{number}") for number in range(5)]
    killed: list[Process] = []
    for number, ended, asked, chance in steps:
        gate.now += 100_000 * ended
        process = everyone[number]
        if chance == 0:
            killed.append(process)
            everyone[number] = Process(uuid.uuid4().hex)
            continue
        process.in_use -= min(ended, process.in_use) if process.under_way(gate.now) else process.in_use
        before = process.in_use
        gate.call(process, asked=asked)

        assert sum(one.under_way(gate.now) for one in everyone + killed) <= connections
        assert process.in_use == before or process.in_use <= 2 * process.holds
