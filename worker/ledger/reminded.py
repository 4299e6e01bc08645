"""What the ledger knows of the reminders of a series; reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from worker.ledger.campaigns import columns_of
from worker.ledger.drafts import NewCampaign
from worker.ledger.engine import now_ms
from worker.ledger.given import execute_given
from worker.ledger.missed import SKIPPED
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES, REMINDERS
from worker.ledger.openings import TOO_LATE
from worker.states import NEVER_RELEASED, CampaignState, MessageState

REMOVED = "removed"
"""The code of a message that was withdrawn because its appointment is not in the file any more."""

MOVED = "moved"
"""The code of a message that was withdrawn because its appointment was moved."""

_M = MessageState
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

    ``msisdn`` is a digest where the number was removed; ``can_move`` says that it is queued, and that nothing
    but its row has to change for it to tell of another time, or go to another number; ``can_follow`` that it
    reached nobody, so that another may go to another number.
    """

    message_id: int
    msisdn: str
    version: int
    state: MessageState
    code: str | None
    can_move: bool
    can_follow: bool

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
    msisdn: str
    batch_id: int
    campaign_id: int
    slot: Slot
    version: int
    is_queued: bool = True
    withdrawn: str | None = None


def known(connection: Connection, campaign: NewCampaign, slots: Sequence[Slot]) -> dict[Slot, list[Known]]:
    """Return every message that there is for some reminders, at most 500 at once, whatever became of it.

    The campaign is the one whose way they are to leave by.
    """
    found = execute_given(
        connection,
        "SELECT reminders.key AS key, reminders.before_ms AS before_ms, reminders.version AS version, "
        "reminders.message_id AS message_id FROM given JOIN reminders ON reminders.series = given.named "
        "AND reminders.key = given.digest AND reminders.before_ms = given.offset_ms",
        columns={"named": "text", "digest": "text", "offset_ms": "bigint"},
        rows=[(campaign.series, slot.key, slot.before_ms) for slot in slots],
    ).all()
    messages = _messages(connection, campaign, [row.message_id for row in found])
    interrupted = {(row.key, row.before_ms, -row.version) for row in found if row.message_id not in messages}
    by_slot: dict[Slot, list[Known]] = {}
    for row in found:
        is_put_by = row.version < 0 and (row.key, row.before_ms, row.version) not in interrupted
        if row.message_id not in messages or is_put_by:
            continue
        each = Known(message_id=row.message_id, version=abs(row.version), **messages[row.message_id])
        by_slot.setdefault(Slot(key=row.key, before_ms=row.before_ms), []).append(each)
    return by_slot


