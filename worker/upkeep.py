"""Upkeep, in threads beside the rest: of the accounts, and of the outcomes that were kept on this machine.

An account is checked while it is closed, and its gateway asked what became of requests. Any number may do
that at once, on any host: the ledger says whose turn it is. What killed workers have kept lies in a folder of
one machine, so every machine with a worker replays.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine

from worker.clock import elapsed_s
from worker.errors import ConfigError, LedgerError, NotSent, OutcomeUnknown
from worker.folder import folder_of
from worker.gateways.base import Adapter, Lookup, Outcome, Question
from worker.gateways.http import LOOKUP_BODY_LIMIT, Client
from worker.ledger import asking, outcomes, trouble
from worker.ledger.asking import Asked
from worker.ledger.engine import reading, writing
from worker.ledger.values import MessageOutcome, SubmissionResult
from worker.providers import Account, standing_of
from worker.sending.write import write_kept
from worker.settings import Settings, Timers
from worker.states import MessageState, SubmissionOutcome

_log = logging.getLogger(__name__)
_LONGEST_SPAN_MS = 600_000  # a call that covers a span of time asks for no longer one
_SHORTEST_SPAN_MS = 60_000

Heard = Mapping[str, Mapping[str, Outcome]]
"""By reference, then by number: what the gateway says it has."""


@dataclass(kw_only=True)
class Upkeep:
    """The upkeep of one account."""

    provider: str
    engine: Engine
    adapter: Adapter
    client: Client
    timers: Timers
    _settle_at_s: float = field(default=-math.inf)
    _span_ms: int = _LONGEST_SPAN_MS

    def round(self) -> None:
        """Do what is due; whatever goes wrong is for the next round."""
        try:
            self.check()
            if elapsed_s() >= self._settle_at_s:
                self._settle_at_s = elapsed_s() + self.timers.check
                self.settle()
        except LedgerError as error:
            _log.warning("upkeep failed", extra={"provider": self.provider, "reason": str(error)})
        except Exception as bug:  # noqa: BLE001 - an account that nobody looks after would stay closed
            facts = {"provider": self.provider, "error_class": type(bug).__name__}
            _log.error("upkeep failed by a bug", extra=facts)

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
            trouble.note_check(connection, self.provider, trouble=reason)
        facts = {"provider": self.provider, "is_well": is_well, "reason": standing.reason}
        _log.info("provider checked", extra=facts)
        return True

    def settle(self) -> int:
        """Ask about unknown requests if that is due; return how many messages were settled."""
        lookup = self.adapter.capabilities.lookup
        if lookup is None:
            return 0
        interval_ms = _ms(self.timers.lookup or lookup.interval_s)
        with reading(self.engine) as connection:
            asked = asking.to_ask(
                connection,
                self.provider,
                settle_ms=_ms(self.timers.settle),
                interval_ms=interval_ms,
                patience_ms=_ms(self.timers.patience),
            )
        if not asked:
            return 0
        together = _in_one_call(asked, lookup, span_ms=self._span_ms)
        return self._settle(together, lookup, interval_ms=interval_ms)

    def _settle(self, asked: Sequence[Asked], lookup: Lookup, *, interval_ms: int) -> int:
        """Make one call about some requests, unless somebody made one a moment ago."""
        with writing(self.engine) as connection:
            if not asking.claim_look_up(connection, self.provider, interval_ms=interval_ms):
                return 0
            asking.note_asked(connection, [each.submission_id for each in asked])
        with reading(self.engine) as connection:
            control = asking.known_control(connection, self.provider) if lookup.is_proof else []
        heard = self._hear([*asked, *control])
        if heard is None:
            return 0
        found = [_found(each, heard[each.reference]) for each in asked if heard.get(each.reference)]
        missing = [each for each in asked if each.reference not in heard]
        is_proof = any(heard.get(each.reference) for each in control)
        with writing(self.engine) as connection:
            n_settled = outcomes.record(connection, found) if found else 0
            if missing and is_proof:
                quarantine_ms = _ms(self.timers.quarantine)
                n_settled += asking.note_missing(connection, missing, quarantine_ms=quarantine_ms)
        facts = {"provider": self.provider, "n_asked": len(asked), "n_found": len(found)}
        _log.info("gateway asked", extra={**facts, "n_settled": n_settled})
        return n_settled

    def _hear(self, asked: Sequence[Asked]) -> Heard | None:
        questions = [
            Question(reference=each.reference, recipients=tuple(each.messages), sent_at_s=each.sent_at / 1000)
            for each in asked
        ]
        try:
            reply = self.client.exchange(self.adapter.ask(questions), body_limit=LOOKUP_BODY_LIMIT)
        except (ConfigError, NotSent, OutcomeUnknown) as error:
            if isinstance(error, OutcomeUnknown):  # perhaps because the log of such a span is too long
                self._span_ms = max(self._span_ms // 2, _SHORTEST_SPAN_MS)
            _log.info("gateway not asked", extra={"provider": self.provider, "reason": str(error)})
            return None
        self._span_ms = min(self._span_ms * 2, _LONGEST_SPAN_MS)
        heard = self.adapter.hear(questions, reply)
        if heard is None:
            _log.warning("gateway asked in vain", extra={"provider": self.provider, "status": reply.status})
        return heard


def _in_one_call(asked: Sequence[Asked], lookup: Lookup, *, span_ms: int) -> Sequence[Asked]:
    """Return what one call can carry, beginning with what was not asked about for longest.

    There is room for the one that is known to be accepted; the others are for the calls that follow.
    """
    if lookup.most_references is not None:
        return asked[: max(1, lookup.most_references - 1)]
    return [each for each in asked if abs(each.sent_at - asked[0].sent_at) <= span_ms]


def _found(asked: Asked, heard: Mapping[str, Outcome]) -> SubmissionResult:
    messages = tuple(
        MessageOutcome(
            message_id=asked.messages[msisdn],
            state=MessageState.ACCEPTED,
            provider_ref=outcome.provider_ref,
            billed_parts=outcome.parts,
            billed_cost=outcome.cost,
            code="found",
            detail="the gateway had it when it was asked",
        )
        for msisdn, outcome in heard.items()
        if msisdn in asked.messages
    )
    is_whole = len(messages) == len(asked.messages)
    outcome = SubmissionOutcome.ANSWERED if is_whole else SubmissionOutcome.UNKNOWN
    return SubmissionResult(reference=asked.reference, outcome=outcome, messages=messages)


def start_upkeep(
    accounts_: Sequence[Account], *, engine: Engine, timers: Timers, wait: Callable[[float], bool]
) -> None:
    """Look after every account in a thread of its own: one that hangs is no matter of the others."""
    for account in accounts_:
        _start(f"upkeep-{account.name}", _run, account, engine, timers, wait)


def start_replay(settings: Settings, *, engine: Engine, wait: Callable[[float], bool]) -> None:
    """Write what killed workers of this machine have kept, again and again, in a thread of its own."""

    def run() -> None:
        while True:
            write_kept(folder_of(settings), engine, providers=settings.providers)
            if wait(settings.timers.check):
                return

    _start("replay", run)


def _start(name: str, target: Callable[..., None], *args: object) -> None:
    threading.Thread(target=target, args=args, name=name, daemon=True).start()


def _run(account: Account, engine: Engine, timers: Timers, wait: Callable[[float], bool]) -> None:
    try:
        adapter, client = account.open(connections=1)
    except ConfigError as error:
        _log.error("provider not looked after", extra={"provider": account.name, "reason": str(error)})
        return
    upkeep = Upkeep(provider=account.name, engine=engine, adapter=adapter, client=client, timers=timers)
    while not wait(timers.tick):
        upkeep.round()


def _ms(seconds: float) -> int:
    return int(1000 * seconds)
