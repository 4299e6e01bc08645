"""Submit: one marked request to the gateway, in a thread; no transaction is open meanwhile."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Protocol

from worker.errors import ConfigError, NotSent, OutcomeUnknown
from worker.gateways.base import Adapter, HttpReply, HttpRequest, Outcome, Submission, Verdict
from worker.ledger.batches import Lease
from worker.ledger.values import Marked
from worker.sending.record import Reply
from worker.text.segments import Encoding

_CLOCKS_APART_S = 60.0  # by which a gateway's clock and ours may differ

_log = logging.getLogger(__name__)


class Exchanger(Protocol):
    """What carries a request: ``worker.gateways.http.Client``."""

    def exchange(self, request: HttpRequest, *, before_write: Callable[[], None] | None = None) -> HttpReply:
        """Return the reply, or raise NotSent or OutcomeUnknown."""

    def open(self, url: str, *, n: int, pool: Executor, within_s: float | None = None) -> None:
        """Have so many connections open and idle, or raise NotSent."""


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """An account's adapter with the client that carries its requests.

    ``dlr_url`` gives the address for the delivery reports of a reference; None: there is none to be given.
    """

    adapter: Adapter
    client: Exchanger
    options: Mapping[str, object]
    dlr_url: Callable[[str], str] | None = None

    def open(self, *, n: int, pool: Executor, within_s: float | None = None) -> None:
        """Have connections open for the next ``n`` requests; raises NotSent when the gateway is away."""
        self.client.open(self.adapter.base_url, n=n, pool=pool, within_s=within_s)

    def submit(self, lease: Lease, marked: Marked, *, before_write: Callable[[], None]) -> Reply:
        """Send one request and return what it came to; never raises for what a network can do.

        ``before_write`` is called as the last thing before the first byte; it may raise ``NotSent``.
        """
        try:
            submission = self._submission(lease, marked)
            request = self.adapter.build(submission)
            reply = self.adapter.read(submission, self.client.exchange(request, before_write=before_write))
            return _past_its_time(submission, reply)
        except (NotSent, OutcomeUnknown) as reason:
            return reason
        except ConfigError as refusal:  # nothing was written; it may be for one of them only
            verdict = Verdict.SPLIT if len(marked.rows) > 1 else Verdict.CAMPAIGN
            cannot = Outcome(verdict=verdict, code="cannot_carry", detail=str(refusal))
            return {row.msisdn: cannot for row in marked.rows}
        except Exception as bug:  # noqa: BLE001 - whatever it is, a byte may have left: say so, never resend
            _log.error("submission failed by a bug", extra={"error_class": type(bug).__name__})
            return OutcomeUnknown(f"our own {type(bug).__name__}")

    def _submission(self, lease: Lease, marked: Marked) -> Submission:
        first = marked.rows[0]
        is_same = all(row.text == first.text for row in marked.rows)
        return Submission(
            reference=marked.reference,
            sender=lease.sender,
            text=first.text if is_same else "",
            texts=None if is_same else tuple(row.text for row in marked.rows),
            encoding=Encoding(first.encoding),
            udh_bits=lease.udh_bits,
            recipients=tuple(row.msisdn for row in marked.rows),
            options={**self.options, **lease.options},
            leaves_at_s=_ahead(lease.leaves_at),
            dlr_url=self.dlr_url(marked.reference) if self.dlr_url else None,
        )


def _ahead(leaves_at: int | None) -> float | None:
    """Return until when the gateway is to keep it; what is late goes at once, as from a schedule of ours."""
    if leaves_at is None or leaves_at / 1000 <= time.time():
        return None
    return leaves_at / 1000


def _past_its_time(submission: Submission, reply: Mapping[str, Outcome]) -> Mapping[str, Outcome]:
    """Let what was to be kept until about now, and was refused as a whole, be tried when that is over.

    To the gateway its time may have passed. The next try carries none, so that a campaign with a fault of its
    own is refused then.
    """
    if submission.leaves_at_s is None:
        return reply
    ahead_s = submission.leaves_at_s - time.time()
    if ahead_s >= _CLOCKS_APART_S:
        return reply
    return {
        msisdn: replace(each, verdict=Verdict.RETRY, retry_after_s=max(0.0, ahead_s))
        if each.verdict is Verdict.CAMPAIGN
        else each
        for msisdn, each in reply.items()
    }
