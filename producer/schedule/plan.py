"""From what a person asks for to the times of every message, and to what is to be expected of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from producer.recipients import Row
from producer.schedule.forecast import Forecast, Stretch, forecast
from producer.schedule.pace import least_ms
from producer.schedule.packing import Packing
from producer.schedule.times import times_of
from producer.schedule.timetable import Group, Timetable
from producer.schedule.timing import ALWAYS, Start, Timing, require_zones
from producer.spool import Spool
from worker.errors import InputError
from worker.ledger.drafts import NewMessage
from worker.providers import Account
from worker.settings import Rate
from worker.timing.local import Oddity
from worker.timing.windows import Windows
from worker.timing.words import duration_words

_KEPT_ODDITIES = 1000


@dataclass(frozen=True)
class Odd:
    """A wall time that a change of the clocks skips or shows twice, and what it was taken for."""

    local: str
    zone: str
    what: Oddity
    at_ms: int


@dataclass(kw_only=True)
class Plan:
    """When an order leaves.

    Attributes:
        zone: in which wall times hold: a name of IANA, or ``recipient``; None: nobody needs one.
        shown_in: the zone in which times are shown.
        quiet_of: the provider whose quiet hours are among the windows.
        windows: in which, those of what can take over included.
        starts_at: when the first message is due, epoch ms; None: at once, nothing is said of time.
        gives_up: when the validity of the first message ends, and of the last; None: it has none.
        is_at_once: it begins to leave as soon as it is sent.
        kept_until: until when the gateway keeps it, epoch ms.
        moved: messages that a window has moved.
        several: messages whose recipient may be in one of several zones.
        oddities: messages by what was odd about their time.
        forecast: at the rate of the provider.
        is_latest: it ends no later than that: how many share a request is not known before.
    """

    zone: str | None = None
    shown_in: str = "UTC"
    quiet_of: str | None = None
    windows: Windows = field(default_factory=Windows)
    starts_at: int | None = None
    gives_up: tuple[int, int] | None = None
    is_at_once: bool = False
    kept_until: int | None = None
    moved: int = 0
    several: int = 0
    oddities: Counter[Odd] = field(default_factory=Counter)
    forecast: Forecast = field(default_factory=Forecast)
    is_latest: bool = False

    @property
    def openings(self) -> list[Stretch]:
        """What leaves in which opening; nothing where it leaves at once."""
        return [] if self.starts_at is None else self.forecast.openings


def at_once(account: Account, messages: int, *, units: int, shown_in: str) -> Plan:
    """Say when messages end that begin to leave now, as far as that is known.

    Args:
        account: through which they leave.
        messages: how many there are.
        units: what the provider counts for them.
        shown_in: the zone in which times are shown.
    """
    rates, now_ms = account.provider.rate, round(1000 * time.time())
    if not rates or not messages:
        return Plan(shown_in=shown_in, is_at_once=bool(messages))
    group = Group(due_at=now_ms, leave_by=None, expires_at=None, zones=None, n=messages, units=units)
    found = forecast([group], rates=rates, windows=ALWAYS, shown_in=shown_in)
    return Plan(shown_in=shown_in, is_at_once=True, forecast=found)


def require_loud(row: Row, account: Account, *, at_ms: int) -> None:
    """Refuse a row that its gateway would send in the provider's quiet hours; raises InputError."""
    if not account.provider.quiet:
        return
    zones = require_zones(row)
    opening = Windows(quiet=account.provider.quiet).opening(at_ms, zones)
    if opening is None or opening.opens_at > at_ms:
        raise InputError("the time lies in quiet hours where it would arrive", code="quiet_hours")


