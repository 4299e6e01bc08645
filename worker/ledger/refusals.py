"""How much of what a campaign tried last was refused for good; reads only, and no more than it must."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from worker.ledger import orders
from worker.ledger.models import BATCHES, MESSAGES, SUBMISSIONS
from worker.states import PROVEN, MessageState, SubmissionOutcome

_LOOKED_THROUGH = 5
"""Requests of a provider, for each outcome that is wanted: those of other campaigns lie between them."""

_OUTCOMES = frozenset({MessageState.REJECTED, MessageState.SUPPRESSED, *PROVEN})


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The last outcomes of a campaign."""

    n_outcomes: int
    n_refused: int  # for good: not for a passing reason
    code: str | None  # the commonest of the refusals

    @property
    def share(self) -> float:
        """The refusals among the outcomes."""
        return self.n_refused / self.n_outcomes if self.n_outcomes else 0.0


def last_outcomes(connection: Connection, campaign_id: int, provider: str, *, n: int) -> Refused:
    """Look at the newest answered requests of a campaign through a provider, until they had ``n`` messages.

    Nothing counts that was marked before a person last let the campaign go on.
    """
    since = orders.last_at(connection, campaign_id, orders.RESUME, is_by_person=True) or 0
    chosen = list(_newest(connection, campaign_id, provider, since=since, n=n))
    query = (
        select(MESSAGES.c.state, MESSAGES.c.code, func.count())
        .where(MESSAGES.c.submission_id.in_(chosen), MESSAGES.c.state.in_(sorted(_OUTCOMES)))
        .group_by(MESSAGES.c.state, MESSAGES.c.code)
    )
    n_outcomes, codes = 0, Counter[str | None]()
    for state, code, n_messages in connection.execute(query):
        n_outcomes += int(n_messages)
        if state == MessageState.REJECTED:
            codes[code] += int(n_messages)
    commonest = codes.most_common(1)
    return Refused(
        n_outcomes=n_outcomes, n_refused=codes.total(), code=commonest[0][0] if commonest else None
    )


def _newest(connection: Connection, campaign_id: int, provider: str, *, since: int, n: int) -> Iterator[int]:
    columns = [SUBMISSIONS.c[name] for name in ("id", "batch_id", "n_messages", "outcome", "started_at")]
    newest = (
        select(*columns)
        .where(SUBMISSIONS.c.provider == provider, SUBMISSIONS.c.started_at > since)
        .order_by(SUBMISSIONS.c.started_at.desc())
        .limit(_LOOKED_THROUGH * n)
        .subquery()
    )
    query = (
        select(newest.c.id, newest.c.n_messages)
        .join(BATCHES, BATCHES.c.id == newest.c.batch_id)
        .where(BATCHES.c.campaign_id == campaign_id, newest.c.outcome == SubmissionOutcome.ANSWERED)
        .order_by(newest.c.started_at.desc())
    )
    n_so_far = 0
    for number, n_messages in connection.execute(query).all():
        if n_so_far >= n:
            return
        n_so_far += n_messages
        yield number
