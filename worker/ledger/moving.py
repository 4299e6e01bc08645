"""Queued reminders move to another time, or are withdrawn: under the control lock, a few at a time.

One that is not queued now, and may come back, is marked instead: every way back ends in CANCELLED then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, delete, select, update

from worker.ledger import campaigns
from worker.ledger.campaigns import Importer
from worker.ledger.drafts import NewMessage
from worker.ledger.engine import control_lock, now_of
from worker.ledger.given import execute_given
from worker.ledger.locks import lock_batches_of
from worker.ledger.models import BATCHES, MESSAGES, REMINDERS
from worker.ledger.put_by import NAMED, in_slots
from worker.ledger.rebatching import Like, NewTimes, like, put
from worker.ledger.reminded import MAY_COME_BACK, MOVED, can_follow
from worker.ledger.reminding import Draft, named
from worker.ledger.withdrawing import recount, withdraw
from worker.states import MessageState

ROWS_AT_ONCE = 500
"""Most rows that one transaction changes."""


@dataclass(frozen=True, kw_only=True)
class Changed:
    """What was done: messages that are as their drafts now, are cancelled, may come back, or never will."""

    moved: frozenset[int]
    withdrawn: frozenset[int]
    restored: frozenset[int]
    closed: frozenset[int]


def change(  # noqa: PLR0913 - what is to be done, each kind by its name
    connection: Connection,
    importer: Importer,
    *,
    series: str,
    moves: Mapping[int, Draft],
    withdrawals: Mapping[int, str | None],
    replaced: Collection[int] = (),
) -> tuple[Importer, Changed]:
    """Move some queued reminders to time and number of their drafts, and withdraw others, at most 500 in all.

    One that is due already may be in a worker's hand, with its text: it is withdrawn too, which every mark
    obeys. What was to move and is not queued any more stays as it is.

    Args:
        connection: of an open transaction.
        importer: of the run.
        series: whose reminders they are.
        moves: message to what it is to be.
        withdrawals: message to the code that says why it is cancelled, now or when it comes back; None: it
            was called back so, and is wanted again.
        replaced: messages for which others come in their place: they are withdrawn where they are queued,
            and never retried where they came to nothing; anywhere else they are left alone.

    Returns:
        the importer's longer lease, and what was done.

    Raises:
        LedgerError: another program has the series now.
    """
    control_lock(connection, shared=False)
    renewed = campaigns.renew(connection, importer)
    ids = sorted({*moves, *withdrawals, *replaced})
    lock_batches_of(connection, ids)
    codes = {number: code for number, code in withdrawals.items() if code is not None}
    found = _queued(connection, [*moves, *codes, *replaced])
    now = now_of(connection)
    ahead = (row for row in found if row["id"] in moves and row["due_at"] > now)
    movable = [row for row in ahead if row["submission_id"] is None]  # no request ever carried it
    can_move = {row["id"]: moves[row["id"]] for row in movable}
    cancelled = {row["id"]: row["batch_id"] for row in found if row["id"] not in can_move}
    _move(connection, can_move, series=series)
    _put_apart(connection, movable, can_move, now=now)
    withdraw(connection, [(number, codes.get(number, MOVED), now) for number in cancelled])
    recount(connection, Counter(row["batch_id"] for row in found), withdrawn=Counter(cancelled.values()))
    closed = _close(connection, replaced)
    _call_back(connection, codes)
    restored = _restore(connection, withdrawals.keys() - codes.keys())
    return renewed, Changed(
        moved=frozenset(can_move),
        withdrawn=frozenset(cancelled),
        restored=frozenset(restored),
        closed=frozenset(closed),
    )


def _queued(connection: Connection, ids: Sequence[int]) -> Sequence[RowMapping]:
    """Return those of some messages that are queued, locked, with what new batches of them need."""
    columns = [MESSAGES.c[name] for name in ("id", "campaign_id", "batch_id", "due_at", "submission_id")]
    columns += [BATCHES.c[name] for name in ("provider", "lane", "reason")]
    query = (
        select(*columns, BATCHES.c.state.label("batch_state"))
        .join(BATCHES, BATCHES.c.id == MESSAGES.c.batch_id)
        .where(MESSAGES.c.id.in_(ids), MESSAGES.c.state == MessageState.QUEUED)
    )
    return connection.execute(query.order_by(MESSAGES.c.id).with_for_update(of=MESSAGES)).mappings().all()


_NEW = {
    "message": "bigint",
    "number": "text",
    "country": "text",
    "words": "text",
    "alphabet": "text",
    "n_parts": "int",
    "micros": "bigint",
    "money": "text",
    "other_micros": "bigint",
    "other_money": "text",
    "row_cells": "text",
}


def _move(connection: Connection, drafts: Mapping[int, Draft], *, series: str) -> None:
    rows = [named(draft, number, series=series) for number, draft in drafts.items()]
    _make_way(connection, rows)
    execute_given(
        connection,
        "UPDATE reminders SET version = given.instant FROM given WHERE reminders.message_id = given.message",
        columns=NAMED,
        rows=rows,
    )
    execute_given(
        connection,
        "UPDATE messages SET msisdn = given.number, region = given.country, text = given.words, "
        "encoding = given.alphabet, parts = given.n_parts, price_micros = given.micros, "
        "currency = given.money, fallback_micros = given.other_micros, "
        "fallback_currency = given.other_money, cells = given.row_cells FROM given "
        "WHERE messages.id = given.message",
        columns=_NEW,
        rows=[_moved(number, draft.message) for number, draft in drafts.items()],
    )


def _put_apart(
    connection: Connection, rows: Sequence[RowMapping], drafts: Mapping[int, Draft], *, now: int
) -> None:
    """Give moved messages their times, in new batches: no worker had these, so their start can be missed."""
    groups: dict[int, dict[Like, list[tuple[int, NewTimes]]]] = {}
    for row in rows:
        new = _times(drafts[row["id"]].message, now=now)
        ours = groups.setdefault(row["campaign_id"], {})
        ours.setdefault(like(row, new), []).append((row["id"], new))
    for campaign_id, ours in sorted(groups.items()):
        put(connection, campaign_id, ours)


def _times(message: NewMessage, *, now: int) -> NewTimes:
    return NewTimes(
        due_at=now if message.due_at is None else message.due_at,
        leave_by=message.leave_by,
        expires_at=message.expires_at,
        zones=message.zones,
    )


def _make_way(connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    """Forget what was withdrawn at the versions that others now move to."""
    cancelled = (
        "reminders.version = given.instant "
        "JOIN messages ON messages.id = reminders.message_id AND messages.state = 'cancelled'"
    )
    former = in_slots(connection, rows, cancelled)
    connection.execute(delete(REMINDERS).where(REMINDERS.c.message_id.in_(former)))


def _moved(message_id: int, message: NewMessage) -> tuple[object, ...]:
    """Give the cells of a moved message in the order of ``_NEW``."""
    return (
        message_id,
        message.msisdn,
        message.region,
        message.text,
        message.encoding,
        message.parts,
        message.price_micros,
        message.currency,
        message.fallback_micros,
        message.fallback_currency,
        message.cells,
    )


def _close(connection: Connection, message_ids: Collection[int]) -> Sequence[int]:
    """Let nobody retry those of some messages that another may follow; return which."""
    closed = update(MESSAGES).where(MESSAGES.c.id.in_(message_ids), can_follow()).values(withdrawn=MOVED)
    return connection.scalars(closed.returning(MESSAGES.c.id)).all()


def _call_back(connection: Connection, codes: Mapping[int, str]) -> None:
    """Let messages that are on some way be cancelled if they come back."""
    for code in sorted(set(codes.values())):
        ours = MESSAGES.c.id.in_([number for number, each in codes.items() if each == code])
        away = MESSAGES.c.state.in_(MAY_COME_BACK)
        connection.execute(update(MESSAGES).where(ours, away).values(withdrawn=code))


def _restore(connection: Connection, message_ids: Collection[int]) -> Sequence[int]:
    """Let messages come back that were called back; return which were not cancelled yet."""
    ours = MESSAGES.c.id.in_(message_ids), MESSAGES.c.state != MessageState.CANCELLED
    restored = update(MESSAGES).where(*ours).values(withdrawn=None)
    return connection.scalars(restored.returning(MESSAGES.c.id)).all()
