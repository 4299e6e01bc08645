"""Submit: one marked request to the gateway, in a thread; no transaction is open meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from worker.errors import ConfigError, NotSent, OutcomeUnknown
from worker.gateways.base import Adapter, HttpReply, HttpRequest, Outcome, Submission, Verdict
from worker.ledger.batches import Lease
from worker.ledger.values import Marked
from worker.sending.record import Reply
from worker.text.segments import Encoding

_log = logging.getLogger(__name__)


class Exchanger(Protocol):
    """What carries a request: ``worker.gateways.http.Client``."""

    def exchange(self, request: HttpRequest, *, before_write: Callable[[], None] | None = None) -> HttpReply:
        """Return the reply, or raise NotSent or OutcomeUnknown."""

    def open(self, url: str, *, n: int, pool: Executor) -> None:
        """Have so many connections open and idle, or raise NotSent."""


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """An account's adapter with the client that carries its requests."""

    adapter: Adapter
    client: Exchanger
    options: Mapping[str, object]

    def open(self, *, n: int, pool: Executor) -> None:
        """Have connections open for the next ``n`` requests; raises NotSent when the gateway is away."""
        self.client.open(self.adapter.base_url, n=n, pool=pool)

    def submit(self, lease: Lease, marked: Marked, *, before_write: Callable[[], None]) -> Reply:
        """Send one request and return what it came to; never raises for what a network can do.

        ``before_write`` is called as the last thing before the first byte; it may raise ``NotSent``.
        """
        try:
            submission = self._submission(lease, marked)
            request = self.adapter.build(submission)
            return self.adapter.read(submission, self.client.exchange(request, before_write=before_write))
        except (NotSent, OutcomeUnknown) as reason:
            return reason
        except ConfigError as refusal:  # nothing was written
            cannot = Outcome(verdict=Verdict.CAMPAIGN, code="cannot_carry", detail=str(refusal))
            return {row.msisdn: cannot for row in marked.rows}
        except Exception as bug:  # noqa: BLE001 - whatever it is, a byte may have left: say so, never resend
            _log.error("submission failed by a bug", extra={"error_class": type(bug).__name__})
            return OutcomeUnknown(f"our own {type(bug).__name__}")

    def _submission(self, lease: Lease, marked: Marked) -> Submission:
        first = marked.rows[0]
        return Submission(
            reference=marked.reference,
            sender=lease.sender,
            text=first.text,
            encoding=Encoding(first.encoding),
            recipients=tuple(row.msisdn for row in marked.rows),
            options={**self.options, **lease.options},
        )
