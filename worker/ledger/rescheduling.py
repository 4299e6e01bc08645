"""Queued messages of a campaign go to another time: paused meanwhile, batch by batch, each into new batches.

What was ordered is kept with the campaign until all is moved. A batch that was there when it was ordered, and
still holds queued messages, is still to be moved: so an interrupted order is finished, by whom it may be.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, RowMapping, ScalarSelect, func, select, update

from worker.errors import InputError
from worker.ledger import orders
from worker.ledger.batches import lock_some
from worker.ledger.control import refusal
from worker.ledger.engine import control_lock, now_ms, now_of
from worker.ledger.half_moved import (
    AGAIN,
    REPEATED_WITHIN_MS,
    Begun,
    Wish,
    begun_of,
    finish,
    is_repeat,
    is_under_way,
    keep,
    without_it,
)
from worker.ledger.letting import is_let_in
from worker.ledger.models import BATCHES, CAMPAIGNS, ORDERS
from worker.ledger.rebatching import NewTimes, Placed, rebatch
from worker.ledger.reports import stored_id
from worker.states import BatchState, CampaignState
from worker.text.counting import counted

RESCHEDULE = "reschedule"
RESCHEDULED = "rescheduled"
"""The order, as the audit names it; ``rescheduled`` is its end."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What became of an order: messages moved, and whether the campaign goes on."""

    moved: int
    is_running: bool


def begin(connection: Connection, campaign_id: int, wish: Wish | None, *, author: str) -> Begun:
    """Pause a campaign for its messages to be moved, or go on with an order that was interrupted.

    That is meant by no wish, and by the same words soon after it. While the campaign waits for it, any other
    wish is refused; one that was resumed meanwhile has given up what was interrupted.

    Raises:
        InputError: there is no such campaign, it is over, nothing of it is queued, its gateway or its series
            keeps its times, an order was interrupted that is to be finished first, or none was, or the same
            was done within the hour.
    """
    row = _locked(connection, campaign_id)
    _require_movable(connection, campaign_id, row, wish)
    former = begun_of(row)
    if former is not None and (wish is None or is_repeat(former, wish, now=now_of(connection))):
        begun = replace(former, is_given_up=False, is_finished=True)
    elif wish is None:
        raise InputError(
            f"No order to reschedule campaign {campaign_id} was interrupted: give --at or --by",
            code="nothing_to_finish",
        )
    else:
        begun = _new(connection, campaign_id, row, wish, former=former, author=author)
    if row["state"] == CampaignState.RUNNING:
        begun = replace(begun, was_running=True)
        reason = f"{orders.RESCHEDULING}; if that was interrupted, `{finish(campaign_id)}` goes on"
        paused = {"state": CampaignState.PAUSED, "reason": reason, "author": author}
        connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id).values(paused))
    keep(connection, campaign_id, begun)
    return begun


def _new(  # noqa: PLR0913 - an order, and what it may take the place of
    connection: Connection,
    campaign_id: int,
    row: RowMapping,
    wish: Wish,
    *,
    former: Begun | None,
    author: str,
) -> Begun:
    if former is not None and is_under_way(row):
        who = f" of {former.author}" if former.author else ""
        raise InputError(
            f"Campaign {campaign_id} is half-way through `reschedule {former.wish.words}`{who}, "
            f"{former.moved} of {counted(former.n, 'message')}: first finish that with "
            f"`{finish(campaign_id)}`",
            code="unfinished",
        )
    if former is not None:
        detail = f"given up at {former.moved} of {counted(former.n, 'message')}: the campaign was resumed"
        orders.note(connection, RESCHEDULED, author=author, campaign_id=campaign_id, detail=detail)
    else:
        _require_no_repeat(connection, campaign_id, wish)
    begun = _first(connection, campaign_id, row, wish)
    orders.note(connection, RESCHEDULE, author=author, campaign_id=campaign_id, detail=wish.noted)
    return replace(begun, at=now_of(connection), author=author, given_up=former)


def _require_no_repeat(connection: Connection, campaign_id: int, wish: Wish) -> None:
    """Refuse what was done already: whoever lost sight of its end asks for it again."""
    if not wish.adds_up:
        return
    soon = ORDERS.c.at > now_ms() - REPEATED_WITHIN_MS
    same = ORDERS.c.detail.in_([wish.words, wish.words + AGAIN])
    ours = ORDERS.c.campaign_id == campaign_id, ORDERS.c.what == RESCHEDULE, same
    author = connection.scalar(
        select(ORDERS.c.author).where(*ours, soon).order_by(ORDERS.c.id.desc()).limit(1)
    )
    if author is not None:
        raise InputError(
            f"Campaign {campaign_id} was rescheduled {wish.words} by {author} within the last hour: see "
            f"`bulksend campaign show {campaign_id}`; --again moves it by as much once more",
            code="done_already",
        )


def move_some(
    connection: Connection,
    campaign_id: int,
    times: Callable[[Placed], NewTimes],
    *,
    order: Begun | None = None,
) -> int | None:
    """Move the queued messages of a batch, or of some small ones; return how many, None when all are moved.

    Args:
        connection: of an open transaction.
        campaign_id: of what.
        times: by the order.
        order: as it was begun; None: whichever there is.

    Raises:
        InputError: it was resumed or cancelled meanwhile, or another order has taken the place of this one.
    """
    row = _locked(connection, campaign_id)
    begun = begun_of(row)
    if begun is None:
        return None
    _require_same(begun, order)
    if not is_under_way(row):
        what = "was resumed" if begun.is_given_up else f"is {row['state']}"
        raise InputError(
            f"Campaign {campaign_id} {what} meanwhile: {begun.n - begun.moved} of "
            f"{counted(begun.n, 'message')} were not moved",
            code="wrong_state",
        )
    batch_ids = lock_some(connection, *_is_left(campaign_id), BATCHES.c.id <= begun.boundary)
    if not batch_ids:
        return None
    n = rebatch(connection, campaign_id, batch_ids, times, first=begun.moved)
    keep(connection, campaign_id, replace(begun, moved=begun.moved + n))
    return n


