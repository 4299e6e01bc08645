"""What is on its way to a gateway now: marked, and its outcome not recorded yet; reads only.

A mark is acted upon within 250 ms of its commit or not at all, and an order that has committed refuses every
later mark: so what is not on its way when an order holds never leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select

from worker.ledger.engine import now_of
from worker.ledger.models import BATCHES, SUBMISSIONS
from worker.states import BatchState, SubmissionOutcome


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Whose messages are meant: those of a campaign, or all of a provider."""

    campaign_id: int | None = None
    provider: str | None = None

    def condition(self) -> ColumnElement[bool]:
        """Say it as SQL, of batches."""
        if self.campaign_id is not None:
            return BATCHES.c.campaign_id == self.campaign_id
        return BATCHES.c.provider == self.provider


@dataclass(frozen=True, kw_only=True)
class Hanging:
    """A request whose outcome is not known yet; instants are epoch milliseconds of the database's clock."""

    reference: str
    n_messages: int
    since: int
    age_ms: int
    worker: str | None


def n_in_flight(connection: Connection, scope: Scope) -> int:
    """Count the messages that are on their way; cheap: only a leased batch has any."""
    query = select(func.coalesce(func.sum(BATCHES.c.submitting), 0)).where(*_worked(scope))
    return int(connection.execute(query).scalar_one())


def hanging(connection: Connection, scope: Scope, *, limit: int) -> Sequence[Hanging]:
    """Return the requests that are on their way, oldest first."""
    now = now_of(connection)
    query = (
        select(SUBMISSIONS.c.reference, SUBMISSIONS.c.n_messages, SUBMISSIONS.c.started_at, BATCHES.c.owner)
        .join(BATCHES, BATCHES.c.id == SUBMISSIONS.c.batch_id)
        .where(*_worked(scope), SUBMISSIONS.c.outcome == SubmissionOutcome.OPEN)
        .order_by(SUBMISSIONS.c.started_at, SUBMISSIONS.c.id)
        .limit(limit)
    )
    return [
        Hanging(
            reference=row.reference,
            n_messages=row.n_messages,
            since=row.started_at,
            age_ms=max(0, now - row.started_at),
            worker=row.owner,
        )
        for row in connection.execute(query)
    ]


def _worked(scope: Scope) -> tuple[ColumnElement[bool], ...]:
    return scope.condition(), BATCHES.c.state == BatchState.LEASED, BATCHES.c.submitting > 0
