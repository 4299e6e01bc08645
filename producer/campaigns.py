"""Orders to campaigns: go on, end, try again, put away; some batches at a time, so that nobody waits long."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from worker.ledger import adding, control, interrupted, letting, orders, retrying
from worker.ledger.engine import writing
from worker.ledger.orders import Counted
from worker.states import MessageState


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """What a resume did: whether the campaign was paused, and how many batches were held."""

    is_new: bool
    n_opened: int


def resume(engine: Engine, campaign_id: int, *, author: str) -> Resumed:
    """Let a campaign go on that is paused, has batches held, or both; may be repeated.

    Raises:
        InputError: there is no such campaign, or it is over.
    """
    with writing(engine) as connection:
        is_resumed = control.resume(connection, campaign_id, author=author)
    order = Counted(
        what=orders.RESUME, author=author, of="batch that was held", plural="batches that were held"
    )

    def reopen(connection: Connection) -> int | None:
        n_opened = control.reopen_held(connection, campaign_id)
        if n_opened is not None:
            order.add(connection, campaign_id, n_opened)
        return n_opened

    return Resumed(is_new=is_resumed, n_opened=sum(_some_by_some(engine, reopen)))


def cancel(engine: Engine, campaign_id: int, *, author: str) -> int:
    """End a campaign for good and return how many messages were still queued; may be repeated.

    Raises:
        InputError: there is no such campaign, or it cannot be cancelled.
    """
    with writing(engine) as connection:
        control.cancel(connection, campaign_id, author=author)
    n_cancelled = sum(_some_by_some(engine, lambda connection: control.cancel_rows(connection, campaign_id)))
    clear_added(engine, campaign_id)
    return n_cancelled


def retry(engine: Engine, campaign_id: int, states: Collection[MessageState], *, author: str) -> int:
    """Queue what was rejected or failed again, and return how many messages that were.

    Raises:
        InputError: there is no such campaign, it is being imported, or it is over for good.
    """
    n_queued = after = 0
    order = Counted(what=orders.RETRY, author=author, detail=" and ".join(sorted(states)))
    while True:
        with writing(engine) as connection:
            done = retrying.retry_some(connection, campaign_id, states, after=after, order=order)
        if done is None:
            return n_queued
        n_queued, after = n_queued + done.n, done.last


def discard(engine: Engine, campaign_id: int, *, author: str) -> int:
    """Put an interrupted import away with its messages; return how many there were. May be repeated.

    Raises:
        InputError: there is no such campaign, its importer lives, or its import is over.
    """
    with writing(engine) as connection:
        interrupted.discard(connection, campaign_id, author=author)
    return clear(engine, campaign_id)


def open_added(engine: Engine, campaign_id: int) -> None:
    """Open what was let in of a further file; may be repeated, and where nobody does, the tick does it."""
    sum(_some_by_some(engine, lambda connection: letting.open_some(connection, campaign_id)))


def clear_added(engine: Engine, campaign_id: int) -> int:
    """Remove what was left behind of a file that was not wholly added; return how many messages that were."""
    return sum(_some_by_some(engine, lambda connection: adding.clear(connection, campaign_id)))


def clear(engine: Engine, campaign_id: int) -> int:
    """Remove the messages of a discarded campaign and return how many there were."""
    return sum(_some_by_some(engine, lambda connection: interrupted.clear(connection, campaign_id)))


def _some_by_some(engine: Engine, step: Callable[[Connection], int | None]) -> Iterator[int]:
    """Do a batch, or some small ones, in each transaction, until none is left: nobody waits long."""
    while True:
        with writing(engine) as connection:
            n_moved = step(connection)
        if n_moved is None:
            return
        yield n_moved
