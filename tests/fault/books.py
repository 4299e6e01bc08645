"""The ledger as the judge of a fault test reads it: behind the back of the code that is judged."""

import socket
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import psutil
from sqlalchemy import Engine, func, select

from worker.errors import LedgerError
from worker.ledger.engine import reading
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES, SUBMISSIONS
from worker.states import PROVEN, BatchState, MessageState, SubmissionOutcome

Sent = Counter[tuple[str, str]]
"""How often a number and a text were, or may have been, accepted together."""


@dataclass(frozen=True, kw_only=True)
class Marked:
    """What was marked at one moment, and may have left."""

    requests: int = 0
    rows: int = 0

    def __add__(self, other: "Marked") -> "Marked":
        """Add up."""
        return Marked(requests=self.requests + other.requests, rows=self.rows + other.rows)


def states(engine: Engine) -> Counter[str]:
    """Count the messages by state."""
    query = select(MESSAGES.c.state, func.count().label("n")).group_by(MESSAGES.c.state)
    with reading(engine) as connection:
        return Counter({row.state: int(row.n) for row in connection.execute(query)})


def marked(engine: Engine, *, pid: int | None = None) -> Marked:
    """Count what is SUBMITTING now, in all processes or in one of this machine."""
    query = (
        select(func.count(MESSAGES.c.submission_id.distinct()), func.count())
        .join(BATCHES, BATCHES.c.id == MESSAGES.c.batch_id)
        .where(MESSAGES.c.state == MessageState.SUBMITTING)
    )
    if pid is not None:
        query = query.where(BATCHES.c.owner == f"{socket.gethostname()}:{pid}")
    with reading(engine) as connection:
        requests, rows = connection.execute(query).one()
    return Marked(requests=requests, rows=rows)


def leased(engine: Engine, *, pids: Collection[int]) -> int:
    """Count what waits in batches that some processes of this machine have leased."""
    owners = [f"{socket.gethostname()}:{pid}" for pid in pids]
    waiting = func.coalesce(func.sum(BATCHES.c.queued + BATCHES.c.submitting), 0)
    query = select(waiting).where(BATCHES.c.state == BatchState.LEASED, BATCHES.c.owner.in_(owners))
    with reading(engine) as connection:
        return int(connection.execute(query).scalar_one())


def unclear_requests(engine: Engine) -> list[int]:
    """Return, for each request that has UNKNOWN messages, how many; the largest first."""
    query = (
        select(func.count())
        .where(MESSAGES.c.state == MessageState.UNKNOWN)
        .group_by(MESSAGES.c.submission_id)
        .order_by(func.count().desc())
    )
    with reading(engine) as connection:
        return list(connection.scalars(query))


def open_references(engine: Engine) -> list[str]:
    """Return the references of the requests without an outcome."""
    query = select(SUBMISSIONS.c.reference).where(SUBMISSIONS.c.outcome == SubmissionOutcome.OPEN)
    with reading(engine) as connection:
        return list(connection.execute(query).scalars())


def open_requests(engine: Engine) -> int:
    """Count the requests without an outcome whose process lives: of the others the sweep takes care."""
    query = (
        select(BATCHES.c.owner, func.count().label("n"))
        .join(SUBMISSIONS, SUBMISSIONS.c.batch_id == BATCHES.c.id)
        .where(SUBMISSIONS.c.outcome == SubmissionOutcome.OPEN, BATCHES.c.owner.is_not(None))
        .group_by(BATCHES.c.owner)
    )
    with reading(engine) as connection:
        found = [(row.owner, int(row.n)) for row in connection.execute(query)]
    return sum(n for owner, n in found if psutil.pid_exists(int(owner.rpartition(":")[2])))


def proven(engine: Engine) -> Sent:
    """Return number and text of what the ledger calls accepted, or further."""
    text = func.coalesce(MESSAGES.c.text, CAMPAIGNS.c.text).label("text")
    query = select(MESSAGES.c.msisdn, text).join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
    with reading(engine) as connection:
        found = connection.execute(query.where(MESSAGES.c.state.in_(sorted(PROVEN))))
        return Counter((row.msisdn, row.text) for row in found)


def doubled(engine: Engine) -> int:
    """Count the messages that the ledger itself calls sent twice."""
    query = select(func.count()).where(MESSAGES.c.is_doubled)
    with reading(engine) as connection:
        return int(connection.execute(query).scalar_one())


def held(engine: Engine) -> list[int]:
    """Return the campaigns with batches that wait for a person."""
    query = select(BATCHES.c.campaign_id).distinct().where(BATCHES.c.state == BatchState.HELD)
    try:
        with reading(engine) as connection:
            return list(connection.scalars(query))
    except LedgerError:  # it is what this test has taken away
        return []
