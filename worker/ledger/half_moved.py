"""An order to move messages to another time, as their campaign keeps it until all are moved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from worker.ledger import orders
from worker.ledger.models import CAMPAIGNS
from worker.states import CampaignState

REPEATED_WITHIN_MS = 3_600_000
"""For so long the same words mean the order that was interrupted; later they would mean another one."""


AGAIN = " --again"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What was ordered.

    Attributes:
        words: as it was written, such as ``--by 2h``: a repeat of them soon goes on with it.
        target: plain values of whoever makes new times of it; the first order's hold for a repeat too.
        is_start: all go to one start, whatever their times were.
        adds_up: twice would be twice as far: the same words soon after it are refused.
        is_again: they are not, since it is wanted once more.
    """

    words: str
    target: Mapping[str, Any]
    is_start: bool = False
    adds_up: bool = False
    is_again: bool = False

    @property
    def noted(self) -> str:
        """What the audit says of it."""
        return f"{self.words}{AGAIN if self.is_again else ''}"


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
        at: when it was ordered, epoch ms; None: an older Bulksend kept no word of it.
        author: who ordered it.
        is_given_up: the campaign was resumed before all was moved; only who says so finishes it.
        is_finished: this call goes on with what was interrupted.
        given_up: an interrupted order whose place this one takes.
        windows: of the campaign, as they are kept.
        reading: what else the campaign keeps.
    """

    campaign_id: int
    wish: Wish
    boundary: int
    n: int
    moved: int
    was_running: bool
    at: int | None = None
    author: str | None = None
    is_given_up: bool = False
    is_finished: bool = False
    given_up: Begun | None = None
    windows: str | None = None
    zone: str | None = None
    reading: Mapping[str, Any]


def is_under_way(row: RowMapping) -> bool:
    """Say whether a campaign, given its row, is being rescheduled, or that was interrupted."""
    begun = begun_of(row)
    return row["state"] == CampaignState.PAUSED and begun is not None and not begun.is_given_up


def finish(campaign_id: int) -> str:
    """Return the command that goes on with an order which was interrupted."""
    return f"bulksend campaign reschedule {campaign_id} --finish"


def is_repeat(former: Begun, wish: Wish, *, now: int) -> bool:
    """Say whether a wish in the same words means the order that was interrupted; ``now`` in epoch ms."""
    if former.is_given_up and wish.is_again:  # by as much once more
        return False
    return former.wish.words == wish.words and former.at is not None and now - former.at < REPEATED_WITHIN_MS


def begun_of(row: RowMapping) -> Begun | None:
    """Return the order that a campaign, given its row, is half-way through; None: there is none."""
    reading = json.loads(row["reading"])
    mark = reading.get(orders.MOVING, reading.get(orders.GIVEN_UP))
    if mark is None:
        return None
    return Begun(
        campaign_id=row["id"],
        wish=Wish(words=mark["words"], target=mark["target"]),
        **{name: mark.get(name) for name in _KEPT},
        is_given_up=orders.MOVING not in reading,
        windows=row["windows"],
        zone=row["zone"],
        reading=without_it(row),
    )


_KEPT = ("boundary", "n", "moved", "was_running", "at", "author")


def without_it(row: RowMapping) -> dict[str, Any]:
    """Return what else a campaign keeps."""
    ours = orders.MOVING, orders.GIVEN_UP
    return {name: value for name, value in json.loads(row["reading"]).items() if name not in ours}


def keep(connection: Connection, campaign_id: int, begun: Begun) -> None:
    """Keep an order with its campaign."""
    mark = {name: getattr(begun, name) for name in _KEPT}
    mark |= {"words": begun.wish.words, "target": dict(begun.wish.target)}
    name = orders.GIVEN_UP if begun.is_given_up else orders.MOVING
    kept = json.dumps({**begun.reading, name: mark}, sort_keys=True)
    connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id).values(reading=kept))


def give_up(connection: Connection, campaign_id: int) -> None:
    """Note that a campaign, which nobody else changes now, goes on before all of it is moved."""
    row = connection.execute(select(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id)).mappings().one()
    begun = begun_of(row)
    if begun is not None:
        keep(connection, campaign_id, replace(begun, is_given_up=True))
