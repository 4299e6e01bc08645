"""Campaigns in the ledger: created while importing, filled batch by batch, released in one transition."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from worker.errors import InputError, LedgerError
from worker.ledger.engine import control_lock, now_ms
from worker.ledger.models import ACCOUNTS, BATCHES, CAMPAIGNS, LARGEST_ID, MESSAGES
from worker.states import CAMPAIGN_TRANSITIONS, OPEN_STATES, PROVEN, BatchState, CampaignState, MessageState
from worker.text.pricing import Totals

BATCH_ROWS = 1000
"""Most rows of a batch; also what one import transaction writes, well within SQLite's 50 ms."""

IMPORT_LEASE_MS = 30_000
"""An importer that has written nothing for so long is taken for dead."""


@dataclass(frozen=True, kw_only=True)
class NewCampaign:
    """What is frozen when a campaign is created. ``text`` is None where rows change it."""

    name: str
    fingerprint: str
    provider: str
    sender: str
    template: str
    text: str | None
    options: Mapping[str, object]
    source: str


@dataclass(frozen=True, kw_only=True)
class NewMessage:
    """One recipient's row as it was composed. ``text`` is None where it is the campaign's."""

    line: int
    msisdn: str
    region: str
    text: str | None
    encoding: str
    parts: int
    price_micros: int | None
    currency: str | None


@dataclass(frozen=True, kw_only=True)
class SourceCounts:
    """What became of the rows of a file: rows = messages + duplicates + refused + skipped."""

    rows: int
    duplicates: int
    refused: int
    skipped: int = 0


@dataclass(frozen=True, kw_only=True)
class CampaignReport:
    """A campaign with its counts, as ``campaign list`` prints it."""

    id: int
    name: str
    state: str
    reason: str | None
    provider: str
    sender: str
    source: str
    created_at: int
    due_at: int | None
    rows: int
    duplicates: int
    refused: int
    skipped: int
    counts: Mapping[MessageState, int]

    @property
    def messages(self) -> int:
        """Rows of the campaign in the ledger."""
        return sum(self.counts.values())

    @property
    def is_done(self) -> bool:
        """Whether no row can leave any more by itself."""
        return self.state in {"done", CampaignState.CANCELLED, CampaignState.DISCARDED}


def create(connection: Connection, campaign: NewCampaign) -> int:
    """Begin a campaign in state importing and return its id.

    A campaign of the same fingerprint whose importer died is discarded first.

    Raises:
        InputError: the same file, text, provider and name were sent before, or are being imported now.
    """
    _give_way(connection, campaign)
    values = {
        "name": campaign.name,
        "fingerprint": campaign.fingerprint,
        "state": CampaignState.IMPORTING,
        "provider": campaign.provider,
        "sender": campaign.sender,
        "template": campaign.template,
        "text": campaign.text,
        "options": json.dumps(dict(campaign.options), sort_keys=True),
        "source": campaign.source,
        "created_at": now_ms(),
        "importing_until": now_ms() + IMPORT_LEASE_MS,
    }
    try:
        created = connection.execute(insert(CAMPAIGNS).values(values).returning(CAMPAIGNS.c.id))
    except IntegrityError:  # another program was quicker by a moment
        raise InputError("The same campaign was sent at this very moment", code="repeated_send") from None
    return int(created.scalar_one())


def _give_way(connection: Connection, campaign: NewCampaign) -> None:
    query = select(
        CAMPAIGNS.c.id, CAMPAIGNS.c.name, CAMPAIGNS.c.state, (CAMPAIGNS.c.importing_until > now_ms())
    )
    query = query.where(
        CAMPAIGNS.c.fingerprint == campaign.fingerprint, CAMPAIGNS.c.state != CampaignState.DISCARDED
    )
    found = connection.execute(query.with_for_update()).one_or_none()
    if found is None:
        return
    number, name, state, importer_lives = found
    if state != CampaignState.IMPORTING:
        raise InputError(
            f"This was sent before, as campaign {number} ({name}): see `bulksend campaign show {number}`, or "
            "give the new one its own --name",
            code="repeated_send",
        )
    if importer_lives:
        raise InputError(
            f"The same campaign is being imported at this moment, as campaign {number}", code="repeated_send"
        )
    _move(connection, number, CampaignState.DISCARDED)


