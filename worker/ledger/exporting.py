"""The rows of a campaign for an export: read by ranges of ids, each in a look of its own; reads only.

No look lasts for long, so nobody waits for it: SQLite can write its log back in between, and Postgres can
clean up. What changes meanwhile is told as it is when its row is read; no row comes twice or is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select

from worker.errors import InputError
from worker.ledger.cells import read
from worker.ledger.gone import is_gone
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES, SUBMISSIONS
from worker.ledger.reports import stored_id
from worker.ledger.unreported import unreported
from worker.states import MessageState

_IDS_AT_ONCE = 2000

_COLUMNS = (
    *("id", "line", "msisdn", "cells", "state", "parts", "price_micros", "currency", "billed_parts"),
    *("billed_cost", "provider_ref", "attempts", "due_at", "changed_at", "code", "detail", "n_doubts"),
)


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A campaign that is exported.

    Attributes:
        headers: the columns of its rows; None where none are kept.
        pruned_at: when its texts and numbers were removed, epoch ms; 0 while that is under way.
    """

    id: int
    name: str
    headers: tuple[str, ...] | None
    pruned_at: int | None


def campaign(connection: Connection, campaign_id: int) -> Exported:
    """Return the campaign.

    Raises:
        InputError: there is no such campaign.
    """
    columns = [CAMPAIGNS.c[name] for name in ("id", "name", "headers", "pruned_at")]
    query = select(*columns).where(CAMPAIGNS.c.id == stored_id(campaign_id))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise InputError(
            f"There is no campaign {campaign_id}: `bulksend campaign list` shows them",
            code="no_such_campaign",
        )
    return Exported(id=row.id, name=row.name, headers=read(row.headers), pruned_at=row.pruned_at)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which messages are exported.

    Attributes:
        campaign_id: of which campaign.
        states: in one of these.
        is_sure: not what a gateway may have accepted, whatever became of it.
        has_cells: not what has no row any more.
    """

    campaign_id: int
    states: Collection[MessageState]
    is_sure: bool = False
    has_cells: bool = False

    def conditions(self) -> tuple[ColumnElement[bool], ...]:
        """Say it as SQL."""
        found: list[ColumnElement[bool]] = [MESSAGES.c.campaign_id == stored_id(self.campaign_id)]
        if set(self.states) != set(MessageState):
            found.append(MESSAGES.c.state.in_(sorted(self.states)))
        if self.is_sure:
            found.append(MESSAGES.c.n_doubts == 0)
        if self.has_cells:
            found.append(MESSAGES.c.cells.is_not(None))
        return (*found, ~BATCHES.c.is_added)


def piece(
    connection: Connection, choice: Choice, *, after: int, telling: Collection[str], silent_ms: int
) -> tuple[Sequence[RowMapping], int | None]:
    """Return some rows with ids above ``after``, and the id from which to go on; None: there are no more.

    Args:
        connection: of a read transaction of its own.
        choice: which messages.
        after: an id; 0 at first.
        telling: providers whose gateways tell what arrived.
        silent_ms: an accepted message of which nothing was told for so long is marked ``no_report``.
    """
    found = _first(connection, choice, after=after)
    if found is None:
        return [], None
    until = found + _IDS_AT_ONCE - 1
    is_silent = unreported(telling=telling, silent_ms=silent_ms).label("no_report")
    sent = SUBMISSIONS.c.started_at.label("sent_at"), SUBMISSIONS.c.reference
    by = func.coalesce(SUBMISSIONS.c.provider, BATCHES.c.provider).label("provider")
    query = (
        select(*(MESSAGES.c[name] for name in _COLUMNS), *sent, by, is_silent)
        .select_from(MESSAGES)
        .join(BATCHES, BATCHES.c.id == MESSAGES.c.batch_id)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
        .outerjoin(SUBMISSIONS, SUBMISSIONS.c.id == MESSAGES.c.submission_id)
        .where(*choice.conditions(), MESSAGES.c.id >= found, MESSAGES.c.id <= until)
        .order_by(MESSAGES.c.id)
    )
    return connection.execute(query).mappings().all(), until


def _first(connection: Connection, choice: Choice, *, after: int) -> int | None:
    """Return the first message of the campaign after an id."""
    ours = MESSAGES.c.campaign_id == stored_id(choice.campaign_id), MESSAGES.c.id > after
    first: int | None = connection.scalar(select(func.min(MESSAGES.c.id)).where(*ours))
    return first


def n_left_out(connection: Connection, choice: Choice) -> tuple[int, int]:
    """Count what a choice leaves out of its states: what is in doubt, and what has no row that was kept.

    The second without what was erased on a person's wish, which nobody is told of.
    """
    every = Choice(campaign_id=choice.campaign_id, states=choice.states)
    query = select(func.count()).select_from(MESSAGES).join(BATCHES, BATCHES.c.id == MESSAGES.c.batch_id)
    query = query.where(*every.conditions())
    in_doubt = connection.scalar(query.where(MESSAGES.c.n_doubts > 0))
    bare = connection.scalar(query.where(MESSAGES.c.cells.is_(None), MESSAGES.c.n_doubts == 0, ~is_gone()))
    return int(in_doubt or 0), int(bare or 0)
