"""A further file of a campaign: imported aside, batch by batch, and let in by one change of a row.

What a killed program leaves behind is cleared by the next try, unless it was let in: then it is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from worker.errors import InputError, LedgerError
from worker.ledger import half_moved, interrupted, notices, orders, rescheduling
from worker.ledger.batches import lock_some
from worker.ledger.campaigns import IMPORT_LEASE_MS, Importer
from worker.ledger.cells import written
from worker.ledger.control import pruned, refusal
from worker.ledger.drafts import NewCampaign, NewMessage, SourceCounts
from worker.ledger.engine import now_ms
from worker.ledger.filling import write_batches
from worker.ledger.letting import LET_IN, is_let_in
from worker.ledger.models import BATCHES, CAMPAIGNS, CLAIMS, MESSAGES, ORDERS
from worker.ledger.reports import stored_id
from worker.ledger.scopes import CONFIRMATION
from worker.states import BatchState, CampaignState
from worker.text.counting import counted

LOOKED_UP_AT_ONCE = 500
"""Numbers of one question."""

_TAKES = (CampaignState.RUNNING, CampaignState.PAUSED)
_CHANGES = (orders.ADD, rescheduling.RESCHEDULE, rescheduling.RESCHEDULED)
"""Orders after which what is added would have to be compared, or timed, anew."""
_CODE = "repeated_send"


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a further file is added to.

    Attributes:
        id: of the campaign.
        campaign: as it was frozen.
        last: the order by which a file was added, or the campaign rescheduled, last; 0: none was.
        was_rescheduled: it was.
        starts_at: when what is left of it begins to leave then, epoch ms; None: nothing is.
    """

    id: int
    campaign: NewCampaign
    last: int
    was_rescheduled: bool = False
    starts_at: int | None = None


def ground(connection: Connection, campaign_id: int) -> Ground:
    """Return what a file would be added to.

    Raises:
        InputError: there is no such campaign, it is being imported or over for good, or it is of reminders.
    """
    query = select(CAMPAIGNS).where(CAMPAIGNS.c.id == stored_id(campaign_id))
    row = connection.execute(query).mappings().one_or_none()
    if row is None or row["state"] not in _TAKES:
        raise refusal(connection, campaign_id, "added to")
    if row["pruned_at"] is not None:
        raise pruned(campaign_id, "added to")
    if row["series"] is not None:
        raise InputError(
            f"Campaign {campaign_id} is one of reminders: `bulksend remind` reads its newer files",
            code="wrong_state",
        )
    if row["purpose"] == CONFIRMATION:
        raise InputError(
            f"Campaign {campaign_id} confirms an opt-out: it takes no further message", code="wrong_state"
        )
    if half_moved.is_under_way(row):
        raise InputError(
            f"Campaign {campaign_id} is being rescheduled: finish that first, as `bulksend campaign show "
            f"{campaign_id}` tells",
            code="unfinished",
        )
    was_rescheduled = orders.last_at(connection, campaign_id, rescheduling.RESCHEDULED) is not None
    return Ground(
        id=campaign_id,
        campaign=interrupted.frozen(row),
        last=_last(connection, campaign_id),
        was_rescheduled=was_rescheduled,
        starts_at=_starts_at(connection, campaign_id) if was_rescheduled else None,
    )


def _last(connection: Connection, campaign_id: int) -> int:
    changed = ORDERS.c.campaign_id == campaign_id, ORDERS.c.what.in_(_CHANGES)
    return int(connection.scalar(select(func.max(ORDERS.c.id)).where(*changed)) or 0)


def _starts_at(connection: Connection, campaign_id: int) -> int | None:
    left = BATCHES.c.campaign_id == campaign_id, BATCHES.c.queued > 0, is_let_in()
    found: int | None = connection.scalar(select(func.min(BATCHES.c.next_due_at)).where(*left))
    return found


def require_new(connection: Connection, campaign_id: int, content: str) -> None:
    """Refuse a file that was added to the campaign before; ``content`` is its digest.

    Raises:
        InputError: ``repeated_send``.
    """
    query = select(CLAIMS.c.claim).where(CLAIMS.c.claim == _claim(campaign_id, content))
    if connection.scalar(query) is not None:
        raise InputError(
            f"This file was added to campaign {campaign_id} before: see `bulksend campaign show "
            f"{campaign_id}`, or give --again",
            code=_CODE,
        )


def _claim(campaign_id: int, content: str) -> str:
    return f"add:{campaign_id}:{content}"


def there(connection: Connection, campaign_id: int, numbers: Sequence[str]) -> set[str]:
    """Return which of some numbers have a message of the campaign already, whatever became of it."""
    query = (
        select(MESSAGES.c.msisdn)
        .join(BATCHES, BATCHES.c.id == MESSAGES.c.batch_id)
        .where(
            MESSAGES.c.msisdn.in_(numbers),
            MESSAGES.c.campaign_id + 0 == campaign_id,  # a number has few messages, a campaign has many
            is_let_in(),
        )
    )
    return set(connection.scalars(query))


