"""Orders to campaigns: go on, end, try again, put away; batch by batch, so that nobody waits long."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from worker.ledger import adding, control, interrupted, notices, orders, retrying
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
    order = Counted(what=orders.RESUME, author=author, of="batches that were held")

    def reopen(connection: Connection) -> int | None:
        n_queued = control.reopen_held(connection, campaign_id)
        if n_queued is not None:
            order.add(connection, campaign_id, 1)
        return n_queued

    return Resumed(is_new=is_resumed, n_opened=len(list(_one_by_one(engine, reopen))))


def cancel(engine: Engine, campaign_id: int, *, author: str) -> int:
    """End a campaign for good and return how many messages were still queued; may be repeated.

    Raises:
        InputError: there is no such campaign, or it cannot be cancelled.
    """
    with writing(engine) as connection:
        control.cancel(connection, campaign_id, author=author)
    n_cancelled = sum(_one_by_one(engine, lambda connection: control.cancel_rows(connection, campaign_id)))
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
            done = retrying.retry_batch(connection, campaign_id, states, after=after, order=order)
        if done is None:
            break
        n_queued, after = n_queued + done.n, done.batch_id
    if n_queued:
        with writing(engine) as connection:  # by itself: whoever records an outcome has the campaign locked
            notices.want_again(connection, campaign_id)
    return n_queued


def discard(engine: Engine, campaign_id: int, *, author: str) -> int:
    """Put an interrupted import away with its messages; return how many there were. May be repeated.

    Raises:
        InputError: there is no such campaign, its importer lives, or its import is over.
    """
    with writing(engine) as connection:
        interrupted.discard(connection, campaign_id, author=author)
    return clear(engine, campaign_id)


def clear_added(engine: Engine, campaign_id: int) -> int:
    """Remove what was left behind of a file that was not wholly added; return how many messages that were."""
    return sum(_one_by_one(engine, lambda connection: adding.clear(connection, campaign_id)))


def clear(engine: Engine, campaign_id: int) -> int:
    """Remove the messages of a discarded campaign and return how many there were."""
    return sum(_one_by_one(engine, lambda connection: interrupted.clear(connection, campaign_id)))


def _one_by_one(engine: Engine, step: Callable[[Connection], int | None]) -> Iterator[int]:
    """Do one batch in each transaction until there is none left: nobody waits long for the ledger."""
    while True:
        with writing(engine) as connection:
            n_moved = step(connection)
        if n_moved is None:
            return
        yield n_moved
