"""What the ledger knows of the reminders of a series; reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from worker.ledger.campaigns import Importer
from worker.ledger.engine import now_ms
from worker.ledger.given import execute_given
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES, REMINDERS
from worker.states import CampaignState, MessageState

REMOVED = "removed"
"""The code of a message that was withdrawn because its appointment is not in the file any more."""

MOVED = "moved"
"""The code of a message that was withdrawn because its appointment was moved."""

_M = MessageState
_OURS = CAMPAIGNS.alias("ours")
_GOES_ON = (CampaignState.RUNNING, CampaignState.PAUSED)
MAY_COME_BACK = (_M.SUBMITTING, _M.UNKNOWN, _M.FAILED, _M.REJECTED)
"""Where a message is that may be queued again: refused for now, settled, or retried by a person."""

_MAY_LEAVE = (_M.QUEUED, *MAY_COME_BACK)


@dataclass(frozen=True, kw_only=True)
class Slot:
    """What identifies a reminder within its series: a digest of its key, and how long before."""

    key: str
    before_ms: int


@dataclass(frozen=True, kw_only=True)
class Known:
    """A message that reminds, or was to remind, of an appointment at a time: its version, epoch ms.

    ``can_move`` says that it is queued, and that nothing but its row has to change for it to tell of another
    time.
    """

    message_id: int
    version: int
    state: MessageState
    code: str | None
    can_move: bool

    @property
    def is_withdrawn(self) -> bool:
        """Whether a run like ours has taken it out of the way, so that it counts for nothing."""
        return self.state is _M.CANCELLED and self.code in {REMOVED, MOVED}


@dataclass(frozen=True, kw_only=True)
class Open:
    """A reminder of the series that may leave yet: queued, or where it may come back from to be queued.

    ``withdrawn`` is the code with which it is cancelled then; None: it is not.
    """

    message_id: int
    batch_id: int
    campaign_id: int
    slot: Slot
    version: int
    is_queued: bool = True
    withdrawn: str | None = None


def known(
    connection: Connection, importer: Importer, slots: Sequence[Slot], *, series: str
) -> dict[Slot, list[Known]]:
    """Return every message that there is for some reminders, at most 500 at once, whatever became of it.

    The importer is of the campaign whose way they are to leave by.
    """
    found = execute_given(
        connection,
        "SELECT reminders.key AS key, reminders.before_ms AS before_ms, reminders.version AS version, "
        "reminders.message_id AS message_id FROM given JOIN reminders ON reminders.series = given.named "
        "AND reminders.key = given.digest AND reminders.before_ms = given.offset_ms",
        columns={"named": "text", "digest": "text", "offset_ms": "bigint"},
        rows=[(series, slot.key, slot.before_ms) for slot in slots],
    ).all()
    messages = _messages(connection, importer, [row.message_id for row in found])
    by_slot: dict[Slot, list[Known]] = {}
    for row in found:
        state, code, can_move = messages[row.message_id]
        each = Known(
            message_id=row.message_id, version=row.version, state=state, code=code, can_move=can_move
        )
        by_slot.setdefault(Slot(key=row.key, before_ms=row.before_ms), []).append(each)
    return by_slot


def _messages(
    connection: Connection, importer: Importer, ids: Sequence[int]
) -> dict[int, tuple[MessageState, str | None, bool]]:
    query = (
        select(MESSAGES.c.id, MESSAGES.c.state, MESSAGES.c.code, _can_move().label("can_move"))
        .join(BATCHES, BATCHES.c.id == MESSAGES.c.batch_id)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
        .join(_OURS, _OURS.c.id == importer.campaign_id)
        .where(MESSAGES.c.id.in_(ids))
    )
    return {
        row.id: (MessageState(row.state), row.code, bool(row.can_move)) for row in connection.execute(query)
    }


def _can_move() -> ColumnElement[bool]:
    """Say, as SQL, that a message is queued, and leaves by the same way as those of our campaign.

    The one text of a campaign that has one cannot be another for a single row.
    """
    same = [CAMPAIGNS.c[name] == _OURS.c[name] for name in ("provider", "sender", "options", "lane", "late")]
    same += [
        func.coalesce(CAMPAIGNS.c[name], "") == func.coalesce(_OURS.c[name], "")
        for name in ("fallback", "windows", "headers")
    ]
    return and_(
        MESSAGES.c.state == _M.QUEUED,
        CAMPAIGNS.c.state.in_(_GOES_ON),
        BATCHES.c.provider == CAMPAIGNS.c.provider,
        CAMPAIGNS.c.text.is_(None),
        CAMPAIGNS.c.leaves_at.is_(None),
        *same,
    )


def open_batches(connection: Connection, series: str) -> list[int]:
    """Return the batches in which reminders of a series are queued, or may come back to be."""
    query = (
        select(BATCHES.c.id)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == BATCHES.c.campaign_id)
        .where(CAMPAIGNS.c.series == series, CAMPAIGNS.c.state.in_(_GOES_ON))
        .where(or_(*(BATCHES.c[state.value] > 0 for state in _MAY_LEAVE)))
    )
    return list(connection.scalars(query.order_by(BATCHES.c.id)))


def open_reminders(connection: Connection, batch_ids: Sequence[int]) -> list[Open]:
    """Return the reminders of some batches that may leave yet, by id: what is over by now does not."""
    query = (
        select(
            *(MESSAGES.c.id, MESSAGES.c.batch_id, MESSAGES.c.campaign_id),
            *(MESSAGES.c.state, MESSAGES.c.withdrawn),
            *(REMINDERS.c.key, REMINDERS.c.before_ms, REMINDERS.c.version),
        )
        .join(REMINDERS, REMINDERS.c.message_id == MESSAGES.c.id)
        .where(MESSAGES.c.batch_id.in_(batch_ids), MESSAGES.c.state.in_(_MAY_LEAVE))
        .where((MESSAGES.c.state == _M.QUEUED) | (func.coalesce(MESSAGES.c.expires_at, 2**62) > now_ms()))
    )
    return [
        Open(
            message_id=row.id,
            batch_id=row.batch_id,
            campaign_id=row.campaign_id,
            slot=Slot(key=row.key, before_ms=row.before_ms),
            version=row.version,
            is_queued=row.state == _M.QUEUED,
            withdrawn=row.withdrawn,
        )
        for row in connection.execute(query.order_by(MESSAGES.c.id))
    ]
