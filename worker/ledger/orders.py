"""Who ordered what, and when: a line that is written in the transaction of the order itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from worker.ledger.engine import now_ms
from worker.ledger.models import LARGEST_ID, ORDERS
from worker.states import CampaignState
from worker.text.counting import counted

OURSELVES = "bulksend"
"""The author of what no person ordered."""

PAUSE = "pause"
RESUME = "resume"
CANCEL = "cancel"
DISCARD = "discard"
RETRY = "retry"
ADD = "add"
SETTLE = "settle"
RESEND = "resend"
RATE = "rate"
NOTICE = "notice"
PRUNE = "prune"
ERASE = "erase"

RESCHEDULING = "it is being rescheduled"
"""So begins the reason of a pause that ends with that; an order to pause takes its place."""


MOVING = "rescheduling"
"""Under this name a campaign keeps, in its ``reading``, what was ordered, until all is moved."""

GIVEN_UP = f"{MOVING} given up"
"""Under this name, where the campaign was resumed before that: only who says so goes on with it."""

HALF_MOVED = f'"{MOVING}": {{'
"""So that is found in the JSON: no value has quotes that stand alone."""


def is_paused_for_it(state: str, reason: str | None) -> bool:
    """Say whether a campaign is paused only as long as it is being rescheduled."""
    return state == CampaignState.PAUSED and (reason or "").startswith(RESCHEDULING)


REMIND = "remind"


def note(  # noqa: PLR0913 - what a line of an audit tells
    connection: Connection,
    what: str,
    *,
    author: str,
    campaign_id: int | None = None,
    provider: str | None = None,
    detail: str | None = None,
) -> int:
    """Write one line and return its id.

    ``what`` is a word such as ``pause``; ``detail`` holds no number and no text.
    """
    told = {"author": author, "what": what, "campaign_id": campaign_id}
    told |= {"provider": provider, "detail": detail}
    written = insert(ORDERS).values(**told, at=now_ms()).returning(ORDERS.c.id)
    return int(connection.execute(written).scalar_one())


@dataclass(kw_only=True)
class Counted:
    """An order that takes many transactions: one line for each campaign, which says how much is done so far.

    The first transaction that does something writes it, each later one keeps it true.
    """

    what: str
    author: str
    of: str = "message"
    plural: str | None = None
    detail: str | None = None  # what else is to be said of it
    _lines: dict[int, tuple[int, int]] = field(default_factory=dict)  # campaign -> its line, how many so far

    def add(self, connection: Connection, campaign_id: int, n: int) -> None:
        """Count so many more of a campaign, in the transaction that moves them."""
        line, n_before = self._lines.get(campaign_id, (0, 0))
        words = f"{counted(n_before + n, self.of, self.plural)}{f', {self.detail}' if self.detail else ''}"
        if line:
            connection.execute(update(ORDERS).where(ORDERS.c.id == line).values(detail=words))
        elif n:
            line = note(connection, self.what, author=self.author, campaign_id=campaign_id, detail=words)
        self._lines[campaign_id] = line, n_before + n


def of_campaign(connection: Connection, campaign_id: int, *, limit: int = 100) -> list[dict[str, Any]]:
    """Return the newest orders about a campaign, oldest first: id, at, author, what, detail."""
    return _newest(connection, ORDERS.c.campaign_id == min(campaign_id, LARGEST_ID), limit=limit)


def of_provider(connection: Connection, provider: str, *, limit: int = 100) -> list[dict[str, Any]]:
    """Return the newest orders about a provider, in the same way."""
    return _newest(connection, ORDERS.c.provider == provider, limit=limit)


def _newest(connection: Connection, about: ColumnElement[bool], *, limit: int) -> list[dict[str, Any]]:
    columns = [ORDERS.c[name] for name in ("id", "at", "author", "what", "detail")]
    newest = connection.execute(select(*columns).where(about).order_by(ORDERS.c.id.desc()).limit(limit))
    return [dict(row) for row in newest.mappings()][::-1]


def last_at(connection: Connection, campaign_id: int, *what: str, is_by_person: bool = False) -> int | None:
    """Return when one of these orders was given last, or when a person gave it; None: never."""
    query = select(func.max(ORDERS.c.at)).where(
        ORDERS.c.campaign_id == min(campaign_id, LARGEST_ID), ORDERS.c.what.in_(what)
    )
    found: int | None = connection.scalar(
        query.where(ORDERS.c.author != OURSELVES) if is_by_person else query
    )
    return found
