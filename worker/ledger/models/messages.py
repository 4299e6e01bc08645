"""Messages and the requests that carried them."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field, SQLModel

from worker.ledger.columns import instant, key, one_of, refers_on, refers_to, where
from worker.states import MessageState, SubmissionOutcome, Taking

_ITS_BATCH = (  # on Postgres triggers see to it, see migration 0013
    refers_on("sqlite", {"campaign_id": "campaigns.id"}),
    refers_on("sqlite", {"batch_id": "batches.id"}),
)


class Message(SQLModel, table=True):
    """One recipient's row."""

    __tablename__: ClassVar[str] = "messages"
    __table_args__ = (
        one_of("state", MessageState),
        *_ITS_BATCH,
        Index("ix_messages_submission_id", "submission_id", **where("submission_id IS NOT NULL")),
        Index("ix_messages_in_doubt", "campaign_id", **where("n_doubts > 0")),
        {"sqlite_autoincrement": True},
    )

    id: int | None = key()
    campaign_id: int = Field(sa_type=BigInteger, index=True)
    batch_id: int = Field(sa_type=BigInteger, index=True)
    line: int  # of the recipient file
    msisdn: str = Field(index=True)
    region: str
    text: str | None = Field(default=None, sa_type=Text)  # None: the campaign's
    encoding: str
    parts: int
    price_micros: int | None = Field(default=None, sa_type=BigInteger)  # of all parts, 1e-6 of the currency
    currency: str | None = None
    fallback_micros: int | None = Field(default=None, sa_type=BigInteger)  # of all parts, at the fallback
    fallback_currency: str | None = None
    state: str = MessageState.QUEUED
    due_at: int = instant()
    leave_by: int | None = instant(default=None)  # the end of its window or of its validity
    expires_at: int | None = instant(default=None)  # the end of its validity; NULL: it has none
    zones: str | None = None  # of its recipient, with commas; NULL: no window, or the campaign's zone
    changed_at: int = instant()
    attempts: int = 0
    group_limit: int | None = None  # most recipients in its next request, after a split
    submission_id: int | None = refers_to("submissions.id", default=None)
    provider_ref: str | None = None
    billed_parts: int | None = None  # as the gateway counted
    billed_cost: str | None = None  # exact decimal in the gateway's own unit
    code: str | None = None
    detail: str | None = Field(default=None, sa_type=Text)
    n_doubts: int = 0  # requests with it that a gateway may have accepted, and of which nobody knows
    withdrawn: str | None = None  # why it is not to leave any more, wherever it is now; NULL: it may
    is_doubled: bool = False  # two requests that carried it were, or may have been, accepted
    cells: str | None = Field(default=None, sa_type=Text)  # JSON array: its row as it was written


class Submission(SQLModel, table=True):
    """One HTTP request to a gateway, carrying one or more messages."""

    __tablename__: ClassVar[str] = "submissions"
    __table_args__ = (
        one_of("outcome", SubmissionOutcome),
        one_of("taken", Taking),
        Index("ix_submissions_provider_started_at", "provider", "started_at"),
        Index("ix_submissions_provider_ref", "provider_ref", **where("provider_ref <> reference")),
        {"sqlite_autoincrement": True},
    )

    id: int | None = key()
    reference: str = Field(unique=True)
    provider: str
    login: str | None = None  # at which gateway, by a digest; NULL: of an older Bulksend, nobody knows
    batch_id: int = refers_to("batches.id", index=True)
    fence: int = Field(sa_type=BigInteger)
    attempt: int  # the highest of its messages
    n_messages: int
    cost: int  # parts, as the throttle counts
    started_at: int = instant()  # when it was marked, a moment before it leaves
    ended_at: int | None = instant(default=None)
    outcome: str = SubmissionOutcome.OPEN
    provider_ref: str | None = None
    code: str | None = None
    detail: str | None = Field(default=None, sa_type=Text)
    asked_at: int | None = instant(default=None)  # when the gateway was last asked about it
    missing_at: int | None = instant(default=None)  # when it last said, as proof, that it never had it
    n_missing: int = 0  # how often it said so
    taking_at: int | None = instant(default=None)  # when the wish to have it back was last told, or tried
    taken: str | None = None  # what became of that; NULL: it was never told


class EarlierSubmission(SQLModel, table=True):
    """The submissions that carried a message before its current one."""

    __tablename__: ClassVar[str] = "earlier_submissions"

    message_id: int = refers_to("messages.id", primary_key=True)
    submission_id: int = refers_to("submissions.id", primary_key=True, index=True)
