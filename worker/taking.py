"""Taking back what a gateway keeps until its time, once its campaign is cancelled: request by request.

Anybody may do it, several at once, and be killed in between: see ``worker.ledger.taking``.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from sqlalchemy import Engine

from worker.clock import elapsed_s
from worker.errors import ConfigError, NotSent, OutcomeUnknown
from worker.gateways.base import Adapter, Capabilities, HttpRequest
from worker.gateways.session import Carrier
from worker.ledger import taking
from worker.ledger.engine import reading, writing
from worker.ledger.taking import Wish
from worker.states import Taking

_log = logging.getLogger(__name__)
_CLOCKS_APART_S = 60.0  # by which a gateway's clock and ours may differ
_TO_NOTE_S = 5.0  # from the end of a call until its answer is in the ledger


def ahead_s(capabilities: Capabilities) -> float | None:
    """Return how long before its time a kept message is surely given back; None: never.

    A gateway with a limit may answer with success and give nothing back past it, so the wish has to be there
    by its clock. One without (0) says itself when it is too late.
    """
    limit_s = capabilities.cancel_ahead_s
    return limit_s + _CLOCKS_APART_S if limit_s else limit_s


def rest_s(check_s: float, *, timeout_s: float) -> float:
    """Return how long a wish rests after it was told: longer than somebody's call lasts that still hangs."""
    return max(check_s, timeout_s + _TO_NOTE_S)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One request of which the gateway was told, or was to be.

    Attributes:
        submission_id: the request.
        taken: what it said; None: it was not told by us.
        n_back: messages that it gave back.
        is_away: nothing reaches it now.
        is_nameless: it has given no id by which it could be told.
    """

    submission_id: int
    taken: Taking | None = None
    n_back: int = 0
    is_away: bool = False
    is_nameless: bool = False


@dataclass(frozen=True, kw_only=True)
class Taker:
    """Takes back what the gateway of one provider keeps."""

    provider: str
    login: str  # at the gateway: to another one nothing can be given back here
    engine: Engine
    adapter: Adapter
    client: Carrier
    again_s: float  # before the gateway is told once more of what is unclear
    quarantine_s: float  # in which a request of which nobody knows may still be on its way

    @property
    def is_able(self) -> bool:
        """Whether the gateway gives anything back."""
        return ahead_s(self.adapter.capabilities) is not None

    @property
    def _ahead_ms(self) -> int:
        return int(1000 * (ahead_s(self.adapter.capabilities) or 0.0))

    def step(self, *, since: int | None = None) -> Step | None:
        """Take one request back; None when there is none to take now.

        Args:
            since: only what the gateway was not told since then, by the database's clock in epoch
                milliseconds, however often it was told in vain before.

        Raises:
            LedgerError: the ledger is away.
        """
        if not self.is_able:
            return None
        read_at_s = elapsed_s()
        with reading(self.engine) as connection:
            wish = taking.next_wish(
                connection,
                self.provider,
                login=self.login,
                again_ms=int(1000 * self.again_s),
                ahead_ms=self._ahead_ms,
                since=since,
            )
        if wish is None:
            return None
        if wish.left_ms <= self._ahead_ms:
            with writing(self.engine) as connection:
                taking.note_late(connection, wish)
            return Step(submission_id=wish.submission_id, taken=Taking.TOO_LATE)
        return self._tell(wish, late_at_s=read_at_s + (wish.left_ms - self._ahead_ms) / 1000)

    def _tell(self, wish: Wish, *, late_at_s: float) -> Step:
        step = Step(submission_id=wish.submission_id)
        try:
            request = self.adapter.cancel(reference=wish.reference, provider_ref=wish.provider_ref)
        except ConfigError:  # it gave no id by which it could be told
            with writing(self.engine) as connection:
                taking.put_off(connection, wish)
            return replace(step, is_nameless=True)
        with writing(self.engine) as connection:
            claimed = taking.claim(connection, wish)
        if claimed is None:
            return step
        try:
            taken = self._asked(request, wish, late_at_s=late_at_s)
        except NotSent as error:
            facts = {"provider": self.provider, "reason": str(error)}
            _log.warning("gateway not told to give back", extra=facts)
            with writing(self.engine) as connection:
                taking.note_unsaid(connection, claimed)
            return replace(step, is_away=True)
        return replace(step, taken=taken, n_back=self._note(claimed, taken))

    def _asked(self, request: HttpRequest, wish: Wish, *, late_at_s: float) -> Taking:
        """Tell the gateway, and return what may be believed of its answer; raises NotSent."""
        try:
            taken = Taking(self.adapter.read_cancel(self.client.exchange(request)))
        except OutcomeUnknown:
            return Taking.UNCLEAR
        if taken is Taking.BACK and self._ahead_ms and elapsed_s() >= late_at_s:
            return Taking.UNCLEAR  # it may have been too late when the gateway read it
        if taken is Taking.BACK and not self._is_past_doubt(wish):
            return Taking.UNCLEAR  # the request may come after the wish
        if taken is Taking.TOO_LATE and wish.left_ms > self._ahead_ms + 1000 * _CLOCKS_APART_S:
            return Taking.UNCLEAR  # it cannot be; perhaps the gateway does not see the request yet
        return taken

    def _is_past_doubt(self, wish: Wish) -> bool:
        """Say whether a gateway that says it gave a request back had it, or never gets it any more."""
        is_over = wish.age_ms >= 1000 * self.quarantine_s
        return wish.is_there or is_over or not self.adapter.capabilities.cancels_blindly

    def _note(self, wish: Wish, taken: Taking) -> int:
        with writing(self.engine) as connection:
            n_back = taking.note(connection, wish, taken)
        facts = {"provider": self.provider, "taken": taken.value, "n_messages": n_back}
        _log.info("gateway told to give back", extra=facts)
        return n_back