def begin(connection: Connection, found: Ground) -> Importer:
    """Take the right to add to a campaign; what an earlier program left behind is then cleared.

    Args:
        connection: of an open transaction.
        found: the campaign, as it was when the numbers were compared with what was there.

    Raises:
        InputError: it takes nothing any more, another program adds to it, or has since.
    """
    campaign_id = found.id
    is_over = (CAMPAIGNS.c.importing_until <= now_ms()) & (CAMPAIGNS.c.importing_until != LET_IN)
    free = (CAMPAIGNS.c.importing_until.is_(None) | is_over) & CAMPAIGNS.c.pruned_at.is_(None)
    taken = update(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id, CAMPAIGNS.c.state.in_(_TAKES), free)
    taken = taken.values(importing_until=now_ms() + IMPORT_LEASE_MS)
    until = connection.execute(taken.returning(CAMPAIGNS.c.importing_until)).scalar_one_or_none()
    if until is None:
        ground(connection, campaign_id)  # which says what is wrong with its state
        raise InputError(
            f"A file is being added to campaign {campaign_id} at this moment; if that program was killed, "
            "give the same command again in half a minute",
            code="importing",
        )
    if _last(connection, campaign_id) != found.last:
        raise InputError(
            f"Campaign {campaign_id} was added to, or rescheduled, meanwhile: give the same command again",
            code="changed_since",
        )
    return Importer(campaign_id=campaign_id, until=until)


def add_batches(
    connection: Connection, importer: Importer, batches: Sequence[Sequence[NewMessage]]
) -> Importer:
    """Write batches of at most ``BATCH_ROWS`` messages together, held; return the longer right.

    Raises:
        LedgerError: the campaign was cancelled, or another program adds to it.
    """
    renewed = update(CAMPAIGNS).where(*_is_ours(importer)).values(importing_until=now_ms() + IMPORT_LEASE_MS)
    columns = [CAMPAIGNS.c[name] for name in ("importing_until", "provider", "fallback", "lane")]
    kept = connection.execute(renewed.returning(*columns, now_ms().label("now"))).one_or_none()
    if kept is None:
        raise _lost(connection, importer)
    shared = {"campaign_id": importer.campaign_id, "provider": kept.provider, "lane": kept.lane}
    shared |= {"state": BatchState.HELD, "is_added": True}
    write_batches(connection, batches, shared, may_hop=kept.fallback is not None, now=kept.now)
    return Importer(campaign_id=importer.campaign_id, until=kept.importing_until)


def _is_ours(importer: Importer) -> tuple[ColumnElement[bool], ...]:
    """Say, as SQL, that the campaign takes what we add."""
    return (
        CAMPAIGNS.c.id == importer.campaign_id,
        CAMPAIGNS.c.state.in_(_TAKES),
        CAMPAIGNS.c.importing_until == importer.until,
    )


def _lost(connection: Connection, importer: Importer) -> LedgerError:
    number = importer.campaign_id
    query = select(CAMPAIGNS.c.state).where(CAMPAIGNS.c.id == number)
    is_over = connection.scalar(query) not in _TAKES
    what = "was cancelled" if is_over else "is added to by another program"
    return LedgerError(f"Campaign {number} {what} meanwhile: nothing was added")


@dataclass(frozen=True, kw_only=True)
class Addition:
    """A file that is added: its digest, its rows, who adds it, and whether the end of it all is told.

    ``headers`` are the columns of the campaign with those of the file, None where none are kept.
    """

    content: str
    counts: SourceCounts
    author: str
    wants_notice: bool = False
    headers: Sequence[str] | None = None


def let_in(connection: Connection, importer: Importer, found: Ground, addition: Addition) -> None:
    """Let all in that was added: the one transition that makes it count, for ``letting`` to open it.

    Raises:
        InputError: the campaign was rescheduled meanwhile.
        LedgerError: it was cancelled, or another program adds to it.
    """
    counts = addition.counts
    let = update(CAMPAIGNS).where(*_is_ours(importer))
    sums = {"n_rows": counts.rows, "n_duplicates": counts.duplicates, "n_refused": counts.refused}
    added = {name: CAMPAIGNS.c[name] + n for name, n in {**sums, "n_skipped": counts.skipped}.items()}
    let = let.values(**added, importing_until=LET_IN, headers=written(addition.headers))
    if connection.execute(let).rowcount != 1:
        raise _lost(connection, importer)
    number = importer.campaign_id
    if _last(connection, number) != found.last:
        raise InputError(
            f"Campaign {number} was rescheduled meanwhile, so nothing was added: give the same command again",
            code="changed_since",
        )
    claim = _claim(number, addition.content)
    connection.execute(delete(CLAIMS).where(CLAIMS.c.claim == claim))
    connection.execute(insert(CLAIMS).values(claim=claim, campaign_id=number, made_at=now_ms()))
    left_out = f"{counted(counts.duplicates, 'duplicate')}, {counts.refused} refused"
    if counts.skipped:
        left_out += f", {counts.skipped} left out"
    n_messages = counts.rows - counts.duplicates - counts.refused - counts.skipped
    detail = f"{counted(n_messages, 'message')} of {counted(counts.rows, 'row')} ({left_out})"
    orders.note(connection, orders.ADD, author=addition.author, campaign_id=number, detail=detail)
    notices.want_again(connection, number, is_wanted=addition.wants_notice)


def give_up(connection: Connection, importer: Importer) -> bool:
    """End our right; False when we have none: all was let in, or another program adds to the campaign."""
    ours = update(CAMPAIGNS).where(
        CAMPAIGNS.c.id == importer.campaign_id, CAMPAIGNS.c.importing_until == importer.until
    )
    return connection.execute(ours.values(importing_until=None)).rowcount == 1


def clear(connection: Connection, campaign_id: int) -> int | None:
    """Remove some batches that were left behind, with their messages; return how many, None at the end.

    None of them has a submission: they were never due.
    """
    left = BATCHES.c.campaign_id == stored_id(campaign_id), ~is_let_in()
    batch_ids = lock_some(connection, *left)
    if not batch_ids:
        return None
    n_removed = connection.execute(delete(MESSAGES).where(MESSAGES.c.batch_id.in_(batch_ids))).rowcount
    connection.execute(delete(BATCHES).where(BATCHES.c.id.in_(batch_ids)))
    return n_removed
