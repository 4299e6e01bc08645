"""The tables. They do not validate (SQLModel tables never do): values are checked before they get here.

Instants are BIGINT epoch milliseconds on both databases: a datetime written by one driver and compared as
text by the other is the classic way to claim nothing.
"""

from __future__ import annotations

from typing import cast

from sqlalchemy import Table
from sqlmodel import SQLModel

from worker.ledger.models.accounts import Account, LedgerKey
from worker.ledger.models.campaigns import Batch, Campaign, Claim, Order, Reminder
from worker.ledger.models.messages import EarlierSubmission, Message, Submission
from worker.ledger.models.optouts import OptOut
from worker.ledger.models.receipts import PushedReport, ReportedMessage

LARGEST_ID = 2**63 - 1
"""A number above it is nobody's id; SQLite's driver would not even take it."""


def _table(model: type[SQLModel]) -> Table:
    return cast("Table", model.__table__)  # type: ignore[attr-defined]  # SQLModel sets it at run time


ACCOUNTS = _table(Account)
CAMPAIGNS = _table(Campaign)
CLAIMS = _table(Claim)
BATCHES = _table(Batch)
SUBMISSIONS = _table(Submission)
MESSAGES = _table(Message)
REMINDERS = _table(Reminder)
ORDERS = _table(Order)
EARLIER_SUBMISSIONS = _table(EarlierSubmission)
LEDGER_KEYS = _table(LedgerKey)
PUSHED_REPORTS = _table(PushedReport)
REPORTED_MESSAGES = _table(ReportedMessage)
OPT_OUTS = _table(OptOut)
