"""Taking back from gateways what they keep of a cancelled campaign, as far as that can be done from here.

Workers go on with what is left: nothing of it is lost when this program is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from sqlalchemy import Engine

from worker.errors import ConfigError
from worker.ledger import kept
from worker.ledger.engine import now_of, reading
from worker.ledger.kept import Standing
from worker.providers import account_named
from worker.sessions import store_of
from worker.settings import Settings
from worker.states import Taking
from worker.station import running_broker
from worker.taking import Step, Taker, rest_s
from worker.text.counting import counted

_GRACE_S = 5.0  # after the deadline of a request, until its outcome is in the ledger
_LOOK_S = 0.2


@dataclass(frozen=True, kw_only=True)
class TakenBack:
    """What became of the wish: where the messages are now, and whom nobody could tell from here."""

    standing: Standing
    was_ahead: bool = True  # there was time left when the campaign was cancelled
    silent: Mapping[str, str] = field(default_factory=dict)  # provider -> why it is not told from here
    nameless: Mapping[str, str] = field(default_factory=dict)  # provider -> why some is not told at all

    @property
    def n_left(self) -> int:
        """How many messages have left all the same."""
        standing = self.standing
        return standing.left + (standing.kept.total() if standing.is_over else 0)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left that a gateway keeps, or kept until its time came meanwhile."""
        standing = self.standing
        rest = (self.n_left, standing.kept.total(), standing.doubtful.total(), standing.submitting)
        return not self.was_ahead or not any(rest)

    def sentences(self) -> Iterator[str]:
        """Say what was taken back, and what was not."""
        standing = self.standing
        if standing.back:
            yield f"Taken back from the gateway: {counted(standing.back, 'message')}"
        if not self.was_ahead:
            return
        if self.n_left:
            yield f"Left at their time, not taken back: {counted(self.n_left, 'message')}"
        if not standing.is_over:
            for (provider, taken), n in sorted(standing.kept.items(), key=str):
                why = self._reason(provider, taken)
                yield f"Not taken back from {provider}: {counted(n, 'message')}; {why}"
        for (provider, taken), n in sorted(standing.doubtful.items(), key=str):
            words = f"Perhaps at {provider} by an earlier request, not taken back: {counted(n, 'message')}"
            yield words if standing.is_over else f"{words}; {self._reason(provider, taken)}"
        if standing.submitting:
            then = "they leave" if standing.is_over else "workers take them back"
            n = standing.submitting
            yield f"Still on their way to the gateway: {counted(n, 'message')}; {then} when they are there"

    def _reason(self, provider: str, taken: Taking | None) -> str:
        if taken is Taking.TOO_LATE:
            return "it is too late"
        if provider in self.silent:
            return self.silent[provider]
        if taken is Taking.UNCLEAR:
            return "it is not known whether they will leave; workers ask again while there is time"
        if provider in self.nameless:
            return self.nameless[provider]
        return "it could not be told yet; workers with the same login try again until they leave"


def take_back(
    engine: Engine,
    settings: Settings,
    campaign_id: int,
    *,
    was_ahead: bool,
    on_back: Callable[[int], None],
) -> TakenBack:
    """Take back what gateways keep of a cancelled campaign; may be repeated.

    What is on its way to a gateway, and the answers that workers wait for, are waited for as long as a
    request may take.

    Args:
        engine: of the ledger.
        settings: where the providers are configured.
        campaign_id: the campaign.
        was_ahead: there was time left when it was cancelled.
        on_back: told again and again how many messages more were given back, 0 included.

    Raises:
        LedgerError: the ledger is away.
    """
    silent: dict[str, str] = {}
    with reading(engine) as connection:
        names = kept.providers(connection, campaign_id) if was_ahead else []
    with ExitStack() as opened:
        takers = [
            taker for name in names if (taker := _taker(engine, settings, name, silent=silent, opened=opened))
        ]
        timeouts_s = [settings.providers[taker.provider].timeout for taker in takers]
        telling = Telling(
            engine=engine,
            campaign_id=campaign_id,
            takers=takers,
            on_back=on_back,
            patience_s=max(timeouts_s, default=0.0) + _GRACE_S,
        )
        telling.run()
    with reading(engine) as connection:
        standing = kept.standing(connection, campaign_id)
    return TakenBack(standing=standing, was_ahead=was_ahead, silent=silent, nameless=telling.nameless)


@dataclass(kw_only=True)
class Telling:
    """Telling gateways of a campaign's requests: of each at most once, and of no more where one is away."""

    engine: Engine
    campaign_id: int
    takers: list[Taker]
    on_back: Callable[[int], None]
    patience_s: float  # without any progress
    nameless: dict[str, str] = field(default_factory=dict)
    _told: set[int] = field(default_factory=set)
    _ends_s: float = 0.0

    def run(self) -> None:
        """Tell all that is to be told, and wait for what others have under way; raises LedgerError."""
        with reading(self.engine) as connection:
            since = now_of(connection)
        self._ends_s = time.monotonic() + self.patience_s
        while self.takers:
            is_under_way = self._is_under_way()  # looked at before: what ends now is told in this pass
            for taker in tuple(self.takers):
                self._tell(taker, since=since)
            if not is_under_way or time.monotonic() >= self._ends_s:
                return
            self.on_back(0)
            time.sleep(_LOOK_S)

    def _tell(self, taker: Taker, *, since: int) -> None:
        while time.monotonic() < self._ends_s and (step := taker.step(since=since)) is not None:
            self._note(taker, step)
            if step.is_away:
                self.takers.remove(taker)
                return

    def _note(self, taker: Taker, step: Step) -> None:
        if step.taken is not None:
            self._told.add(step.submission_id)
        self.on_back(step.n_back)
        if step.is_nameless:
            self.nameless[taker.provider] = "it has given no id by which it could be told"
        if step.n_back or step.taken in {Taking.BACK, Taking.TOO_LATE}:
            self._ends_s = time.monotonic() + self.patience_s

    def _is_under_way(self) -> bool:
        """Say whether anything is on its way to a gateway, or somebody else waits for an answer about it."""
        within_ms = int(1000 * self.patience_s)
        with reading(self.engine) as connection:
            if kept.submitting(connection, self.campaign_id):
                return True
            return bool(kept.being_told(connection, self.campaign_id, within_ms=within_ms) - self._told)


def _taker(
    engine: Engine, settings: Settings, name: str, *, silent: dict[str, str], opened: ExitStack
) -> Taker | None:
    try:
        account = account_named(settings, name)
        store = store_of(account, broker=running_broker(settings))
        adapter, client = account.open(connections=1, store=store)
    except ConfigError as error:
        silent[name] = f"{error}; workers that serve it take them back"
        return None
    opened.callback(client.close)
    taker = Taker(
        provider=name,
        login=account.login,
        engine=engine,
        adapter=adapter,
        client=client,
        again_s=rest_s(settings.timers.check, timeout_s=account.provider.timeout),
        quarantine_s=settings.timers.quarantine,
    )
    if not taker.is_able:
        silent[name] = "its gateway gives nothing back"
        return None
    return taker
