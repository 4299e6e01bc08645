"""A gateway that keeps messages until their time and is told to give them back, for tests of that."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from sqlalchemy import Engine, update

from tests.ledgers import (
    LOGIN,
    PROVIDER,
    ago,
    lease,
    mark,
    record,
    release,
    result,
    run_campaign,
    submissions,
)
from worker.gateways.base import Capabilities, HttpReply, HttpRequest
from worker.gateways.cpsms.adapter import Cpsms
from worker.ledger.engine import writing
from worker.ledger.models import CAMPAIGNS
from worker.ledger.values import Marked
from worker.states import MessageState
from worker.taking import Taker

HALF_AN_HOUR_MS = 1_800_000
SOON_MS = 690_000  # a minute and a half before CPSMS gives nothing back any more
REST_S = 60.0

OBEYS: tuple[int, object] = (200, {"success": "SMS deleted"})
TOO_LATE: tuple[int, object] = (409, {"error": {"code": 409, "message": "nothing to delete"}})
NONSENSE: tuple[int, object] = (500, {})


@dataclass
class Answering:
    """A gateway that answers one call after the other as it is told, and keeps what it was asked."""

    answers: list[tuple[int, object]]
    asked: list[HttpRequest] = field(default_factory=list)
    before: Callable[[], object] = lambda: None

    def exchange(self, request: HttpRequest, **_how: object) -> HttpReply:
        """Answer."""
        self.asked.append(request)
        self.before()
        status, document = self.answers.pop(0)
        return HttpReply(status=status, headers={}, body=json.dumps(document).encode())


def schedule(engine: Engine, *, ahead_ms: int = HALF_AN_HOUR_MS) -> None:
    """Let all campaigns have been given a time."""
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(leaves_at=ago(-ahead_ms)))


def handed_over(engine: Engine, n: int = 2, *, ahead_ms: int = HALF_AN_HOUR_MS) -> Marked:
    """Send a campaign in one request that is accepted, to be kept; return the request."""
    held = lease(engine, run_campaign(engine, n))
    (marked,) = mark(engine, held)
    record(engine, result(marked, MessageState.ACCEPTED))
    release(engine, held)
    schedule(engine, ahead_ms=ahead_ms)
    return marked


class Keeping(Cpsms):
    """A gateway that gives nothing back."""

    capabilities: ClassVar[Capabilities] = replace(Cpsms.capabilities, cancel_ahead_s=None)


def taker(
    engine: Engine,
    client: object,
    *,
    again_s: float = REST_S,
    quarantine_s: float = 900.0,
    kind: type[Cpsms] = Cpsms,
) -> Taker:
    """Make a taker that never connects by itself."""
    adapter = kind(base_url="http://127.0.0.1:9/v2", username="acme", secret="key")
    return Taker(
        provider=PROVIDER,
        login=LOGIN,
        engine=engine,
        adapter=adapter,
        client=client,  # type: ignore[arg-type]
        again_s=again_s,
        quarantine_s=quarantine_s,
    )


def all_steps(one: Taker) -> list[int]:
    """Take all steps there are now; return how many messages each gave back."""
    found = []
    while (step := one.step()) is not None:
        found.append(step.n_back)
        if step.is_away:
            break
    return found


def takings(engine: Engine) -> list[object]:
    """Return what became of each wish, by request."""
    return [each["taken"] for each in submissions(engine)]
