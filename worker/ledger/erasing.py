"""Erasing one number: what was to be sent to it is cancelled, and everything that tells of it is removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select, update

from worker.errors import InputError
from worker.ledger.engine import control_lock, now_ms, now_of
from worker.ledger.gone import ERASED, digest, is_gone, numbers_key
from worker.ledger.locks import lock_batches_of
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES, PUSHED_REPORTS, REPORTED_MESSAGES
from worker.ledger.orders import ERASE, Counted
from worker.ledger.traces import BARE, ROWS_AT_ONCE, bare_campaign, go_through_pushes, remove_around
from worker.ledger.withdrawing import recount, withdraw
from worker.states import CampaignState, MessageState

CODE = "erased"
"""The code of a message that was cancelled because its number was erased."""

_M = MessageState


@dataclass(frozen=True, kw_only=True)
class Held:
    """How many messages to a number there are, how many of them queued, and how many on their way.

    ``n_kept`` are those that a gateway has, and keeps until their time.
    """

    n: int
    n_queued: int
    n_out: int
    n_kept: int = 0


def is_of(connection: Connection, msisdn: str) -> ColumnElement[bool]:
    """Say, as SQL, that a message is to a number, one that was pruned since included."""
    return MESSAGES.c.msisdn.in_([msisdn, digest(numbers_key(connection), msisdn)])


def held(connection: Connection, msisdn: str) -> Held:
    """Count what there is."""
    query = select(MESSAGES.c.state, func.count()).where(is_of(connection, msisdn)).group_by(MESSAGES.c.state)
    counts = {state: int(n) for state, n in connection.execute(query)}
    n_queued, n_out = counts.get(_M.QUEUED, 0), counts.get(_M.SUBMITTING, 0)
    is_ahead = MESSAGES.c.state == _M.ACCEPTED, CAMPAIGNS.c.leaves_at > now_ms()
    kept = select(func.count()).join_from(MESSAGES, CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
    n_kept = connection.scalar(kept.where(is_of(connection, msisdn), *is_ahead))
    return Held(n=sum(counts.values()), n_queued=n_queued, n_out=n_out, n_kept=n_kept or 0)


@dataclass(frozen=True, kw_only=True)
class Erased:
    """What one transaction did: messages that were erased, those of them that were queued, and whose."""

    n: int
    n_cancelled: int
    campaigns: tuple[int, ...]


def erase_some(connection: Connection, msisdn: str, *, order: Counted) -> Erased:
    """Cancel and erase some messages to a number; what is on its way stays until its outcome is known.

    Takes the control lock, so that nothing of it is marked any more once this is committed. To be repeated
    until nothing is done any more.

    Raises:
        InputError: a file with the number is being imported: what is not written yet would come after us.
    """
    control_lock(connection, shared=False)
    meant = is_of(connection, msisdn), MESSAGES.c.state != _M.SUBMITTING
    some = select(MESSAGES.c.id).where(*meant).order_by(MESSAGES.c.id).limit(ROWS_AT_ONCE)
    ids = connection.scalars(some).all()
    lock_batches_of(connection, ids)
    rows = _locked(connection, ids)
    _require_imported(rows)
    queued = [row for row in rows if row["state"] == _M.QUEUED]
    now = now_of(connection)
    withdraw(connection, [(row["id"], CODE, now) for row in queued])
    batches = Counter(row["batch_id"] for row in queued)
    recount(connection, batches, withdrawn=batches)
    _strip(connection, [row["id"] for row in rows])
    campaigns = Counter(row["campaign_id"] for row in rows)
    for campaign_id, n in sorted(campaigns.items()):
        order.add(connection, campaign_id, n)
    return Erased(n=len(rows), n_cancelled=len(queued), campaigns=tuple(sorted(campaigns)))


def _locked(connection: Connection, ids: Sequence[int]) -> Sequence[RowMapping]:
    columns = [MESSAGES.c[name] for name in ("id", "batch_id", "campaign_id", "state")]
    query = (
        select(*columns, CAMPAIGNS.c.state.label("campaign"), BATCHES.c.is_added)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
        .join(BATCHES, BATCHES.c.id == MESSAGES.c.batch_id)
        .where(MESSAGES.c.id.in_(ids), MESSAGES.c.state != _M.SUBMITTING)
        .order_by(MESSAGES.c.id)
    )
    return connection.execute(query.with_for_update(of=MESSAGES)).mappings().all()


def _require_imported(rows: Sequence[RowMapping]) -> None:
    for row in rows:
        if row["campaign"] == CampaignState.IMPORTING or row["is_added"]:
            number = row["campaign_id"]
            raise InputError(
                f"A file with this number is being imported into campaign {number}, or was not wholly: let "
                f"that end first, see `bulksend campaign show {number}`",
                code="importing",
            )


def _strip(connection: Connection, ids: Sequence[int]) -> None:
    pushes = select(REPORTED_MESSAGES.c.push_id).where(REPORTED_MESSAGES.c.message_id.in_(ids))
    read = PUSHED_REPORTS.c.id.in_(pushes), PUSHED_REPORTS.c.due_at.is_(None)
    connection.execute(update(PUSHED_REPORTS).where(*read).values(query="", body=b""))
    remove_around(connection, ids)
    values = {**BARE, "msisdn": ERASED, "line": 0}
    connection.execute(update(MESSAGES).where(MESSAGES.c.id.in_(ids)).values(values))


def bare(connection: Connection, campaign_ids: Sequence[int]) -> None:
    """Remove the texts of campaigns that were to nobody else; in a transaction of its own."""
    for campaign_id in campaign_ids:
        if connection.scalar(select(CAMPAIGNS.c.pruned_at).where(CAMPAIGNS.c.id == campaign_id)):
            continue  # it has none, and all of its messages would be looked at
        others = select(MESSAGES.c.id).where(MESSAGES.c.campaign_id == campaign_id, ~is_gone())
        if connection.scalar(others.limit(1)) is None:
            ours = update(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id)
            connection.execute(ours.values(bare_campaign()))


def order_of(author: str) -> Counted:
    """Make the order that an erasure is; it does not say whose."""
    return Counted(what=ERASE, author=author)


def digits_of(msisdn: str) -> str:
    """Return the digits by which gateways write a number."""
    return msisdn.removeprefix("+")


def erase_from_pushes(connection: Connection, msisdn: str, *, after: int) -> tuple[int, int | None]:
    """Remove the raw reports that name a number; return how many, and the id from which to go on.

    Of one that is to be read (again), only the number is made unreadable: others may be in it.
    """
    digits = digits_of(msisdn)
    zeros = "0" * len(digits)

    def change(row: RowMapping) -> dict[str, object] | None:
        query, body = row["query"], bytes(row["body"])
        if digits not in query and digits.encode() not in body:
            return None
        if row["due_at"] is None:
            return {"query": "", "body": b""}
        return {"query": query.replace(digits, zeros), "body": body.replace(digits.encode(), zeros.encode())}

    return go_through_pushes(connection, after, change=change)
