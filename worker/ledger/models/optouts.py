"""Who wants no messages, and of what kind."""

from __future__ import annotations

from typing import ClassVar

from sqlmodel import Field, SQLModel

from worker.ledger.columns import instant, one_of
from worker.states import OptOutSource


class OptOut(SQLModel, table=True):
    """One number that wants nothing of one scope; it is known by a digest, which needs the ledger's key.

    A scope is ``all``, ``purpose:NAME`` or ``sender:NAME`` in lower case. What has ended stays, so that an
    older list does not bring it back.
    """

    __tablename__: ClassVar[str] = "opt_outs"
    __table_args__ = (one_of("source", OptOutSource),)

    digest: str = Field(primary_key=True)  # 64 hex digits
    scope: str = Field(primary_key=True)
    msisdn: str | None = None  # NULL: only the digest is kept
    source: str
    provider: str | None = None  # whose gateway told of it
    at: int = instant()  # since when
    noted_at: int = instant()  # by this ledger
    ended_at: int | None = instant(default=None)  # NULL: it holds
