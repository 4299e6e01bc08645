"""Metrics for Prometheus (text format 0.0.4 and OpenMetrics): how the providers stand, read at each scrape.

What is told is figures by provider: never a number, a text or a secret. A scrape reads on a connection of its
own, so nothing waits for it; a ledger or a Redis that is away is told as such.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from socketserver import ThreadingMixIn
from typing import Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from worker.broker import redis_address
from worker.clock import elapsed_s
from worker.errors import BrokerError, LedgerError
from worker.ledger import accounts, tally
from worker.ledger.accounts import AccountStanding
from worker.ledger.engine import now_of, open_ledger
from worker.settings import Address, Settings, rates_of
from worker.states import MessageState
from worker.throttle.call import Standing
from worker.throttle.throttle import Throttle

_log = logging.getLogger(__name__)
_FRESH_S = 1.0  # who asks again so soon gets the same
_CALLER_S = 10.0  # a caller that says nothing for so long is gone

_OF_PROVIDER = {
    "messages": ("Messages of all campaigns by state", ["state"]),
    "requests_in_flight": ("Requests that are marked and of which no end is recorded", []),
    "unknown": ("Messages of which nobody knows whether the gateway took them", []),
    "oldest_due_seconds": ("How long the oldest that waits in a running campaign has been due", []),
    "provider_open": ("1 while nothing but its rate holds the provider back", []),
    "throttled_seconds": ("How long nothing more is begun, because a longer limit is used up", []),
    "rate_limit": ("Units that may leave in this time, of its account", ["window"]),
    "connections": ("Requests that may be under way at the same time, of its account", []),
    "departed_per_second": ("Units that left within the last second, of its account", []),
    "connections_held": ("Connections that workers hold for requests, of its account", []),
}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one look found."""

    counts: Mapping[str, Counter[MessageState]]
    standings: Mapping[str, AccountStanding]
    requests: Mapping[str, int]
    due_since: Mapping[str, int]
    now: int  # epoch milliseconds of the database
    live: Mapping[str, Standing] | None = None  # by the key of the account; None while Redis is away


@dataclass(kw_only=True, eq=False)
class Figures(Collector):
    """Reads the figures, for one scrape at a time.

    Attributes:
        engine: of the ledger, used by nobody else.
        throttle: the way to Redis.
        connections: what the settings allow each provider.
    """

    engine: Engine
    throttle: Throttle
    connections: Mapping[str, int]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _last: list[Metric] = field(default_factory=list)
    _last_at_s: float = float("-inf")

    @classmethod
    def of(cls, settings: Settings, *, broker: str) -> Self:
        """Make what reads the figures of an installation; connects to nothing yet."""
        return cls(
            engine=open_ledger(settings.ledger),
            throttle=Throttle(redis_address(broker)),
            connections={name: each.connections for name, each in settings.providers.items()},
        )

    def collect(self) -> Iterator[Metric]:
        """Yield all figures; without a ledger only that it is away."""
        with self._lock:
            if elapsed_s() - self._last_at_s > _FRESH_S:
                self._last = list(self._figures())
                self._last_at_s = elapsed_s()
            yield from self._last

    def describe(self) -> list[Metric]:
        """Name nothing ahead: that would be a look of its own."""
        return []

    def _figures(self) -> Iterator[Metric]:
        try:
            found = self._read()
        except LedgerError as error:
            _log.warning("metrics not read", extra={"reason": str(error)})
            yield _alone("up", "1 while the ledger can be read", is_so=False)
            return
        yield _alone("up", "1 while the ledger can be read", is_so=True)
        yield _alone("redis_up", "1 while Redis answers", is_so=found.live is not None)
        yield from _of_providers(found, self.connections)

    def _read(self) -> Reading:
        with tally.snapshot(self.engine) as connection:
            found = Reading(
                counts=tally.counts_by_provider(connection),
                standings=accounts.standings(connection),
                requests=tally.requests_out(connection),
                due_since=tally.waiting_since(connection),
                now=now_of(connection),
            )
        return replace(found, live=self._live(found.standings))

    def _live(self, standings: Mapping[str, AccountStanding]) -> Mapping[str, Standing] | None:
        try:
            return self.throttle.standing({each.account_key for each in standings.values()} - {""})
        except BrokerError:
            return None


def _alone(name: str, documentation: str, *, is_so: bool) -> Metric:
    return GaugeMetricFamily(f"bulksend_{name}", documentation, value=float(is_so))


def _of_providers(found: Reading, connections: Mapping[str, int]) -> Iterator[Metric]:
    families = {
        name: GaugeMetricFamily(f"bulksend_{name}", documentation, labels=["provider", *labels])
        for name, (documentation, labels) in _OF_PROVIDER.items()
    }
    for provider in sorted(connections.keys() | found.standings.keys() | found.counts.keys()):
        for name, value, *labels in _of_provider(provider, found):
            families[name].add_metric([provider, *labels], value)
        if provider in connections:
            families["connections"].add_metric([provider], connections[provider])
    yield from families.values()


def _of_provider(provider: str, found: Reading) -> Iterator[tuple[str, float] | tuple[str, float, str]]:
    counts = found.counts.get(provider, Counter())
    standing = found.standings.get(provider) or AccountStanding(provider=provider, state="open")
    yield from (("messages", counts[state], state.value) for state in MessageState)
    yield "requests_in_flight", found.requests.get(provider, 0)
    yield "unknown", counts[MessageState.UNKNOWN]
    yield "oldest_due_seconds", _seconds(found.now - found.due_since.get(provider, found.now))
    yield "provider_open", float(standing.state == "open")
    yield "throttled_seconds", _seconds((standing.throttled_until or found.now) - found.now)
    for rate in rates_of(standing.rate or ""):
        yield "rate_limit", rate.amount, rate.window
    if found.live is not None and (live := found.live.get(standing.account_key)):
        yield "departed_per_second", live.per_second
        yield "connections_held", live.connections


def _seconds(ms: int) -> float:
    return max(0, ms) / 1000


# --- told to whoever asks


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, address: Address) -> None:
        family, _, _, _, place = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0]
        self.address_family = family
        super().__init__((str(place[0]), int(place[1])), _Caller)

    def handle_error(self, _request: object, _client: object) -> None:
        """Say that a caller went away; what it sent is nobody's business."""
        _log.info("scrape broken off")


class _Caller(WSGIRequestHandler):
    timeout = _CALLER_S

    def log_message(self, format: str, *words: object) -> None:  # noqa: A002 - its name there
        """Keep quiet: a scrape every few seconds is no news."""


def serve(address: Address, figures: Collector) -> None:
    """Answer scrapes in threads of their own, until the process ends.

    An address that is taken by now is logged: what is sent matters more than what is told of it.
    """
    threading.Thread(target=_serve, args=(address, figures), name="metrics", daemon=True).start()


def _serve(address: Address, figures: Collector) -> None:
    registry = CollectorRegistry()  # its own: no figures of the process
    registry.register(figures)
    try:
        server = _Server(address)
    except OSError as error:
        _log.error("metrics not served", extra={"address": str(address), "reason": error.strerror})
        return
    server.set_app(make_wsgi_app(registry))
    _log.info("metrics served", extra={"address": str(address)})
    server.serve_forever()
