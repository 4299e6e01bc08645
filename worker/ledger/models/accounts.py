"""What holds for an account on every host, and what belongs to the ledger itself."""

from __future__ import annotations

from typing import ClassVar

from sqlmodel import Field, SQLModel

from worker.ledger.columns import instant


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


class LedgerKey(SQLModel, table=True):
    """A secret of this ledger, made with it."""

    __tablename__: ClassVar[str] = "ledger_keys"

    name: str = Field(primary_key=True)
    secret: str  # 64 hex digits
