"""The tables. They do not validate (SQLModel tables never do): values are checked before they get here.

Instants are BIGINT epoch milliseconds on both databases: a datetime written by one driver and compared as
text by the other is the classic way to claim nothing.
"""

from __future__ import annotations

from typing import ClassVar, cast

from sqlalchemy import BigInteger, Index, LargeBinary, Table, Text
from sqlmodel import Field, SQLModel

from worker.ledger.columns import instant, key, one_of, refers_to, where
from worker.states import (
    BatchState,
    CampaignState,
    Lane,
    MessageState,
    PushOutcome,
    SubmissionOutcome,
    Taking,
)

LARGEST_ID = 2**63 - 1
"""A number above it is nobody's id; SQLite's driver would not even take it."""


class Account(SQLModel, table=True):
    """What holds for a provider on every host: whether anything may leave, and why not.

    Three things close it, each by itself: a pause that ends at ``not_before``, trouble that ends when a check
    succeeds (``check_at`` is set), and an operator (``paused_by`` is set). Nothing closes it while it is
    throttled: what is marked may leave, but nothing more is leased or published.
    """

    __tablename__: ClassVar[str] = "accounts"

    provider: str = Field(primary_key=True)
    not_before: int = instant(default=0)
    reason: str | None = None  # of the pause or the trouble
    n_ambiguous: int = 0  # answers in a row that could not be read
    brake_ms: int = instant(default=0)  # pause of the brake; 0 when it is off
    trial_batch_id: int | None = instant(default=None)  # the one batch that a braked account takes
    check_at: int | None = instant(default=None)  # when it is to be checked; NULL: it is not in trouble
    check_ms: int = instant(default=0)  # between two checks
    is_refused: bool = False  # the gateway refused the account: that it answers a check is not enough
    closed_since: int | None = instant(default=None)  # the gateway takes nothing; NULL: it does
    paused_by: str | None = None
    paused_reason: str | None = None
    asked_at: int = instant(default=0)  # the last look-up of what became of requests
    account_key: str = ""  # the same for all providers of one account; empty: no worker has told it yet
    rate: str = ""  # of the settings, such as "50/s, 10000/day"; empty: no limit
    ordered_rate: str | None = None  # wins over the settings' rate; NULL: none was ordered
    rate_author: str | None = None  # who ordered it
    throttled_until: int = instant(default=0)  # no departure is possible before it
    throttled_reason: str | None = None


class Campaign(SQLModel, table=True):
    """One producer run over one recipient source, frozen at creation."""

    __tablename__: ClassVar[str] = "campaigns"
    __table_args__ = (
        one_of("state", CampaignState),
        one_of("lane", Lane),
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


class Claim(SQLModel, table=True):
    """What was sent already: a content or a key, and the newest campaign that carries it."""

    __tablename__: ClassVar[str] = "claims"

    claim: str = Field(primary_key=True)  # "content:" or "key:" and what identifies it
    campaign_id: int = refers_to("campaigns.id", index=True)
    made_at: int = instant()


class Batch(SQLModel, table=True):
    """A slice of a campaign for one provider that is due at one time: the unit in Redis.

    One counter per message state is kept in the transaction that moves the rows.
    """

    __tablename__: ClassVar[str] = "batches"
    __table_args__ = (
        one_of("state", BatchState),
        one_of("lane", Lane),
        Index("ix_batches_state_next_due_at", "state", "next_due_at"),
        Index("ix_batches_provider_lane_state_next_due_at", "provider", "lane", "state", "next_due_at"),
        Index("ix_batches_provider_follow_at", "provider", "follow_at", **where("follow_at IS NOT NULL")),
        {"sqlite_autoincrement": True},
    )

    id: int | None = key()
    campaign_id: int = refers_to("campaigns.id", index=True)
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


class Message(SQLModel, table=True):
    """One recipient's row."""

    __tablename__: ClassVar[str] = "messages"
    __table_args__ = (
        one_of("state", MessageState),
        Index("ix_messages_in_doubt", "campaign_id", **where("n_doubts > 0")),
        {"sqlite_autoincrement": True},
    )

    id: int | None = key()
    campaign_id: int = refers_to("campaigns.id", index=True)
    batch_id: int = refers_to("batches.id", index=True)
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
    leave_by: int | None = instant(default=None)
    changed_at: int = instant()
    attempts: int = 0
    group_limit: int | None = None  # most recipients in its next request, after a split
    submission_id: int | None = refers_to("submissions.id", default=None, index=True)
    provider_ref: str | None = None
    billed_parts: int | None = None  # as the gateway counted
    billed_cost: str | None = None  # exact decimal in the gateway's own unit
    code: str | None = None
    detail: str | None = Field(default=None, sa_type=Text)
    n_doubts: int = 0  # requests with it that a gateway may have accepted, and of which nobody knows
    is_doubled: bool = False  # two requests that carried it were, or may have been, accepted


class EarlierSubmission(SQLModel, table=True):
    """The submissions that carried a message before its current one."""

    __tablename__: ClassVar[str] = "earlier_submissions"

    message_id: int = refers_to("messages.id", primary_key=True)
    submission_id: int = refers_to("submissions.id", primary_key=True, index=True)


class LedgerKey(SQLModel, table=True):
    """A secret of this ledger, made with it."""

    __tablename__: ClassVar[str] = "ledger_keys"

    name: str = Field(primary_key=True)
    secret: str  # 64 hex digits


class PushedReport(SQLModel, table=True):
    """A call at our address for delivery reports, as it came; kept before anybody reads it."""

    __tablename__: ClassVar[str] = "pushed_reports"
    __table_args__ = (
        one_of("outcome", PushOutcome),
        Index("ix_pushed_reports_provider_due_at", "provider", "due_at", **where("due_at IS NOT NULL")),
        {"sqlite_autoincrement": True},
    )

    id: int | None = key()
    provider: str
    reference: str | None = None  # of the submission, as the address had it
    received_at: int = instant()
    method: str
    query: str = Field(sa_type=Text)  # raw, percent-encoded
    content_type: str
    body: bytes = Field(sa_type=LargeBinary)
    due_at: int | None = instant(default=None)  # when it is to be read; NULL: all is known of it
    read_at: int | None = instant(default=None)  # last
    outcome: str | None = None  # of that; NULL: nobody has read it yet


class ReportedMessage(SQLModel, table=True):
    """What a pushed report said of a message."""

    __tablename__: ClassVar[str] = "reported_messages"

    message_id: int = refers_to("messages.id", primary_key=True)
    push_id: int = refers_to("pushed_reports.id", primary_key=True)
    state: str
    code: str | None = None  # the gateway's own
    detail: str | None = Field(default=None, sa_type=Text)
    told_at: int | None = instant(default=None)  # by the gateway's clock


def _table(model: type[SQLModel]) -> Table:
    return cast("Table", model.__table__)  # type: ignore[attr-defined]  # SQLModel sets it at run time


ACCOUNTS = _table(Account)
CAMPAIGNS = _table(Campaign)
CLAIMS = _table(Claim)
BATCHES = _table(Batch)
SUBMISSIONS = _table(Submission)
MESSAGES = _table(Message)
EARLIER_SUBMISSIONS = _table(EarlierSubmission)
LEDGER_KEYS = _table(LedgerKey)
PUSHED_REPORTS = _table(PushedReport)
REPORTED_MESSAGES = _table(ReportedMessage)