def add_batch(connection: Connection, campaign_id: int, messages: Sequence[NewMessage]) -> int:
    """Write one batch of at most ``BATCH_ROWS`` messages, due at once, and return its id.

    Raises:
        LedgerError: the campaign is not importing any more (another program took it for dead).
    """
    keep = update(CAMPAIGNS).where(
        CAMPAIGNS.c.id == campaign_id, CAMPAIGNS.c.state == CampaignState.IMPORTING
    )
    kept = connection.execute(
        keep.values(importing_until=now_ms() + IMPORT_LEASE_MS).returning(CAMPAIGNS.c.provider, now_ms())
    ).one_or_none()
    if kept is None:
        raise LedgerError(f"Campaign {campaign_id} was discarded while it was imported; send it again")
    provider, now = kept
    batch = insert(BATCHES).values(
        campaign_id=campaign_id, provider=provider, next_due_at=now, queued=len(messages)
    )
    batch_id = int(connection.execute(batch.returning(BATCHES.c.id)).scalar_one())
    _insert(connection, (_row(campaign_id, batch_id, now, message) for message in messages))
    return batch_id


_COLUMNS = (
    "campaign_id",
    "batch_id",
    "line",
    "msisdn",
    "region",
    "text",
    "encoding",
    "parts",
    "price_micros",
    "currency",
    "state",
    "due_at",
    "changed_at",
    "attempts",
)


def _row(campaign_id: int, batch_id: int, now: int, message: NewMessage) -> tuple[object, ...]:
    return (
        campaign_id,
        batch_id,
        message.line,
        message.msisdn,
        message.region,
        message.text,
        message.encoding,
        message.parts,
        message.price_micros,
        message.currency,
        MessageState.QUEUED.value,
        now,
        now,
        0,
    )


def _insert(connection: Connection, rows: Iterable[tuple[object, ...]]) -> None:
    """Write many messages: COPY on Postgres, executemany on SQLite; ten times the rate of the ORM."""
    names = ", ".join(_COLUMNS)
    if connection.dialect.name == "postgresql":
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY messages ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    else:
        marks = ", ".join("?" * len(_COLUMNS))
        connection.exec_driver_sql(f"INSERT INTO messages ({names}) VALUES ({marks})", list(rows))  # noqa: S608 - constants


def release(connection: Connection, campaign_id: int, counts: SourceCounts) -> None:
    """Let a wholly imported campaign go: the one transition that makes its batches due."""
    _move(connection, campaign_id, CampaignState.RUNNING)
    connection.execute(
        update(CAMPAIGNS)
        .where(CAMPAIGNS.c.id == campaign_id)
        .values(
            n_rows=counts.rows,
            n_duplicates=counts.duplicates,
            n_refused=counts.refused,
            n_skipped=counts.skipped,
            importing_until=None,
            due_at=now_ms(),
        )
    )


def pause(connection: Connection, campaign_id: int, *, reason: str, author: str) -> None:
    """Stop a running campaign: once this is committed, no later mark sends a row of it."""
    control_lock(connection, shared=False)
    _move(connection, campaign_id, CampaignState.PAUSED)
    noted = update(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id)
    connection.execute(noted.values(reason=reason, author=author))


def discard(connection: Connection, campaign_id: int) -> None:
    """Put away a campaign of which nothing was ever due."""
    _move(connection, campaign_id, CampaignState.DISCARDED)


def _move(connection: Connection, campaign_id: int, target: CampaignState) -> None:
    sources = [state for state, targets in CAMPAIGN_TRANSITIONS.items() if target in targets]
    moved = connection.execute(
        update(CAMPAIGNS)
        .where(CAMPAIGNS.c.id == campaign_id, CAMPAIGNS.c.state.in_(sources))
        .values(state=target)
    )
    if moved.rowcount != 1:
        raise LedgerError(f"Campaign {campaign_id} cannot become {target}: see `bulksend campaign list`")


def batch_ids(connection: Connection, campaign_id: int, *, limit: int) -> list[int]:
    """Return the first open batches of a campaign, in the order of import."""
    query = select(BATCHES.c.id).where(
        BATCHES.c.campaign_id == campaign_id, BATCHES.c.state == BatchState.OPEN
    )
    return [int(number) for number in connection.scalars(query.order_by(BATCHES.c.id).limit(limit))]


def counts_of(connection: Connection, campaign_ids: Sequence[int]) -> dict[int, dict[MessageState, int]]:
    """Sum the counters of the batches per campaign: cheap enough to look at twice a second."""
    sums = [func.coalesce(func.sum(BATCHES.c[state.value]), 0) for state in MessageState]
    query = select(BATCHES.c.campaign_id, *sums).where(BATCHES.c.campaign_id.in_(campaign_ids))
    found = {number: dict.fromkeys(MessageState, 0) for number in campaign_ids}
    for number, *values in connection.execute(query.group_by(BATCHES.c.campaign_id)):
        found[number] = dict(zip(MessageState, map(int, values), strict=True))
    return found


