"""Queued messages of a campaign go to another time: paused meanwhile, batch by batch, each into new batches.

What was ordered is kept with the campaign until all is moved. A batch that was there when it was ordered, and
still holds queued messages, is still to be moved: so an interrupted order is finished by repeating it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select, update

from worker.errors import InputError
from worker.ledger import orders
from worker.ledger.batches import lock_some
from worker.ledger.control import refusal
from worker.ledger.engine import control_lock, now_ms
from worker.ledger.models import BATCHES, CAMPAIGNS
from worker.ledger.rebatching import NewTimes, Placed, rebatch
from worker.ledger.reports import report, stored_id
from worker.states import CampaignState, MessageState

RESCHEDULE = "reschedule"
RESCHEDULED = "rescheduled"
"""The order, as the audit names it; ``rescheduled`` is its end."""

_MARK = "rescheduling"  # in what a campaign keeps of its reading


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What was ordered.

    Attributes:
        words: as it was written, such as ``--by 2h``: a repeat of them goes on with it.
        target: plain values of whoever makes new times of it; the first order's hold for a repeat too.
        is_start: all go to one start, whatever their times were.
    """

    words: str
    target: Mapping[str, Any]
    is_start: bool = False


@dataclass(frozen=True, kw_only=True)
class Begun:
    """An order under way.

    Attributes:
        campaign_id: whose messages.
        wish: of the first order, where this is a repeat.
        boundary: the last batch that is to be moved.
        n: messages that were to be moved.
        moved: of which so many were.
        was_running: it goes on when all is moved.
        windows: of the campaign, as they are kept.
        reading: what else the campaign keeps.
    """

    campaign_id: int
    wish: Wish
    boundary: int
    n: int
    moved: int
    was_running: bool
    windows: str | None = None
    zone: str | None = None
    reading: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What became of an order: messages moved, and those that had left or ended before."""

    moved: int
    left: int
    is_running: bool


def is_under_way(row: RowMapping) -> bool:
    """Say whether a campaign, given its row, is being rescheduled, or that was interrupted."""
    return _begun(row) is not None


def begin(connection: Connection, campaign_id: int, wish: Wish, *, author: str) -> Begun:
    """Pause a campaign for its messages to be moved; goes on with what was interrupted.

    Raises:
        InputError: there is no such campaign, it is over, nothing of it is queued, its gateway or its series
            keeps its times, or another order of this kind was interrupted.
    """
    row = _locked(connection, campaign_id)
    _require_movable(connection, campaign_id, row, wish)
    begun = _begun(row)
    if begun is None:
        begun = _first(connection, campaign_id, row, wish)
        orders.note(connection, RESCHEDULE, author=author, campaign_id=campaign_id, detail=wish.words)
    elif begun.wish.words != wish.words:
        raise InputError(
            f"Campaign {campaign_id} was not wholly rescheduled: first repeat "
            f"`bulksend campaign reschedule {campaign_id} {begun.wish.words}`",
            code="unfinished",
        )
    if row["state"] == CampaignState.RUNNING:
        begun = replace(begun, was_running=True)
        reason = (
            f"{orders.RESCHEDULING}; if that was interrupted, repeat "
            f"`bulksend campaign reschedule {campaign_id} {wish.words}`"
        )
        paused = {"state": CampaignState.PAUSED, "reason": reason, "author": author}
        connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id).values(paused))
    _keep(connection, campaign_id, begun)
    return begun


def move_some(connection: Connection, campaign_id: int, times: Callable[[Placed], NewTimes]) -> int | None:
    """Move the queued messages of a batch, or of some small ones; return how many, None when all are moved.

    Raises:
        InputError: it was resumed or cancelled meanwhile.
    """
    row = _locked(connection, campaign_id)
    begun = _begun(row)
    if begun is None:
        return None
    if row["state"] != CampaignState.PAUSED:
        raise InputError(
            f"Campaign {campaign_id} is {row['state']} meanwhile: {begun.n - begun.moved} messages were not "
            "moved; repeat the order",
            code="wrong_state",
        )
    batch_ids = lock_some(connection, *_is_left(campaign_id), BATCHES.c.id <= begun.boundary)
    if not batch_ids:
        return None
    n = rebatch(connection, campaign_id, batch_ids, times, first=begun.moved)
    _keep(connection, campaign_id, replace(begun, moved=begun.moved + n))
    return n


def end(connection: Connection, campaign_id: int, *, author: str) -> Ended:
    """Let a campaign go on whose messages are all moved, if it ran before."""
    row = _locked(connection, campaign_id)
    begun = _begun(row)
    values: dict[str, object] = {"reading": json.dumps(_without_mark(row), sort_keys=True)}
    found = report(connection, campaign_id)
    left = found.messages - found.counts[MessageState.QUEUED]
    if not left:
        first = select(func.min(BATCHES.c.next_due_at)).where(*_is_left(campaign_id))
        values["due_at"] = connection.scalar(first)
    if begun is not None:
        if begun.was_running and orders.is_paused_for_it(
            row["state"], row["reason"]
        ):  # not by a person since
            running = {"state": CampaignState.RUNNING, "reason": None, "author": None}
            values |= {**running, "served_at": now_ms()}
        detail = f"{begun.moved} messages"
        orders.note(connection, RESCHEDULED, author=author, campaign_id=campaign_id, detail=detail)
    connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id).values(values))
    is_running = values.get("state", row["state"]) == CampaignState.RUNNING
    return Ended(moved=begun.moved if begun else 0, left=left, is_running=is_running)


def _locked(connection: Connection, campaign_id: int) -> RowMapping:
    """Return a campaign that nobody else changes until we have committed, while nobody marks."""
    control_lock(connection, shared=False)
    query = select(CAMPAIGNS).where(CAMPAIGNS.c.id == stored_id(campaign_id)).with_for_update()
    found = connection.execute(query).mappings().one_or_none()
    if found is None:
        raise refusal(connection, campaign_id, "rescheduled")  # which says that there is none
    return found


def _require_movable(connection: Connection, campaign_id: int, row: RowMapping, wish: Wish) -> None:
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
    if wish.is_start and (json.loads(row["reading"]).get("timing") or {}).get("column"):
        raise InputError(
            f"Each message of campaign {campaign_id} has its own time, from its row: move them with --by",
            code="own_times",
        )


def _first(connection: Connection, campaign_id: int, row: RowMapping, wish: Wish) -> Begun:
    query = select(func.max(BATCHES.c.id), func.sum(BATCHES.c.queued)).where(*_is_left(campaign_id))
    boundary, n = connection.execute(query).one()
    if boundary is None:
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
    ours = BATCHES.c.campaign_id == stored_id(campaign_id), ~BATCHES.c.is_added
    return *ours, BATCHES.c.queued > 0


def _begun(row: RowMapping) -> Begun | None:
    mark = json.loads(row["reading"]).get(_MARK)
    if mark is None:
        return None
    return Begun(
        campaign_id=row["id"],
        wish=Wish(words=mark["words"], target=mark["target"]),
        **{name: mark[name] for name in ("boundary", "n", "moved", "was_running")},
        windows=row["windows"],
        zone=row["zone"],
        reading=_without_mark(row),
    )


def _without_mark(row: RowMapping) -> dict[str, Any]:
    return {name: value for name, value in json.loads(row["reading"]).items() if name != _MARK}


def _keep(connection: Connection, campaign_id: int, begun: Begun) -> None:
    mark = {name: getattr(begun, name) for name in ("boundary", "n", "moved", "was_running")}
    mark |= {"words": begun.wish.words, "target": dict(begun.wish.target)}
    kept = json.dumps({**begun.reading, _MARK: mark}, sort_keys=True)
    connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id).values(reading=kept))
