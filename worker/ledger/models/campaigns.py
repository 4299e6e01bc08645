"""Campaigns, their batches, and what was ordered or kept about them."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field, SQLModel

from worker.ledger.columns import instant, key, one_of, refers_to, where
from worker.states import BatchState, CampaignState, Lane, Late


class Campaign(SQLModel, table=True):
    """One producer run over one recipient source, frozen at creation."""

    __tablename__: ClassVar[str] = "campaigns"
    __table_args__ = (
        one_of("state", CampaignState),
        one_of("lane", Lane),
        one_of("late", Late),
        Index("ix_campaigns_notice_at", "notice_at", **where("notice_at IS NOT NULL")),
        {"sqlite_autoincrement": True},
    )

    id: int | None = key()
    name: str
    fingerprint: str  # of every message with its price: what was previewed is what is imported
    state: str
    reason: str | None = None
    author: str | None = None
    provider: str
    sender: str
    template: str = Field(sa_type=Text)
    text: str | None = Field(default=None, sa_type=Text)  # the one text, where no row changes it
    options: str = Field(default="{}", sa_type=Text)  # JSON object
    source: str  # name of the file
    reading: str = Field(default="{}", sa_type=Text)  # JSON object: how the file is read, to finish an import
    fallback: str | None = None  # provider that may take over, where it can carry every message
    created_at: int = instant()
    importing_until: int | None = instant(default=None)  # the importer's lease
    due_at: int | None = instant(default=None)
    n_rows: int = 0
    n_duplicates: int = 0
    n_refused: int = 0
    n_skipped: int = 0
    lane: str = Lane.BULK
    served_at: int = instant(default=0)  # when it was last its turn
    leaves_at: int | None = instant(default=None)  # the gateway keeps it until then; NULL: it leaves at once
    zone: str | None = None  # names of IANA with commas, or "recipient"; NULL: times are no matter
    windows: str | None = Field(default=None, sa_type=Text)  # JSON: when it may leave, where it arrives
    late: str = Late.HOLD  # what happens when its start was missed
    series: str | None = Field(default=None, index=True)  # of reminders
    udh_bits: int = 8  # of the number that joins the parts of a text: how they are counted
    purpose: str = "marketing"  # what an opt-out may be of
    notice_at: int | None = instant(default=None)  # when its end is told next; NULL: nobody wants to know
    n_notices: int = 0  # in vain so far
    noticed_at: int | None = instant(default=None)  # when its end was told
    headers: str | None = Field(default=None, sa_type=Text)  # JSON array: of ``cells``; NULL: none
    pruned_at: int | None = instant(default=None)  # when texts and numbers were removed; 0: under way


class Batch(SQLModel, table=True):
    """A slice of a campaign for one provider that is due at one time: the unit in Redis.

    One counter per message state is kept in the transaction that moves the rows.
    """

    __tablename__: ClassVar[str] = "batches"
    __table_args__ = (
        one_of("state", BatchState),
        one_of("lane", Lane),
        Index("ix_batches_campaign_id_id", "campaign_id", "id", unique=True),
        Index("ix_batches_state_next_due_at", "state", "next_due_at"),
        Index("ix_batches_provider_lane_state_next_due_at", "provider", "lane", "state", "next_due_at"),
        Index("ix_batches_campaign_id_state_next_due_at", "campaign_id", "state", "next_due_at"),
        Index("ix_batches_state_leave_by", "state", "leave_by", **where("leave_by IS NOT NULL")),
        Index("ix_batches_provider_follow_at", "provider", "follow_at", **where("follow_at IS NOT NULL")),
        {"sqlite_autoincrement": True},
    )

    id: int | None = key()
    campaign_id: int = refers_to("campaigns.id")
    provider: str
    state: str = BatchState.OPEN
    reason: str | None = None
    next_due_at: int = instant()
    fence: int = Field(default=0, sa_type=BigInteger)
    owner: str | None = None
    lease_until: int | None = instant(default=None)
    lost_leases: int = 0  # in a row, without progress
    published_at: int | None = instant(default=None)
    n_hints: int = 0  # published since the last lease
    queued: int = 0
    submitting: int = 0
    accepted: int = 0
    delivered: int = 0
    undelivered: int = 0
    expired: int = 0
    rejected: int = 0
    suppressed: int = 0
    unknown: int = 0
    failed: int = 0
    cancelled: int = 0
    lane: str = Lane.BULK  # the campaign's
    follow_at: int | None = instant(default=None)  # when its gateway is next asked what arrived; NULL: never
    leave_by: int | None = instant(default=None)  # of the first queued message, or before; NULL: none has it
    is_added: bool = False  # of a further file that is being imported: held until all of that is there


class Claim(SQLModel, table=True):
    """What was sent already: a content or a key, and the newest campaign that carries it."""

    __tablename__: ClassVar[str] = "claims"

    claim: str = Field(primary_key=True)  # "content:" or "key:" and what identifies it
    campaign_id: int = refers_to("campaigns.id", index=True)
    made_at: int = instant()


class Reminder(SQLModel, table=True):
    """The one message for an appointment of a series, so long before it, at the time of its version.

    The version is negative where it came to nothing, and another has taken its place.
    """

    __tablename__: ClassVar[str] = "reminders"

    series: str = Field(primary_key=True)
    key: str = Field(primary_key=True)  # digest of what names the appointment
    before_ms: int = Field(primary_key=True, sa_type=BigInteger)
    version: int = instant(primary_key=True)  # the appointment; one that was moved has several
    message_id: int = refers_to("messages.id", index=True)


class Order(SQLModel, table=True):
    """What a person, or Bulksend itself, ordered: written with what it changes."""

    __tablename__: ClassVar[str] = "orders"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = key()
    at: int = instant()
    author: str
    what: str
    campaign_id: int | None = refers_to("campaigns.id", default=None, index=True)
    provider: str | None = Field(default=None, index=True)
    detail: str | None = Field(default=None, sa_type=Text)
