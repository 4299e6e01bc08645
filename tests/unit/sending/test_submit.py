"""What a submission comes to beyond the gateway's own words: what was never built, and what came too late."""

import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import pytest

from worker.gateways import make_adapter
from worker.gateways.base import HttpReply, HttpRequest, Outcome, Verdict
from worker.ledger.batches import Lease
from worker.ledger.values import DueRow, Marked
from worker.sending.submit import Gateway
from worker.states import Lane

REFUSED_TIME = b'{"error": "SCHEDULED_INVALID", "message": "the time has passed"}'
REFUSED_NUMBER = b'{"error": "MSISDN_INVALID", "message": "no"}'


@dataclass
class Answering:
    """A gateway that answers everything with the same."""

    body: bytes
    n_requests: int = 0

    def exchange(self, request: HttpRequest, *, before_write: Callable[[], None] | None = None) -> HttpReply:
        """Answer."""
        assert request.url
        assert before_write is not None
        self.n_requests += 1
        return HttpReply(status=400, headers={}, body=self.body)

    def open(self, url: str, *, n: int, pool: Executor, within_s: float | None = None) -> None:
        """Have nothing to open."""


def gateway_of(kind: str, client: Answering) -> Gateway:
    return Gateway(adapter=make_adapter(kind, username="acme", secret="secret"), client=client, options={})


def marked(*texts: str) -> Marked:
    rows = [
        DueRow(
            id=n,
            msisdn=f"+452030405{n}",
            text=text,
            encoding="gsm7",
            parts=1,
            attempts=0,
            group_limit=None,
            leave_in_ms=None,
        )
        for n, text in enumerate(texts)
    ]
    return Marked(reference="r" * 20, rows=tuple(rows))


def lease(*, leaves_at: int | None = None) -> Lease:
    return Lease(
        batch_id=1,
        fence=1,
        campaign_id=1,
        provider="acme",
        sender="ACME",
        text=None,
        options={},
        lane=Lane.BULK,
        leaves_at=leaves_at,
    )


def outcomes(gateway: Gateway, held: Lease, request: Marked) -> list[Outcome]:
    reply = gateway.submit(held, request, before_write=lambda: None)
    assert isinstance(reply, dict)
    return list(reply.values())


@pytest.mark.parametrize(
    ("texts", "verdict"),
    [
        (("see %SHORT_LINK%",), Verdict.CAMPAIGN),
        (("see %SHORT_LINK%", "Hello"), Verdict.SPLIT),
        (("pay ${sum}", "Hello"), Verdict.SPLIT),
    ],
)
def test_what_cannot_be_written_costs_the_others_nothing(texts: tuple[str, ...], verdict: Verdict) -> None:
    client = Answering(body=b"")

    found = outcomes(gateway_of("smsend", client), lease(), marked(*texts))

    assert {(each.verdict, each.code) for each in found} == {(verdict, "cannot_carry")}
    assert client.n_requests == 0


@pytest.mark.parametrize(
    ("ahead_s", "body", "verdict", "waits"),
    [
        (30, REFUSED_TIME, Verdict.RETRY, True),
        (90, REFUSED_TIME, Verdict.CAMPAIGN, False),
        (-1, REFUSED_TIME, Verdict.CAMPAIGN, False),
        (None, REFUSED_TIME, Verdict.CAMPAIGN, False),
        (30, REFUSED_NUMBER, Verdict.RECIPIENT, False),
    ],
)
def test_a_refusal_of_what_is_kept_until_about_now_is_tried_again_when_that_is_over(
    ahead_s: float | None, body: bytes, verdict: Verdict, *, waits: bool
) -> None:
    leaves_at = None if ahead_s is None else int(1000 * (time.time() + ahead_s))
    gateway = gateway_of("txty_v6", Answering(body=body))

    (found,) = outcomes(gateway, lease(leaves_at=leaves_at), marked("Hello"))

    assert found.verdict is verdict
    assert (found.retry_after_s is not None) == waits
    assert found.retry_after_s is None or 25 < found.retry_after_s <= 30
