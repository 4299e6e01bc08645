"""What the ledger holds, counted anew from its rows; reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, RowMapping, case, func, select

from worker.ledger.batches import campaign_is_running
from worker.ledger.engine import now_once, reading
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES, SUBMISSIONS
from worker.states import NEVER_RELEASED, BatchState, CampaignState, Lane, MessageState, SubmissionOutcome


@dataclass(frozen=True, kw_only=True)
class BatchTally:
    """One batch: what it says of itself, and what its rows are. Instants are epoch milliseconds."""

    id: int
    campaign_id: int
    provider: str
    state: BatchState
    reason: str | None
    next_due_at: int
    lease_until: int | None
    kept: Mapping[MessageState, int]
    counted: Mapping[MessageState, int]
    first_due_at: int | None  # of its queued rows
    campaigns: frozenset[int]  # the first and the last that its rows belong to
    is_added: bool = False  # of a further file that is not wholly imported


@dataclass(frozen=True, kw_only=True)
class CampaignTally:
    """One campaign with its sums: rows = messages + duplicates + refused + skipped, once it is released."""

    id: int
    name: str
    state: CampaignState
    reason: str | None
    provider: str
    fallback: str | None
    importing_until: int | None
    rows: int
    duplicates: int
    refused: int
    skipped: int
    counts: Counter[MessageState] = field(default_factory=Counter)  # of its rows
    added: Counter[MessageState] = field(default_factory=Counter)  # of a file that is not wholly imported

    @property
    def messages(self) -> int:
        """Its rows in the ledger."""
        return self.counts.total()

    @property
    def is_conserved(self) -> bool:
        """Whether every row of the file is accounted for; nothing is claimed before the release."""
        accounted = self.messages + self.duplicates + self.refused + self.skipped
        return self.state in NEVER_RELEASED or self.rows == accounted


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Look at the ledger as it is at one moment, while workers go on; raises as ``reading`` does."""
    with reading(engine) as connection:
        if connection.dialect.name == "postgresql":  # on SQLite every read transaction is one
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        yield connection


def campaign_tallies(connection: Connection) -> dict[int, CampaignTally]:
    """Return every campaign by its id, not counted yet."""
    query = select(CAMPAIGNS).order_by(CAMPAIGNS.c.id)
    return {
        row.id: CampaignTally(
            id=row.id,
            name=row.name,
            state=CampaignState(row.state),
            reason=row.reason,
            provider=row.provider,
            fallback=row.fallback,
            importing_until=row.importing_until,
            rows=row.n_rows,
            duplicates=row.n_duplicates,
            refused=row.n_refused,
            skipped=row.n_skipped,
        )
        for row in connection.execute(query)
    }


def batch_tallies(connection: Connection) -> Iterator[BatchTally]:
    """Yield every batch by id, its rows counted in one pass over the messages."""
    counts = [func.count(case((MESSAGES.c.state == state, 1))).label(f"n_{state}") for state in MessageState]
    rows = (
        select(
            MESSAGES.c.batch_id,
            *counts,
            func.min(case((MESSAGES.c.state == MessageState.QUEUED, MESSAGES.c.due_at))).label(
                "first_due_at"
            ),
            func.min(MESSAGES.c.campaign_id).label("first_campaign"),
            func.max(MESSAGES.c.campaign_id).label("last_campaign"),
        )
        .group_by(MESSAGES.c.batch_id)
        .subquery()
    )
    query = select(BATCHES, rows).outerjoin(rows, rows.c.batch_id == BATCHES.c.id).order_by(BATCHES.c.id)
    found = connection.execute(query.execution_options(yield_per=1000))
    return map(_batch_tally, found.mappings())


def _batch_tally(row: RowMapping) -> BatchTally:
    return BatchTally(
        id=row["id"],
        campaign_id=row["campaign_id"],
        provider=row["provider"],
        state=BatchState(row["state"]),
        reason=row["reason"],
        next_due_at=row["next_due_at"],
        lease_until=row["lease_until"],
        kept={state: row[state.value] for state in MessageState},
        counted={state: row[f"n_{state}"] or 0 for state in MessageState},
        first_due_at=row["first_due_at"],
        is_added=row["is_added"],
        campaigns=frozenset({row["first_campaign"], row["last_campaign"]} - {None}),
    )


def counts_by_provider(connection: Connection) -> dict[str, Counter[MessageState]]:
    """Sum the counters of the batches by provider: cheap, where nothing needs to be proved."""
    sums = [func.coalesce(func.sum(BATCHES.c[state.value]), 0) for state in MessageState]
    query = select(BATCHES.c.provider, *sums).group_by(BATCHES.c.provider)
    return {
        name: Counter(dict(zip(MessageState, map(int, values), strict=True)))
        for name, *values in connection.execute(query)
    }


def urgent_by_provider(connection: Connection) -> dict[str, int]:
    """Count what is queued and urgent, by provider."""
    query = select(BATCHES.c.provider, func.sum(BATCHES.c.queued)).where(BATCHES.c.lane == Lane.URGENT)
    return {name: int(n) for name, n in connection.execute(query.group_by(BATCHES.c.provider))}


def requests_out(connection: Connection) -> dict[str, int]:
    """Count, by provider, the requests that are marked and of which no end is recorded."""
    query = (
        select(SUBMISSIONS.c.provider, func.count())
        .join(BATCHES, BATCHES.c.id == SUBMISSIONS.c.batch_id)
        .where(BATCHES.c.state == BatchState.LEASED, SUBMISSIONS.c.outcome == SubmissionOutcome.OPEN)
        .group_by(SUBMISSIONS.c.provider)
    )
    return {name: int(n) for name, n in connection.execute(query)}


def waiting_since(connection: Connection) -> dict[str, int]:
    """Return, by provider, when the oldest batch was due of which something waits, in running campaigns."""
    query = (
        select(BATCHES.c.provider, func.min(BATCHES.c.next_due_at))
        .where(
            BATCHES.c.state.in_([BatchState.OPEN, BatchState.LEASED]),
            BATCHES.c.queued > 0,
            BATCHES.c.next_due_at <= now_once(),
            campaign_is_running(BATCHES.c.campaign_id),
        )
        .group_by(BATCHES.c.provider)
    )
    return {name: int(due_at) for name, due_at in connection.execute(query)}


def last_request_at(connection: Connection) -> int | None:
    """Return when the newest request of all was marked."""
    query = select(SUBMISSIONS.c.started_at).order_by(SUBMISSIONS.c.id.desc()).limit(1)
    found: int | None = connection.scalar(query)
    return found