def report(connection: Connection, campaign_id: int) -> CampaignReport:
    """Return one campaign with its counts.

    Raises:
        InputError: there is no such campaign.
    """
    query = select(CAMPAIGNS).where(CAMPAIGNS.c.id == min(campaign_id, LARGEST_ID))
    found = connection.execute(query).mappings().one_or_none()
    if found is None:
        raise InputError(
            f"There is no campaign {campaign_id}: `bulksend campaign list` shows them",
            code="no_such_campaign",
        )
    return next(_reports(connection, [found]))


def reports(connection: Connection, *, limit: int) -> list[CampaignReport]:
    """Return the newest campaigns with their counts, newest first."""
    query = select(CAMPAIGNS).order_by(CAMPAIGNS.c.id.desc()).limit(limit)
    return list(_reports(connection, connection.execute(query).mappings().all()))


def _reports(connection: Connection, found: Sequence[RowMapping]) -> Iterator[CampaignReport]:
    numbers = [int(row["id"]) for row in found]
    counts = counts_of(connection, numbers)
    reason = _hold_reasons(connection)
    for row in found:
        yield CampaignReport(
            id=row["id"],
            name=row["name"],
            state=_state(row["state"], counts[row["id"]]),
            reason=row["reason"] or reason.get(row["provider"]),
            provider=row["provider"],
            sender=row["sender"],
            source=row["source"],
            created_at=row["created_at"],
            due_at=row["due_at"],
            rows=row["n_rows"],
            duplicates=row["n_duplicates"],
            refused=row["n_refused"],
            skipped=row["n_skipped"],
            counts=counts[row["id"]],
        )


def _state(stored: str, counts: Mapping[MessageState, int]) -> str:
    """Derive done: the import is finished and no row is queued or being submitted."""
    if stored == CampaignState.RUNNING and not any(counts[state] for state in OPEN_STATES):
        return "done"
    return stored


def totals(connection: Connection, campaign_id: int) -> tuple[int, Totals]:
    """Return the parts of a campaign and what they cost by currency, summed over its rows."""
    sums = func.sum(MESSAGES.c.parts), func.sum(MESSAGES.c.price_micros)
    query = select(MESSAGES.c.currency, *sums).where(MESSAGES.c.campaign_id == campaign_id)
    parts, cost = 0, Totals()
    for currency, n_parts, micros in connection.execute(query.group_by(MESSAGES.c.currency)):
        parts += int(n_parts)
        if currency is not None:
            cost.micros[currency] = int(micros)
    return parts, cost


def codes(connection: Connection, campaign_id: int) -> dict[str, int]:
    """Count the gateway's codes of the messages that were not accepted."""
    query = (
        select(MESSAGES.c.code, func.count())
        .where(
            MESSAGES.c.campaign_id == campaign_id,
            MESSAGES.c.code.is_not(None),
            MESSAGES.c.state.not_in(sorted(PROVEN)),
        )
        .group_by(MESSAGES.c.code)
        .order_by(func.count().desc())
    )
    return {code: int(n) for code, n in connection.execute(query)}


def ended_at(connection: Connection, campaign_id: int) -> int | None:
    """Return when the last row of a campaign changed."""
    query = select(func.max(MESSAGES.c.changed_at)).where(MESSAGES.c.campaign_id == campaign_id)
    found: int | None = connection.scalar(query)
    return found


def has_been_worked(connection: Connection, campaign_id: int) -> bool:
    """Say whether any worker has ever leased a batch of the campaign."""
    query = select(BATCHES.c.id).where(BATCHES.c.campaign_id == campaign_id, BATCHES.c.fence > 0)
    return connection.execute(query.limit(1)).one_or_none() is not None


def _hold_reasons(connection: Connection) -> dict[str, str]:
    held = select(ACCOUNTS.c.provider, ACCOUNTS.c.reason).where(ACCOUNTS.c.not_before > now_ms())
    return {provider: reason for provider, reason in connection.execute(held) if reason}


def batched(messages: Iterable[NewMessage]) -> Iterator[list[NewMessage]]:
    """Cut a stream of messages into what one batch holds."""
    stream = iter(messages)
    while chunk := list(itertools.islice(stream, BATCH_ROWS)):
        yield chunk
