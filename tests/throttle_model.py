"""The rules of the throttle once more, plain and slow: the script must agree with them step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from worker.throttle.call import Ask, Reason
from worker.throttle.limits import CELLS, SECOND_US

PAUSE_US = 50_000
PATIENCE_US = 500_000
STAY_US = 2_000_000
TURN_US = 1_000_000
LEASE_BEYOND_US = 10_000_000
UNUSED_US = 3_600_000_000

Answer = tuple[str, int, int, int, tuple[int, ...]]
"""Reason, next departure from now, wait, connections, departures."""


@dataclass
class Member:
    """A process that holds or wants connections."""

    in_use: int = 0
    held: int = 0
    wants: int = 0
    expires: int = 0
    served: int = 0
    waits_until: int = 0
    turn: int = 0  # when it began to hold what it holds
    called: int = 0


@dataclass
class Count:
    """What counts for the windows of one length."""

    named: int
    is_filled: bool = False
    departed: list[tuple[int, int]] = field(default_factory=list)  # time, units


@dataclass
class Model:
    """What is known of an account, since one beginning."""

    run: str
    begun: int
    now: int
    counts: dict[int, Count] = field(default_factory=dict)  # by the length of a cell
    last: int = 0  # departure, and what it cost
    owed: int = 0
    level: int = 0
    calm_from: int | None = None
    members: dict[str, Member] = field(default_factory=dict)
    urgent: dict[str, int] = field(default_factory=dict)

    def reserve(self, ask: Ask, now: int) -> Answer:
        """Answer one call."""
        self.now = now
        if ask.is_exchange:
            ask = replace(ask, process="")
        self.members = {n: m for n, m in self.members.items() if m.expires > now or n == ask.process}
        self.urgent = {name: ends for name, ends in self.urgent.items() if ends > now}
        me = self.members.pop(ask.process, Member())
        held, room = self._connections(ask, me)
        reason = self._not_ready(ask)
        for unused in ask.unused if ask.begun == self.begun else ():
            self._give_back(unused)
        if self.calm_from is None or now < self.calm_from:
            held = min(ask.in_use, ask.holds)
            room = ask.depth * held - ask.in_use
        if reason is None and self.urgent and not _goes_first(ask):
            reason = Reason.URGENT
        if me.waits_until <= now:
            me.served = max(me.served, self.level)
        room = len(ask.costs) if ask.is_exchange else room
        departures, due, reason = self._depart(ask, me, room, reason)
        wait = self._wait(ask, reason, due)
        used = min(ask.in_use, ask.holds)
        held = max(used, min(held, ask.in_use + len(departures)))
        if not ask.is_exchange:
            me.turn = now if held and not me.held else me.turn
            me.held = held
            self._restate(ask, me, reason, wait)
        return (reason or Reason.NONE).value, max(wait, due - now), wait, held, tuple(departures)

    def _restate(self, ask: Ask, me: Member, reason: Reason | None, wait: int) -> None:
        patience = self.now + min(wait, ask.deadline_us + LEASE_BEYOND_US) + PATIENCE_US
        if ask.is_urgent and ask.costs:
            self.urgent.pop(ask.process, None)
            if reason:
                self.urgent[ask.process] = self.now + min(wait, STAY_US) + PATIENCE_US
        me.waits_until = patience if reason else self.now + min(ask.lead_us, ask.reach_us) + PAUSE_US
        if not ask.costs or reason is Reason.CONNECTIONS:
            me.waits_until = 0
        me.in_use, me.wants = ask.in_use, ask.in_use + len(ask.costs)
        me.called = self.now
        me.expires = self.now + ask.deadline_us + LEASE_BEYOND_US
        if me.wants:
            self.members[ask.process] = me

    def _connections(self, ask: Ask, me: Member) -> tuple[int, int]:
        total = ask.limits.connections
        share = total // (len(self.members) + 1)
        others = self.members.values()
        free = total - sum(max(other.held, min(other.wants, share)) for other in others)
        if share == 0 and not (me.held and self.now < me.turn + TURN_US):
            waiting = [each for each in others if not each.held and self.now < each.called + PATIENCE_US]
            n_ahead = sum(each.turn < me.turn for each in waiting)
            free = max(free - len(waiting), min(1, free - n_ahead))
        target = min(ask.in_use + len(ask.costs), free)
        used = min(ask.in_use, ask.holds)
        if used > target:
            return used, 0
        return max(target, used), ask.depth * target - ask.in_use

    def _ready_at(self, ask: Ask) -> int:
        return self.begun + SECOND_US + ask.limits.guard_us + ask.reach_us

    def _not_ready(self, ask: Ask) -> Reason | None:
        lengths = {window.window_s: ask.limits.cell_us(window) for window in ask.limits.windows}
        for length in lengths.values():
            if length not in self.counts:
                self.begun = self.now
            self.counts.setdefault(length, Count(self.now)).named = self.now
        self.counts = {k: count for k, count in self.counts.items() if count.named >= self.now - UNUSED_US}
        ready_at = self._ready_at(ask)
        if self.now < ready_at:
            return Reason.NEW
        if ask.history is not None:
            for window_s, past in ask.history.departed.items():
                if window_s in lengths:
                    self._fill(self.counts[lengths[window_s]], past, now=self.now)
            if self.calm_from is None:
                is_busy = 0 <= ask.history.last_us < ask.deadline_us + SECOND_US
                self.calm_from = ready_at + ask.deadline_us if is_busy else 0
        is_filled = all(self.counts[length].is_filled for length in lengths.values())
        return None if is_filled and self.calm_from is not None else Reason.HISTORY

    def _give_back(self, unused: tuple[int, int]) -> None:
        departure, units = unused
        for count in self.counts.values():
            there = [
                (moment, cost) for moment, cost in count.departed if moment == departure and cost >= units
            ]
            if there:
                count.departed.remove(there[0])
                count.departed.append((departure, there[0][1] - units))

    @staticmethod
    def _fill(count: Count, past: Sequence[tuple[int, int]], *, now: int) -> None:
        if not count.is_filled:
            count.departed += [(now - age, units) for age, units in past]
            count.is_filled = True

    def _depart(
        self, ask: Ask, me: Member, room: int, reason: Reason | None
    ) -> tuple[list[int], int, Reason | None]:
        lead = min(ask.lead_us, ask.reach_us)
        interval = ask.limits.interval_us
        due = max(self.now + lead, self.last + self.owed * interval if interval else 0)
        departures: list[int] = []
        for cost in () if reason else ask.costs:
            departure = self._fits_from(ask, due, cost)
            if len(departures) >= room:
                reason = Reason.CONNECTIONS
            elif departure > self.now + ask.reach_us:
                reason = Reason.WINDOW if departure > due else Reason.RATE
            elif not departures and self._yields(ask, me, spare=departure - self.now - lead):
                reason = Reason.TURN
            if reason:
                return departures, departure, reason
            departures.append(departure)
            for count in self.counts.values():
                count.departed.append((departure, cost))
            due = departure + cost * interval
            if departure >= self.last:
                self.last, self.owed = departure, cost
            self.level = me.served
            me.served += cost
        return departures, due, reason

    def _yields(self, ask: Ask, me: Member, *, spare: int) -> bool:
        waiting = [other.served for other in self.members.values() if other.waits_until > self.now]
        return (
            not _goes_first(ask) and 4 * spare > ask.reach_us and me.served > min(waiting, default=me.served)
        )

    def _fits_from(self, ask: Ask, at: int, cost: int) -> int:
        """Go from cell to cell until the units fit into all windows."""
        for window in ask.limits.windows:
            length = ask.limits.cell_us(window)
            while self._counted(length, at) + cost > window.amount:
                at = (at // length + 1) * length
        return at

    def _counted(self, length: int, at: int) -> int:
        departed = self.counts[length].departed
        return sum(units for moment, units in departed if moment // length >= at // length - CELLS)

    def _wait(self, ask: Ask, reason: Reason | None, due: int) -> int:
        lead = min(ask.lead_us, ask.reach_us)
        match reason:
            case None | Reason.HISTORY:
                return 0
            case Reason.NEW:
                return self._ready_at(ask) - self.now
            case Reason.URGENT | Reason.CONNECTIONS:
                return PAUSE_US
            case Reason.TURN:
                return ask.reach_us // 4
            case _:
                return max(0, 2 * (due - self.now - lead) - ask.reach_us) // 2


def _goes_first(ask: Ask) -> bool:
    return ask.is_urgent or ask.is_exchange


class Account:
    """One account over losses: a model that begins anew when Redis would."""

    def __init__(self) -> None:
        self.state: Model | None = None

    def reserve(self, ask: Ask, *, now: int, run: str) -> Answer:
        """Answer one call made at this time to a server of this run."""
        if self.state is None or self.state.run != run or now < self.state.now:
            self.state = Model(run=run, begun=now, now=now)
        return self.state.reserve(ask, now)

    def lose(self) -> None:
        """Lose everything, as when Redis was emptied."""
        self.state = None


def most_units(departed: list[tuple[int, int]], *, window_s: int) -> int:
    """Return the most units that left within any window of this length."""
    most = units = first = 0
    ordered = sorted(departed)
    for time, cost in ordered:
        units += cost
        while ordered[first][0] <= time - window_s * SECOND_US:
            units -= ordered[first][1]
            first += 1
        most = max(most, units)
    return most
