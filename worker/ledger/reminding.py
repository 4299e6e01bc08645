"""A run over a file of appointments takes their series, and adds new reminders to it.

The run is the importer of a campaign. Its messages are invisible until that is released, and are gone when it
is discarded. The table's primary key is the law: no version of a reminder has two messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update

from worker.errors import InputError, LedgerError
from worker.ledger import campaigns, interrupted, put_by
from worker.ledger.campaigns import Importer
from worker.ledger.drafts import NewCampaign, NewMessage
from worker.ledger.engine import control_lock, now_ms, now_of
from worker.ledger.given import execute_given
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES
from worker.ledger.put_by import NAMED
from worker.ledger.reminded import MAY_COME_BACK, MOVED, Slot
from worker.states import CampaignState, MessageState


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A reminder as it is to be: its slot, its version, and its message with a text of its own."""

    slot: Slot
    version: int
    message: NewMessage


# --- the series, and who has it


def begin(connection: Connection, campaign: NewCampaign) -> tuple[Importer, list[int]]:
    """Take a series for one run; return the importer of its campaign, and the campaigns to be cleared.

    What an interrupted run has left behind gives way: its campaign is discarded.

    Raises:
        InputError: another run of the series is under way.
    """
    control_lock(connection, shared=False)
    query = select(CAMPAIGNS.c.id, (CAMPAIGNS.c.importing_until <= now_ms()).label("is_dead")).where(
        CAMPAIGNS.c.series == campaign.series, CAMPAIGNS.c.state == CampaignState.IMPORTING
    )
    for number, is_dead in connection.execute(query.order_by(CAMPAIGNS.c.id)).all():
        if not is_dead:
            raise InputError(
                f"Reminders of the series {campaign.series} are being imported at this moment, as campaign "
                f"{number}; if that program was killed, give the same command again in half a minute",
                code="importing",
            )
        interrupted.discard(connection, number)
    left = select(CAMPAIGNS.c.id).where(
        CAMPAIGNS.c.series == campaign.series,
        CAMPAIGNS.c.state == CampaignState.DISCARDED,
        select(BATCHES.c.id).where(BATCHES.c.campaign_id == CAMPAIGNS.c.id).exists(),
    )
    to_clear = list(connection.scalars(left.order_by(CAMPAIGNS.c.id)))
    return campaigns.create(connection, campaign), to_clear


def drop(connection: Connection, importer: Importer) -> bool:
    """Take back the campaign of a run that wrote no message; False when it is not the importer's any more."""
    if not campaigns.abandon(connection, importer):
        return False
    has_batches = select(BATCHES.c.id).where(BATCHES.c.campaign_id == CAMPAIGNS.c.id).exists()
    connection.execute(delete(CAMPAIGNS).where(CAMPAIGNS.c.id == importer.campaign_id, ~has_batches))
    return True


# --- new ones


def add(
    connection: Connection, importer: Importer, batches: Sequence[Sequence[Draft]], *, series: str
) -> Importer:
    """Write batches of reminders together; return the importer's longer lease.

    What stands for other versions of them never leaves any more, wherever it is. One of the same version
    gives way where it is cancelled, or came to nothing and was closed: that comes back if ours is discarded.

    Raises:
        LedgerError: another program has the series now, or one of these has its message already.
    """
    drafts = [draft for batch in batches for draft in batch]
    renewed = campaigns.add_batches(
        connection, importer, [[draft.message for draft in batch] for batch in batches]
    )
    ours = select(BATCHES.c.id).where(BATCHES.c.campaign_id == importer.campaign_id)
    newest = ours.order_by(BATCHES.c.id.desc()).limit(len(batches))
    written = select(MESSAGES.c.id).where(MESSAGES.c.batch_id.in_(newest))
    ids = connection.scalars(written.order_by(MESSAGES.c.id))  # numbered in their order
    rows = [named(draft, number, series=series) for draft, number in zip(drafts, ids, strict=True)]
    _close_others(connection, rows)
    put_by.put_by(connection, rows)
    made = execute_given(
        connection,
        "INSERT INTO reminders (series, key, before_ms, version, message_id) "
        "SELECT given.named, given.digest, given.offset_ms, given.instant, given.message FROM given "
        "WHERE true ON CONFLICT (series, key, before_ms, version) DO UPDATE "
        "SET message_id = excluded.message_id WHERE EXISTS (SELECT 1 FROM messages "
        "WHERE messages.id = reminders.message_id AND messages.state = 'cancelled') "
        "RETURNING message_id",
        columns=NAMED,
        rows=rows,
    )
    if len(made.all()) != len(rows):
        raise LedgerError(f"The series {series} was changed meanwhile: give the same command again")
    return renewed


def named(draft: Draft, message_id: int, *, series: str) -> tuple[object, ...]:
    """Give the cells of a reminder in the order of ``NAMED``."""
    return series, draft.slot.key, draft.slot.before_ms, draft.version, message_id


def _close_others(connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    others = put_by.in_slots(connection, rows, "reminders.version <> given.instant")
    may_leave = MESSAGES.c.state.in_([MessageState.QUEUED, *MAY_COME_BACK])
    ours = MESSAGES.c.id.in_(others), may_leave
    found = select(MESSAGES.c.id).where(*ours).order_by(MESSAGES.c.id).with_for_update()
    closed = update(MESSAGES).where(MESSAGES.c.id.in_(connection.scalars(found).all()))
    now = now_of(connection)  # what is queued at this very moment has not come any way: it is over
    connection.execute(
        closed.where(MESSAGES.c.state == MessageState.QUEUED).values(leave_by=now, expires_at=now)
    )
    connection.execute(closed.where(MESSAGES.c.state != MessageState.QUEUED).values(withdrawn=MOVED))
