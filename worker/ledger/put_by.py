"""Reminders that came to nothing make way for others of their version, and come back if these are discarded.

Such a reminder is kept at the negative version: until the new one is released, nothing else in the ledger
says of what it takes the place.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Select, and_, delete, select, update

from worker.ledger.given import execute_given
from worker.ledger.models import REMINDERS

NAMED = {  # a reminder with its message
    "named": "text",
    "digest": "text",
    "offset_ms": "bigint",
    "instant": "bigint",
    "message": "bigint",
}
_SAME_SLOT = (  # joins ``NAMED`` rows with all versions of theirs
    "FROM given JOIN reminders ON reminders.series = given.named AND reminders.key = given.digest "
    "AND reminders.before_ms = given.offset_ms "
)


def in_slots(connection: Connection, rows: Sequence[tuple[object, ...]], condition: str) -> Sequence[int]:
    """Return the messages in the slots of some ``NAMED`` reminders for which a condition, in SQL, holds."""
    query = f"SELECT reminders.message_id {_SAME_SLOT} AND {condition}"
    return execute_given(connection, query, columns=NAMED, rows=rows).scalars().all()


def put_by(connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    """Put by what was closed at the versions of some ``NAMED`` reminders, instead of what was before."""
    former = in_slots(connection, rows, "reminders.version = -given.instant")
    connection.execute(delete(REMINDERS).where(REMINDERS.c.message_id.in_(former)))
    closed = (
        "reminders.version = given.instant "
        "JOIN messages ON messages.id = reminders.message_id AND messages.state IN ('rejected', 'failed') "
        "AND messages.n_doubts = 0 AND messages.withdrawn IS NOT NULL"
    )
    _turn(connection, in_slots(connection, rows, closed))


def take_back(connection: Connection, message_ids: Select[tuple[int]]) -> None:
    """Forget the reminders of messages that are discarded; what made way for them stands again."""
    ours = REMINDERS.alias()
    same = [ours.c[name] == REMINDERS.c[name] for name in ("series", "key", "before_ms")]
    query = select(REMINDERS.c.message_id).join(ours, and_(ours.c.version == -REMINDERS.c.version, *same))
    former = query.where(ours.c.message_id.in_(message_ids), REMINDERS.c.version < 0)
    standing = connection.scalars(former).all()
    connection.execute(delete(REMINDERS).where(REMINDERS.c.message_id.in_(message_ids)))
    _turn(connection, standing)


def _turn(connection: Connection, message_ids: Sequence[int]) -> None:
    ours = REMINDERS.c.message_id.in_(message_ids)
    connection.execute(update(REMINDERS).where(ours).values(version=-REMINDERS.c.version))
