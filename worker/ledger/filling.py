"""Filling a campaign: batches with their messages, many at a time, at ten times the rate of the ORM."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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


_NAMES = ", ".join(_COLUMNS)
_ROWS_A_STATEMENT = 999 // len(_COLUMNS)
"""What costs a statement of SQLite is shared; no build of it takes fewer variables."""

_Cells = tuple[object, ...]
_QUEUED = MessageState.QUEUED.value  # looked up once


def nothing() -> None:
    """Do nothing meanwhile."""


def write_batches(  # noqa: PLR0913 - what the batches share, and what their messages do
    connection: Connection,
    batches: Sequence[Sequence[NewMessage]],
    shared: Mapping[str, Any],
    *,
    may_hop: bool,
    now: int,
    meanwhile: Callable[[], None] = nothing,
) -> None:
    """Write batches with their messages.

    Args:
        connection: of an open transaction.
        batches: the messages of each.
        shared: columns that all of these batches have alike.
        may_hop: whether the messages may go on to a fallback.
        now: the database's clock, in epoch milliseconds.
        meanwhile: is called after each batch that is on its way to a database that works beside us, and has
            more to do with it than we had.
    """
    number = int(shared["campaign_id"])
    made = insert(BATCHES).returning(BATCHES.c.id, sort_by_parameter_order=True)
    ids = connection.scalars(made, [{**shared, **_batch(messages, now=now)} for messages in batches]).all()
    rows = (
        [_row(number, batch_id, now, message, may_hop=may_hop) for message in messages]
        for batch_id, messages in zip(ids, batches, strict=True)
    )
    if connection.dialect.name == "postgresql":
        _copy(connection, rows, meanwhile=meanwhile)
    else:
        _insert(connection, chain.from_iterable(rows))


def _batch(messages: Sequence[NewMessage], *, now: int) -> dict[str, int | None]:
    """Give what a batch says of its messages."""
    ends = (message.leave_by for message in messages if message.leave_by is not None)
    return {
        "next_due_at": min(now if message.due_at is None else message.due_at for message in messages),
        "leave_by": min(ends, default=None),
        "queued": len(messages),
    }


def _row(campaign_id: int, batch_id: int, now: int, message: NewMessage, *, may_hop: bool) -> _Cells:
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


def _copy(
    connection: Connection, batches: Iterable[Sequence[_Cells]], *, meanwhile: Callable[[], None]
) -> None:
    """Write the rows of batches with Postgres' COPY."""
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY messages ({_NAMES}) FROM STDIN") as copy:
        for rows in batches:
            for row in rows:
                copy.write_row(row)
            meanwhile()


def _insert(connection: Connection, rows: Iterator[_Cells]) -> None:
    """Write rows into SQLite, many a statement."""
    marks = f"({', '.join('?' * len(_COLUMNS))})"
    while some := list(islice(rows, _ROWS_A_STATEMENT)):
        values = ", ".join([marks] * len(some))
        cells = tuple(chain.from_iterable(some))
        connection.exec_driver_sql(f"INSERT INTO messages ({_NAMES}) VALUES {values}", cells)  # noqa: S608 - constants