def _require_same(begun: Begun, order: Begun | None) -> None:
    if order is not None and (begun.at, begun.wish.words) != (order.at, order.wish.words):
        raise InputError(
            f"Campaign {begun.campaign_id} was resumed meanwhile, and `reschedule {begun.wish.words}` "
            f"ordered: {begun.n - begun.moved} of {counted(begun.n, 'message')} are moved by that",
            code="wrong_state",
        )


def end(connection: Connection, campaign_id: int, *, author: str, order: Begun | None = None) -> Ended | None:
    """Let a campaign go on whose messages are all moved, if it ran before.

    None when one came back from the gateway after the last look: that is to be moved too.

    Raises:
        InputError: another order has taken the place of this one.
    """
    row = _locked(connection, campaign_id)
    begun = begun_of(row)
    if begun is not None:
        _require_same(begun, order)
    if begun is not None and is_under_way(row) and _is_unmoved(connection, begun):
        return None
    values: dict[str, object] = {"reading": json.dumps(without_it(row), sort_keys=True)}
    if begun is not None and begun.moved == _n_messages(row):  # so nothing of it has left
        values["due_at"] = func.coalesce(_first_due(campaign_id), CAMPAIGNS.c.due_at)
    if begun is not None:
        if begun.was_running and orders.is_paused_for_it(
            row["state"], row["reason"]
        ):  # not by a person since
            running = {"state": CampaignState.RUNNING, "reason": None, "author": None}
            values |= {**running, "served_at": now_ms()}
        detail = counted(begun.moved, "message")
        orders.note(connection, RESCHEDULED, author=author, campaign_id=campaign_id, detail=detail)
    connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id).values(values))
    is_running = values.get("state", row["state"]) == CampaignState.RUNNING
    return Ended(moved=begun.moved if begun else 0, is_running=is_running)


def _is_unmoved(connection: Connection, begun: Begun) -> bool:
    query = select(BATCHES.c.id).where(*_is_left(begun.campaign_id), BATCHES.c.id <= begun.boundary)
    return connection.execute(query.limit(1)).one_or_none() is not None


def _n_messages(row: RowMapping) -> int:
    return int(row["n_rows"] - row["n_duplicates"] - row["n_refused"] - row["n_skipped"])


def _first_due(campaign_id: int) -> ScalarSelect[int]:
    """Select when the first open batch of a campaign is due, by its index."""
    ours = BATCHES.c.campaign_id == campaign_id, BATCHES.c.state == BatchState.OPEN, BATCHES.c.queued > 0
    first = select(BATCHES.c.next_due_at).where(*ours).order_by(BATCHES.c.next_due_at)
    return first.limit(1).scalar_subquery()


def _locked(connection: Connection, campaign_id: int) -> RowMapping:
    """Return a campaign that nobody else changes until we have committed, while nobody marks."""
    control_lock(connection, shared=False)
    query = select(CAMPAIGNS).where(CAMPAIGNS.c.id == stored_id(campaign_id)).with_for_update()
    found = connection.execute(query).mappings().one_or_none()
    if found is None:
        raise refusal(connection, campaign_id, "rescheduled")  # which says that there is none
    return found


def _require_movable(connection: Connection, campaign_id: int, row: RowMapping, wish: Wish | None) -> None:
    if row["state"] not in {CampaignState.RUNNING, CampaignState.PAUSED}:
        raise refusal(connection, campaign_id, "rescheduled")
    if row["leaves_at"] is not None:
        raise InputError(
            f"Campaign {campaign_id} was given to the gateway's own schedule: take it back with "
            f"`bulksend campaign cancel {campaign_id}`, and send it again for the new time",
            code="kept_by_gateway",
        )
    if row["series"] is not None:
        raise InputError(
            f"Campaign {campaign_id} holds reminders, which leave by their appointments: correct these in "
            "their file, and give `bulksend remind` again",
            code="reminders",
        )
    if wish and wish.is_start and (json.loads(row["reading"]).get("timing") or {}).get("column"):
        raise InputError(
            f"Each message of campaign {campaign_id} has its own time, from its row: move them with --by",
            code="own_times",
        )


def _first(connection: Connection, campaign_id: int, row: RowMapping, wish: Wish) -> Begun:
    ours = BATCHES.c.campaign_id == campaign_id, is_let_in()
    query = select(func.max(BATCHES.c.id), func.sum(BATCHES.c.queued)).where(*ours)
    boundary, n = connection.execute(query).one()
    if not n:
        raise InputError(
            f"Nothing of campaign {campaign_id} is queued: all of it has left, or has ended",
            code="nothing_queued",
        )
    return Begun(
        campaign_id=campaign_id,
        wish=wish,
        boundary=int(boundary),
        n=int(n),
        moved=0,
        was_running=False,
        windows=row["windows"],
        zone=row["zone"],
        reading=json.loads(row["reading"]),
    )


def _is_left(campaign_id: int) -> tuple[ColumnElement[bool], ...]:
    """Say, as SQL, that a batch of the campaign has queued messages that are let in."""
    ours = BATCHES.c.campaign_id == stored_id(campaign_id), is_let_in()
    return *ours, BATCHES.c.queued > 0
