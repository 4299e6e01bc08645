"""What is removed with the texts and numbers of messages: words of gateways, reminders, raw reports.

Left are counts, states, parts, prices, times, codes and the ids by which a gateway can be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, or_, select, update

from worker.ledger.models import (
    CAMPAIGNS,
    EARLIER_SUBMISSIONS,
    MESSAGES,
    PUSHED_REPORTS,
    REMINDERS,
    REPORTED_MESSAGES,
    SUBMISSIONS,
)

ROWS_AT_ONCE: Final = 300
"""Messages that one transaction goes through well within SQLite's 50 ms."""

_PUSHES_AT_ONCE: Final = 500

BARE: Final = {"text": None, "cells": None, "detail": None, "zones": None}
"""What a message has no more, as values of SQL; its number is another matter."""


def remove_around(connection: Connection, message_ids: Sequence[int]) -> None:
    """Remove what was said of some messages, and which appointment they were of."""
    connection.execute(delete(REMINDERS).where(REMINDERS.c.message_id.in_(message_ids)))
    told = REPORTED_MESSAGES.c.message_id.in_(message_ids), REPORTED_MESSAGES.c.detail.is_not(None)
    connection.execute(update(REPORTED_MESSAGES).where(*told).values(detail=None))
    current = select(MESSAGES.c.submission_id).where(MESSAGES.c.id.in_(message_ids))
    earlier = select(EARLIER_SUBMISSIONS.c.submission_id).where(
        EARLIER_SUBMISSIONS.c.message_id.in_(message_ids)
    )
    carried = or_(SUBMISSIONS.c.id.in_(current), SUBMISSIONS.c.id.in_(earlier))
    worded = update(SUBMISSIONS).where(carried, SUBMISSIONS.c.detail.is_not(None))
    connection.execute(worded.values(detail=None))


def bare_campaign() -> dict[str, object]:
    """Give, as values of SQL, what a campaign has no more."""
    return {CAMPAIGNS.c.text.name: None, "template": "", "headers": None, "reading": "{}"}


# --- raw reports


def is_written() -> ColumnElement[bool]:
    """Say, as SQL, that a pushed report is still there as it came."""
    return (PUSHED_REPORTS.c.query != "") | (func.length(PUSHED_REPORTS.c.body) > 0)


def go_through_pushes(
    connection: Connection,
    after: int,
    *conditions: ColumnElement[bool],
    change: Callable[[RowMapping], dict[str, object] | None],
) -> tuple[int, int | None]:
    """Change some pushed reports; return how many, and the id from which to go on, None at the end.

    Args:
        connection: of an open transaction.
        after: an id; 0 at first.
        conditions: which are meant.
        change: gives the new values of a report: ``query``, ``body``, ``due_at``; None leaves it.
    """
    columns = [PUSHED_REPORTS.c[name] for name in ("id", "query", "body", "due_at")]
    meant = PUSHED_REPORTS.c.id > after, is_written(), *conditions
    query = select(*columns).where(*meant).order_by(PUSHED_REPORTS.c.id).limit(_PUSHES_AT_ONCE)
    found = connection.execute(query).mappings().all()
    n_changed = 0
    for row in found:
        values = change(row)
        if values is not None:
            connection.execute(
                update(PUSHED_REPORTS).where(PUSHED_REPORTS.c.id == row["id"]).values(**values)
            )
            n_changed += 1
    return n_changed, found[-1]["id"] if found else None
