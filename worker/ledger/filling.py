"""Filling a campaign: batches with their messages, many at a time, at ten times the rate of the ORM."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from sqlalchemy import Connection, insert

from worker.ledger.drafts import NewMessage
from worker.ledger.models import BATCHES
from worker.states import MessageState

_COLUMNS = (
    "campaign_id",
    "batch_id",
    "line",
    "msisdn",
    "region",
    "text",
    "encoding",
    "parts",
    "price_micros",
    "currency",
    "fallback_micros",
    "fallback_currency",
    "state",
    "due_at",
    "leave_by",
    "expires_at",
    "zones",
    "cells",
    "changed_at",
    "attempts",
)


_ROWS_A_STATEMENT = 999 // len(_COLUMNS)
"""What costs a statement of SQLite is shared; no build of it takes fewer variables."""

_QUEUED = MessageState.QUEUED.value  # looked up once


def write_batches(
    connection: Connection,
    batches: Sequence[Sequence[NewMessage]],
    shared: Mapping[str, Any],
    *,
    may_hop: bool,
    now: int,
) -> None:
    """Write batches with their messages; ``shared`` are columns that all of these batches have alike."""
    number = int(shared["campaign_id"])
    made = insert(BATCHES).returning(BATCHES.c.id, sort_by_parameter_order=True)
    ids = connection.scalars(made, [{**shared, **_batch(messages, now=now)} for messages in batches]).all()
    _insert(
        connection,
        (
            _row(number, batch_id, now, message, may_hop=may_hop)
            for batch_id, messages in zip(ids, batches, strict=True)
            for message in messages
        ),
    )


def _batch(messages: Sequence[NewMessage], *, now: int) -> dict[str, int | None]:
    """Give what a batch says of its messages."""
    ends = (message.leave_by for message in messages if message.leave_by is not None)
    return {
        "next_due_at": min(now if message.due_at is None else message.due_at for message in messages),
        "leave_by": min(ends, default=None),
        "queued": len(messages),
    }


def _row(
    campaign_id: int, batch_id: int, now: int, message: NewMessage, *, may_hop: bool
) -> tuple[object, ...]:
    return (
        campaign_id,
        batch_id,
        message.line,
        message.msisdn,
        message.region,
        message.text,
        message.encoding,
        message.parts,
        message.price_micros,
        message.currency,
        message.fallback_micros if may_hop else None,
        message.fallback_currency if may_hop else None,
        _QUEUED,
        now if message.due_at is None else message.due_at,
        message.leave_by,
        message.expires_at,
        message.zones,
        message.cells,
        now,
        0,
    )


def _insert(connection: Connection, rows: Iterator[tuple[object, ...]]) -> None:
    """Write many messages, at ten times the rate of the ORM: COPY on Postgres, many a statement on SQLite."""
    names = ", ".join(_COLUMNS)
    if connection.dialect.name == "postgresql":
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY messages ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    else:
        marks = f"({', '.join('?' * len(_COLUMNS))})"
        while some := list(islice(rows, _ROWS_A_STATEMENT)):
            values = ", ".join([marks] * len(some))
            cells = tuple(chain.from_iterable(some))
            connection.exec_driver_sql(f"INSERT INTO messages ({names}) VALUES {values}", cells)  # noqa: S608 - constants
