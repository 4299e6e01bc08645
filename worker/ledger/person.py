"""Everything that the ledger holds on one number; reads only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select

from worker.ledger.erasing import digits_of, is_of
from worker.ledger.messages import history
from worker.ledger.models import CAMPAIGNS, MESSAGES, ORDERS, PUSHED_REPORTS, REMINDERS, REPORTED_MESSAGES
from worker.ledger.traces import is_written

_LOOKED_AT = 500


def messages(connection: Connection, msisdn: str) -> Iterator[dict[str, Any]]:
    """Yield the messages to a number with their whole history, and the campaign of each, oldest first."""
    query = select(MESSAGES.c.id).where(is_of(connection, msisdn)).order_by(MESSAGES.c.id)
    for number in connection.scalars(query).all():
        found = history(connection, number)
        found["campaign"] = _campaign(connection, found["campaign_id"])
        found["reminders"] = _reminders(connection, number)
        yield found


def _campaign(connection: Connection, campaign_id: int) -> dict[str, Any]:
    names = ("id", "name", "sender", "source", "headers", "created_at")
    query = select(*(CAMPAIGNS.c[name] for name in names)).where(CAMPAIGNS.c.id == campaign_id)
    return dict(connection.execute(query).mappings().one())


def _reminders(connection: Connection, message_id: int) -> list[dict[str, Any]]:
    version = func.abs(REMINDERS.c.version).label("version")  # negative where it was put by
    query = select(REMINDERS.c.series, REMINDERS.c.before_ms, version)
    query = query.where(REMINDERS.c.message_id == message_id)
    return [dict(row) for row in connection.execute(query).mappings()]


def orders(connection: Connection, msisdn: str) -> list[dict[str, Any]]:
    """Return what was ordered about the campaigns of these messages, without who ordered it."""
    ours = select(MESSAGES.c.campaign_id).where(is_of(connection, msisdn))
    columns = [ORDERS.c[name] for name in ("at", "what", "campaign_id", "detail")]
    query = select(*columns).where(ORDERS.c.campaign_id.in_(ours)).order_by(ORDERS.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def pushes(connection: Connection, msisdn: str) -> Iterator[RowMapping]:
    """Yield the raw reports that name a number, or are of a message to it; a pass over all of them."""
    digits = digits_of(msisdn)
    ours = select(REPORTED_MESSAGES.c.push_id).join(MESSAGES, MESSAGES.c.id == REPORTED_MESSAGES.c.message_id)
    linked = set(connection.scalars(ours.where(is_of(connection, msisdn))))
    after = 0
    while True:
        query = select(PUSHED_REPORTS).where(PUSHED_REPORTS.c.id > after, is_written())
        found = connection.execute(query.order_by(PUSHED_REPORTS.c.id).limit(_LOOKED_AT)).mappings().all()
        if not found:
            return
        after = found[-1]["id"]
        for row in found:
            if row["id"] in linked or digits in row["query"] or digits.encode() in bytes(row["body"]):
                yield row