class Planner:
    """Gives each message its times, in two steps: how many there are is known after the last of them."""

    def __init__(self, timing: Timing, account: Account) -> None:
        self._timing = timing
        self._account = account
        self._packing = Packing.of(account)
        self.plan = Plan(zone=timing.zone, shown_in=timing.shown_in)

    def start(self, row: Row) -> Start:
        """Return when a row is wanted.

        Raises:
            InputError: it has no time that could be kept; ``no_opening`` where no window ever opens for it.
        """
        timing = self._timing
        start = timing.start(row)
        windows = timing.widest
        if times_of(start.at_ms, zones=start.zones, windows=windows, now_ms=timing.now_ms) is None:
            raise InputError("no window opens in its time zones within 14 days", code="no_opening")
        return start

    def note(self, start: Start) -> None:
        """Count what is to be said of a message's start."""
        self.plan.several += len(start.zones) > 1
        if start.oddity is not None and len(self.plan.oddities) < _KEPT_ODDITIES:
            wall, zone, what = start.oddity
            written = wall.local.isoformat(sep=" ", timespec="minutes")
            self.plan.oddities[Odd(written, zone, what, start.at_ms)] += 1

    def conclude(self, wanted: Spool, timetable: Timetable, *, is_fallback: bool) -> Plan:
        """Put every message into the timetable with its times, and look ahead.

        Args:
            wanted: messages due when they are wanted, in the order of the file.
            timetable: takes them.
            is_fallback: the fallback can take over: its quiet hours count.

        Raises:
            InputError: ``over_too_short``: they cannot leave in the time over which they are to be spread.
        """
        timing, plan = self._timing, self.plan
        plan.windows = timing.widest if is_fallback else timing.windows
        if plan.windows.quiet:
            provider = self._account.provider
            plan.quiet_of = self._account.name if provider.quiet else provider.fallback
        n, over_ms = wanted.n_messages, timing.over_ms or 0
        n_units = 0
        for place, message in enumerate(wanted):
            units = self._units(message)
            n_units += units
            timed = self._timed(message, turn_ms=place * over_ms // n)
            timetable.add(timed, units=units, pack=self._pack(message))
        if over_ms:
            self._require_long_enough(n_units, over_ms)
        packing = self._packing
        groups = packing.groups(timetable.times()) if packing else timetable.groups()
        plan.forecast = forecast(groups, rates=self.rates, windows=plan.windows, shown_in=timing.shown_in)
        plan.is_latest = packing is not None and packing.is_most
        return plan

    @property
    def rates(self) -> Sequence[Rate]:
        """The provider's limits, in what it counts."""
        return self._account.provider.rate

    def _units(self, message: NewMessage) -> int:
        return message.parts if self._account.provider.unit == "parts" else 1

    def _pack(self, message: NewMessage) -> int | None:
        if self._packing is None:
            return None
        return self._packing.key(message.msisdn, text=message.text, encoding=message.encoding)

    def _timed(self, message: NewMessage, *, turn_ms: int) -> NewMessage:
        zones = tuple(message.zones.split(",")) if message.zones else ()
        timing, plan = self._timing, self.plan
        times = times_of(
            message.due_at or 0,
            zones=zones,
            windows=plan.windows,
            now_ms=timing.now_ms,
            validity_ms=timing.validity_ms,
            turn_ms=turn_ms,
        )
        if times is None:  # an opening was found before, or the row would have been refused
            raise InputError("the windows do not open often enough", code="no_opening")
        plan.moved += times.is_moved
        plan.starts_at = min(times.due_at, plan.starts_at or times.due_at)
        if times.expires_at is not None:
            first, last = plan.gives_up or (times.expires_at, times.expires_at)
            plan.gives_up = min(first, times.expires_at), max(last, times.expires_at)
        return replace(message, due_at=times.due_at, leave_by=times.leave_by, expires_at=times.expires_at)

    def _require_long_enough(self, n_units: int, over_ms: int) -> None:
        if self._account.provider.unit == "requests":
            n_units = -(-n_units // self._account.max_recipients)
        least = least_ms(self.rates, n_units, over_ms=over_ms)
        if least is None:
            return
        rates = ", ".join(map(str, self.rates))
        name, unit = self._account.name, self._account.provider.unit
        raise InputError(
            f"--over {duration_words(over_ms)}: at the rate of {name}, {rates}, {n_units} {unit} take "
            f"{duration_words(least)}",
            code="over_too_short",
        )
