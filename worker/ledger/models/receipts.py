"""Delivery reports: as they came, and what they said."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import Index, LargeBinary, Text
from sqlmodel import Field, SQLModel

from worker.ledger.columns import instant, key, one_of, refers_to, where
from worker.states import PushOutcome


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
