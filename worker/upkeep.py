"""Upkeep of accounts.

An account is checked while it is closed, and its gateway asked what became of requests: of those of which
nobody knows, and whether what it accepted has arrived, in turns. Any number may do that at once, on any host:
the ledger says whose turn it is.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Engine

from worker.clock import elapsed_s
from worker.errors import LedgerError
from worker.gateways.base import Adapter
from worker.gateways.session import Carrier
from worker.hearing import Ear, Heard
from worker.ledger import asking, following, outcomes, trouble
from worker.ledger.asking import Asked
from worker.ledger.engine import LedgerUnavailableError, reading, writing
from worker.settings import Timers
from worker.standing import standing_of
from worker.taking import Taker, rest_s
from worker.waiting import within

_log = logging.getLogger(__name__)
_TURN_S = 20.0  # well within the minute in which two calls count as one
_LOOK_S = 0.25
_FOLLOWED_AT_ONCE = 20  # batches, where one call covers a span of time
_TAKING_S = 2.0  # the longest time in one round: accounts are to be checked meanwhile
_AT_ONCE = 500  # rows: SQLite's write lock is not to be held for longer than 50 ms

T = TypeVar("T")


@dataclass(kw_only=True)
class Upkeep:
    """The upkeep of one account."""

    provider: str
    login: str  # at the gateway: what another one has sent cannot be asked about here
    engine: Engine
    adapter: Adapter
    client: Carrier
    timers: Timers
    timeout_s: float = 20.0  # of a call; no account may have a longer one
    keeps_numbers: bool = True  # of those that the gateway blocks, in the list of opt-outs
    _settle_at_s: float = field(default=-math.inf)
    _follows_first: bool = False  # whoever did not have the last call goes first
    _vain: set[int] = field(default_factory=set)  # requests about which a call came to nothing
    ear: Ear | None = field(init=False, default=None)  # None: the gateway cannot be asked

    def __post_init__(self) -> None:
        """Prepare to ask."""
        lookup = self.adapter.capabilities.lookup
        if lookup is not None:
            self.ear = Ear(
                provider=self.provider,
                login=self.login,
                engine=self.engine,
                adapter=self.adapter,
                client=self.client,
                lookup=lookup,
                keeps_numbers=self.keeps_numbers,
            )

    def round(self) -> None:
        """Do what is due; whatever goes wrong is for the next round, and stops nothing else."""
        for step in self._steps():
            if not self._is_ledger_there(step):
                return

    def _steps(self) -> Iterator[Callable[[], object]]:
        yield self.check
        if elapsed_s() >= self._settle_at_s:
            self._settle_at_s = elapsed_s() + self.timers.check
            yield from (self.follow, self.settle) if self._follows_first else (self.settle, self.follow)
            yield self.take_back

    def _is_ledger_there(self, step: Callable[[], object]) -> bool:
        """Take a step; say whether the ledger was there for it."""
        try:
            step()
        except LedgerError as error:
            _log.warning("upkeep failed", extra={"provider": self.provider, "reason": str(error)})
            return not isinstance(error, LedgerUnavailableError)
        except Exception as bug:  # noqa: BLE001 - an account that nobody looks after would stay closed
            facts = {"provider": self.provider, "error_class": type(bug).__name__}
            _log.error("upkeep failed by a bug", extra=facts)
        return True

    def check(self) -> bool:
        """Check the account if that is due, and open it when it is well; return whether a check was made."""
        with reading(self.engine) as connection:
            if not trouble.is_check_due(connection, self.provider):
                return False
        with writing(self.engine) as connection:
            check = trouble.claim_check(connection, self.provider)
        if check is None:
            return False
        standing = standing_of(self.adapter, self.client)
        is_well = standing.is_well or (standing.is_answered and not check.is_refused)
        if check.is_refused and self.adapter.check() is None:
            is_well = False  # only what is sent would show it: that is for a person
        reason = None if is_well else standing.reason or "no call would show whether it is mended"
        with writing(self.engine) as connection:
            least_ms = _ms(self.adapter.capabilities.check_interval_s)
            trouble.note_check(connection, self.provider, trouble=reason, least_ms=least_ms)
        facts = {"provider": self.provider, "is_well": is_well, "reason": standing.reason}
        _log.info("provider checked", extra=facts)
        return True

    def settle(self) -> int:
        """Ask about unknown requests if that is due; return how many messages were settled."""
        ear = self.ear
        if ear is None:
            return 0
        interval_ms = self._interval_ms(ear)
        with reading(self.engine) as connection:
            if not asking.is_look_up_due(connection, self.provider, interval_ms=interval_ms):
                return 0
            asked = asking.to_ask(
                connection,
                self.provider,
                login=self.login,
                settle_ms=_ms(self.timers.settle),
                interval_ms=interval_ms,
                patience_ms=_ms(self.timers.patience),
            )
        if not asked:
            return 0
        return self._settle(ear.in_one_call(asked, n_others=1), ear)

    def _settle(self, asked: Sequence[Asked], ear: Ear) -> int:
        """Make one call about some requests, unless somebody made one a moment ago."""
        with writing(self.engine) as connection:
            if not asking.claim_look_up(connection, self.provider, interval_ms=self._interval_ms(ear)):
                return 0
            asking.note_asked(connection, [each.submission_id for each in asked])
        self._follows_first = True
        control = ear.control(asked)
        heard = self._hear_with(control, asked, ear)
        if heard is None:
            return 0
        found = [ear.found(each, heard[each.reference]) for each in asked if heard.get(each.reference)]
        known, missing = ear.known(asked, heard), ear.missing(asked, heard)
        seen = [each for each in control if heard.get(each.reference)]
        with writing(self.engine) as connection:
            n_settled = 0
            if missing and seen:  # first: it locks campaigns for itself
                quarantine_ms = _ms(self.timers.quarantine)
                n_settled = asking.note_missing(
                    connection, missing, seen=seen, login=self.login, quarantine_ms=quarantine_ms
                )
            n_settled += outcomes.record(connection, found) if found else 0
            asking.note_known(connection, [each.submission_id for each in known])
        facts = {"provider": self.provider, "n_asked": len(asked), "n_found": len(found)}
        _log.info("gateway asked", extra={**facts, "n_settled": n_settled})
        return n_settled

    def _hear_with(self, control: Sequence[Asked], asked: Sequence[Asked], ear: Ear) -> Heard | None:
        """Ask beside something that is known to be accepted, in two calls where one cannot carry both."""
        most = ear.lookup.most_references
        if most is None or len(control) + len(asked) <= most:
            return self._hear([*asked, *control], ear)
        heard = self._hear(asked, ear)
        if heard is None or all(each.reference in heard for each in asked) or not self._takes_turn(ear):
            return heard
        return {**heard, **(self._hear(control, ear) or {})}

    def _hear(self, asked: Sequence[Asked], ear: Ear) -> Heard | None:
        heard = ear.hear(asked)
        with writing(self.engine) as connection:
            asking.note_look_up(connection, self.provider)
        return heard

    def _takes_turn(self, ear: Ear) -> bool:
        """Wait until the gateway may be asked once more, and say whether it is us who may."""

        def is_ours() -> bool:
            with writing(self.engine) as connection:
                return asking.claim_look_up(connection, self.provider, interval_ms=self._interval_ms(ear))

        return within(_TURN_S, is_ours, every_s=_LOOK_S)

    def follow(self) -> int:
        """Ask what became of accepted messages if that is due; return how many were told of."""
        ear = self.ear
        if ear is None or not ear.lookup.tells_delivery:
            return 0
        first_ms = _ms(self.timers.follow)
        most = _FOLLOWED_AT_ONCE if ear.lookup.most_references is None else 1
        with reading(self.engine) as connection:
            if not asking.is_look_up_due(connection, self.provider, interval_ms=self._interval_ms(ear)):
                return 0
            found = following.to_follow(
                connection, self.provider, login=self.login, first_ms=first_ms, most_batches=most
            )
        if found.over:
            with writing(self.engine) as connection:
                following.plan_next(connection, found.over, first_ms=first_ms)
        asked = [each for each in found.asked if each.submission_id not in self._vain]
        if not asked:
            self._vain.clear()
            asked = found.asked
        return self._follow(ear.in_one_call(asked), ear) if asked else 0

    def _follow(self, asked: Sequence[Asked], ear: Ear) -> int:
        with writing(self.engine) as connection:
            if not asking.claim_look_up(connection, self.provider, interval_ms=self._interval_ms(ear)):
                return 0
        self._follows_first = False
        heard = self._hear(asked, ear)
        if heard is None and ear.lookup.most_references is None:  # all of a span would miss their round
            self._vain |= {each.submission_id for each in asked}
            return 0
        told = [ear.delivered(each, (heard or {}).get(each.reference, {})) for each in asked]
        n_told = 0
        for results in _portions(
            [result for result in told if result.messages], size=lambda result: len(result.messages)
        ):
            with writing(self.engine) as connection:
                n_told += outcomes.record(connection, results)
        for some in _portions(asked, size=lambda _: 1):
            with writing(self.engine) as connection:
                asking.note_asked(connection, [each.submission_id for each in some])
        facts = {"provider": self.provider, "n_asked": len(asked), "n_told": n_told}
        _log.info("gateway asked what arrived", extra=facts)
        return n_told

    def take_back(self) -> int:
        """Have the gateway give back what it keeps of cancelled campaigns; return how many messages."""
        taker = Taker(
            provider=self.provider,
            login=self.login,
            engine=self.engine,
            adapter=self.adapter,
            client=self.client,
            again_s=rest_s(self.timers.check, timeout_s=self.timeout_s),
            quarantine_s=self.timers.quarantine,
        )
        n_back = 0
        ends_s = elapsed_s() + _TAKING_S
        while elapsed_s() < ends_s and (step := taker.step()) is not None and not step.is_away:
            n_back += step.n_back
        return n_back

    def _interval_ms(self, ear: Ear) -> int:
        return _ms(self.timers.lookup or ear.lookup.interval_s)


def _portions(items: Sequence[T], *, size: Callable[[T], int]) -> Iterator[list[T]]:
    """Divide what was asked or told into what one transaction takes."""
    portion: list[T] = []
    n = 0
    for item in items:
        if portion and n + size(item) > _AT_ONCE:
            yield portion
            portion, n = [], 0
        portion.append(item)
        n += size(item)
    if portion:
        yield portion


def _ms(seconds: float) -> int:
    return int(1000 * seconds)
