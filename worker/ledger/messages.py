"""One message's whole history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, func, select

from worker.errors import InputError
from worker.ledger.models import (
    CAMPAIGNS,
    EARLIER_SUBMISSIONS,
    LARGEST_ID,
    MESSAGES,
    PUSHED_REPORTS,
    REPORTED_MESSAGES,
    SUBMISSIONS,
)
from worker.states import PROVEN
from worker.text.targets import kind_of


def history(connection: Connection, message_id: int) -> dict[str, Any]:
    """Return a message with the text it carries, its submissions and its pushed reports, oldest first.

    Raises:
        InputError: there is no such message.
    """
    query = (
        select(MESSAGES, func.coalesce(MESSAGES.c.text, CAMPAIGNS.c.text).label("whole_text"))
        .join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
        .where(MESSAGES.c.id == min(message_id, LARGEST_ID))
    )
    found = connection.execute(query).mappings().one_or_none()
    if found is None:
        raise InputError(f"There is no message {message_id}", code="no_such_message")
    row = {**found, "text": found["whole_text"]}
    del row["whole_text"]
    return {
        **row,
        "submissions": _submissions(connection, message_id, row["submission_id"]),
        "reports": _reports(connection, row["id"]),
    }


def _submissions(connection: Connection, message_id: int, current: int | None) -> list[dict[str, Any]]:
    earlier = select(EARLIER_SUBMISSIONS.c.submission_id).where(
        EARLIER_SUBMISSIONS.c.message_id == message_id
    )
    query = select(SUBMISSIONS).where((SUBMISSIONS.c.id == current) | SUBMISSIONS.c.id.in_(earlier))
    return [dict(row) for row in connection.execute(query.order_by(SUBMISSIONS.c.id)).mappings()]


def _reports(connection: Connection, message_id: int) -> list[dict[str, Any]]:
    said = (REPORTED_MESSAGES.c[name] for name in ("state", "code", "detail", "told_at"))
    query = (
        select(PUSHED_REPORTS.c.received_at, *said)
        .join(PUSHED_REPORTS, PUSHED_REPORTS.c.id == REPORTED_MESSAGES.c.push_id)
        .where(REPORTED_MESSAGES.c.message_id == message_id)
        .order_by(PUSHED_REPORTS.c.id)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def of_campaign(connection: Connection, campaign_id: int, *, limit: int) -> list[dict[str, Any]]:
    """Return the first messages of a campaign."""
    names = ("id", "msisdn", "parts", "price_micros", "currency", "state", "code", "detail")
    query = select(*(MESSAGES.c[name] for name in names)).where(MESSAGES.c.campaign_id == campaign_id)
    found = connection.execute(query.order_by(MESSAGES.c.id).limit(limit))
    return [dict(row) for row in found.mappings()]


def resolve(connection: Connection, written: str) -> int:
    """Return the id that was written, or the newest message to a number with its plus, or to a group.

    Raises:
        InputError: it is neither, or nothing was ever sent to the number.
    """
    if written.isascii() and written.isdigit():
        return int(written[:20])  # more digits than an id has are nobody's id, and int() refuses thousands
    if not (written.startswith("+") or kind_of(written)):
        raise InputError("Write a message's id, or a number with its plus", code="no_such_message")
    query = select(func.max(MESSAGES.c.id)).where(MESSAGES.c.msisdn == written)
    found: int | None = connection.scalar(query)
    if found is None:
        raise InputError("There is no message to this number", code="no_such_message")
    return found


def accepted(connection: Connection) -> Iterator[tuple[str, str, int]]:
    """Yield number, text and parts of every message that a gateway has."""
    query = (
        select(MESSAGES.c.msisdn, func.coalesce(MESSAGES.c.text, CAMPAIGNS.c.text), MESSAGES.c.parts)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
        .where(MESSAGES.c.state.in_(sorted(PROVEN)))
        .order_by(MESSAGES.c.id)
    )
    for msisdn, text, parts in connection.execute(query):
        yield msisdn, text, int(parts)
