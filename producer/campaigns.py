"""Orders to campaigns: go on, end, try again, put away; batch by batch, so that nobody waits long."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from sqlalchemy import Connection, Engine

from worker.ledger import control, interrupted, retrying
from worker.ledger.engine import writing
from worker.states import MessageState


def resume(engine: Engine, campaign_id: int, *, author: str) -> int:
    """Let a campaign go on that is paused, has batches held, or both; return how many batches were opened.

    Raises:
        InputError: there is no such campaign, or nothing of it waits for this.
    """
    with writing(engine) as connection:
        control.resume(connection, campaign_id, author=author)
    return len(list(_one_by_one(engine, lambda connection: control.reopen_held(connection, campaign_id))))


def cancel(engine: Engine, campaign_id: int, *, author: str) -> int:
    """End a campaign for good and return how many messages were still queued; may be repeated.

    Raises:
        InputError: there is no such campaign, or it cannot be cancelled.
    """
    with writing(engine) as connection:
        control.cancel(connection, campaign_id, author=author)
    return sum(_one_by_one(engine, lambda connection: control.cancel_rows(connection, campaign_id)))


def retry(engine: Engine, campaign_id: int, states: Collection[MessageState]) -> int:
    """Queue what was rejected or failed again, and return how many messages that were.

    Raises:
        InputError: there is no such campaign, it is being imported, or it is over for good.
    """
    n_queued = after = 0
    while True:
        with writing(engine) as connection:
            done = retrying.retry_batch(connection, campaign_id, states, after=after)
        if done is None:
            return n_queued
        n_queued, after = n_queued + done.n, done.batch_id


def discard(engine: Engine, campaign_id: int) -> int:
    """Put an interrupted import away with its messages; return how many there were. May be repeated.

    Raises:
        InputError: there is no such campaign, its importer lives, or its import is over.
    """
    with writing(engine) as connection:
        interrupted.discard(connection, campaign_id)
    return clear(engine, campaign_id)


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