def _messages(connection: Connection, campaign: NewCampaign, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    can_move = _can_move(columns_of(campaign)).label("can_move")
    query = (
        select(*(MESSAGES.c[name] for name in ("id", "msisdn", "state", "code")))
        .add_columns(can_move, can_follow().label("can_follow"))
        .join(BATCHES, BATCHES.c.id == MESSAGES.c.batch_id)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
        .where(MESSAGES.c.id.in_(ids), CAMPAIGNS.c.state.not_in(sorted(NEVER_RELEASED)))
    )
    return {
        row.id: {
            "msisdn": row.msisdn,
            "state": MessageState(row.state),
            "code": row.code,
            "can_move": bool(row.can_move),
            "can_follow": bool(row.can_follow),
        }
        for row in connection.execute(query)
    }


def _can_move(ours: Mapping[str, Any]) -> ColumnElement[bool]:
    """Say, as SQL, that a message is queued, and leaves by the same way as those of our campaign.

    The one text of a campaign that has one cannot be another for a single row.
    """
    same = [CAMPAIGNS.c[name] == ours[name] for name in ("provider", "sender", "options", "lane", "late")]
    same += [
        func.coalesce(CAMPAIGNS.c[name], "") == (ours[name] or "")
        for name in ("fallback", "windows", "headers")
    ]
    return and_(
        MESSAGES.c.state == _M.QUEUED,
        MESSAGES.c.submission_id.is_(None),  # a request that carried it may still turn out to be accepted
        CAMPAIGNS.c.state.in_(_GOES_ON),
        BATCHES.c.provider == CAMPAIGNS.c.provider,
        CAMPAIGNS.c.text.is_(None),
        CAMPAIGNS.c.leaves_at.is_(None),
        *same,
    )


def can_follow() -> ColumnElement[bool]:
    """Say, as SQL, that a message was refused or given up before its time was over, and reached nobody.

    Of a campaign that goes on: what a person has cancelled is not begun again.
    """
    goes_on = select(CAMPAIGNS.c.id).where(CAMPAIGNS.c.state.in_(_GOES_ON))
    return and_(
        MESSAGES.c.campaign_id.in_(goes_on),
        MESSAGES.c.state.in_([_M.REJECTED, _M.FAILED]),
        MESSAGES.c.n_doubts == 0,  # no request with it may have been accepted, whatever a person made of it
        func.coalesce(MESSAGES.c.code, "").not_in([TOO_LATE, SKIPPED]),
        func.coalesce(MESSAGES.c.expires_at, 2**62) > now_ms(),
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
            *(MESSAGES.c.id, MESSAGES.c.msisdn, MESSAGES.c.batch_id, MESSAGES.c.campaign_id),
            *(MESSAGES.c.state, MESSAGES.c.withdrawn),
            *(REMINDERS.c.key, REMINDERS.c.before_ms, REMINDERS.c.version),
        )
        .join(REMINDERS, REMINDERS.c.message_id == MESSAGES.c.id)
        .where(MESSAGES.c.batch_id.in_(batch_ids), MESSAGES.c.state.in_(_MAY_LEAVE))
        .where(REMINDERS.c.version > 0)  # what was put by never leaves
        .where((MESSAGES.c.state == _M.QUEUED) | (func.coalesce(MESSAGES.c.expires_at, 2**62) > now_ms()))
    )
    return [
        Open(
            message_id=row.id,
            msisdn=row.msisdn,
            batch_id=row.batch_id,
            campaign_id=row.campaign_id,
            slot=Slot(key=row.key, before_ms=row.before_ms),
            version=row.version,
            is_queued=row.state == _M.QUEUED,
            withdrawn=row.withdrawn,
        )
        for row in connection.execute(query.order_by(MESSAGES.c.id))
    ]


# --- beside the series


class Occasion(NamedTuple):
    """A reminder as the one who gets it sees it: to which number, of which appointment, how long before."""

    msisdn: str
    version: int
    before_ms: int


def others(connection: Connection, series: str) -> frozenset[int]:
    """Return the campaigns of other series of which something may leave yet."""
    theirs = CAMPAIGNS.c.series != series, CAMPAIGNS.c.state.in_(_GOES_ON)
    return frozenset(connection.scalars(select(CAMPAIGNS.c.id).where(*theirs)))


def elsewhere(connection: Connection, occasions: Sequence[Occasion], *, series: str) -> dict[Occasion, str]:
    """Return those of some occasions, at most 500, that another series has queued, and which series."""
    found = execute_given(
        connection,
        "SELECT given.number AS msisdn, given.instant AS version, given.offset_ms AS before_ms, "
        "min(reminders.series) AS series FROM given JOIN messages ON messages.msisdn = given.number "
        "JOIN reminders ON reminders.message_id = messages.id AND reminders.version = given.instant "
        "AND reminders.before_ms = given.offset_ms JOIN campaigns ON campaigns.id = messages.campaign_id "
        "WHERE messages.state = 'queued' AND campaigns.state IN ('running', 'paused') "
        "AND reminders.series <> given.named GROUP BY given.number, given.instant, given.offset_ms",
        columns={"named": "text", "number": "text", "instant": "bigint", "offset_ms": "bigint"},
        rows=[(series, *each) for each in occasions],
    )
    return {Occasion(row.msisdn, row.version, row.before_ms): row.series for row in found}


def reminded_of(
    connection: Connection, appointments: Sequence[tuple[str, int]], *, series: str
) -> set[tuple[str, int]]:
    """Return those of some keys with their versions, at most 500, of which a reminder has left or may yet."""
    found = execute_given(
        connection,
        "SELECT DISTINCT reminders.key, reminders.version FROM given JOIN reminders "
        "ON reminders.series = given.named AND reminders.key = given.digest "
        "AND reminders.version = given.instant JOIN messages ON messages.id = reminders.message_id "
        "JOIN campaigns ON campaigns.id = messages.campaign_id "
        "WHERE messages.state NOT IN ('cancelled', 'suppressed') "
        "AND campaigns.state NOT IN ('importing', 'discarded')",  # NEVER_RELEASED
        columns={"named": "text", "digest": "text", "instant": "bigint"},
        rows=[(series, *each) for each in appointments],
    )
    return {(row.key, row.version) for row in found}
